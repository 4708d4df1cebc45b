"""`python -m byline.generation.starter.train --stage vae-frames|vae-clips|dit --out DIR --minutes N`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="byline.generation.starter.train", description="Train the starter model."
    )
    parser.add_argument("--stage", required=True, choices=["vae-frames", "vae-clips", "dit"])
    parser.add_argument(
        "--out", required=True, type=Path, help="where the model and its training state are kept"
    )
    parser.add_argument(
        "--minutes", required=True, type=float, help="wall-clock minutes; run again to resume"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    from byline.audit.base import heavy

    heavy.load("torch").set_num_threads(given.threads)
    if given.stage.startswith("vae"):
        from byline.generation.starter import train_vae

        train_vae.train(given.out, given.minutes, given.stage.removeprefix("vae-"), given.seed)
    else:
        from byline.generation.starter import train_dit

        train_dit.train(given.out, given.minutes, given.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
