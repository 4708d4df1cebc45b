"""`python -m byline.generation.starter.train --stage vae-frames|bank|dit|vae-clips --out DIR --minutes N`."""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

from byline.audit.base import heavy
from byline.generation.starter import scenes


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="byline.generation.starter.train", description="Train the starter model."
    )
    parser.add_argument(
        "--stage", required=True, choices=["vae-frames", "bank", "dit", "vae-clips", "upscaler"]
    )
    parser.add_argument(
        "--out", required=True, type=Path, help="where the model and its training state are kept"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="wall-clock minutes; run again to resume")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="threads of each process")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the run")
    parser.add_argument("--rate", type=float, default=2e-3, help="dit: highest learning rate of this slice")
    parser.add_argument(
        "--shards", type=int, default=24, help="bank: how many, of 1,500 captioned scenes each"
    )
    parser.add_argument(
        "--population", choices=scenes.POPULATIONS, default="balanced", help="bank: who is drawn"
    )
    parser.add_argument("--people", type=float, default=0.28, help="bank: share of scenes with a person")
    given = parser.parse_args(argv)
    if given.workers > 1:
        with tempfile.TemporaryDirectory() as folder:
            heavy.load("torch.multiprocessing").spawn(_work, (given, Path(folder) / "meeting"), given.workers)
    else:
        _work(0, given, Path())
    return 0


def _work(rank: int, given: argparse.Namespace, meeting: Path) -> None:
    """One process of the run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    heavy.load("torch").set_num_threads(given.threads)
    if given.stage.startswith("vae"):
        from byline.generation.starter import train_vae

        train_vae.train(
            given.out,
            given.minutes,
            given.stage.removeprefix("vae-"),
            given.seed,
            rank,
            given.workers,
            meeting,
        )
    elif given.stage == "upscaler":
        from byline.generation.starter import train_upscaler

        train_upscaler.train(given.out, given.minutes, given.seed)
    elif given.stage == "bank":
        from byline.generation.starter import bank

        bank.write(given.out, given.shards, given.seed, given.population, given.people, rank, given.workers)
    else:
        from byline.generation.starter import train_dit

        train_dit.train(given.out, given.minutes, given.seed, rank, given.workers, meeting, given.rate)


if __name__ == "__main__":
    raise SystemExit(main())
