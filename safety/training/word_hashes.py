"""Write data/foreign_words.npz: hashes of the LDNOOBW lists of every language but English.

    python -m byline.safety.training.word_hashes --data DIR

Promises hashes only, sorted, so that neither words nor their order ship. The lists are
CC-BY-4.0 (LDNOOBW contributors); docs/moderation.md gives credit. Expressions of fewer than three
Latin letters are left out: they are words of other languages too often.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from byline.safety import foreign

NOT_LISTS = ("en", "LICENSE", "SOURCES", "tlh", "eo")
OUT = Path(foreign.__file__).parent / "data" / "foreign_words.npz"


def hashes(data: Path) -> dict[str, np.ndarray]:
    """uint64 (N,) per language."""
    out = {}
    for file in sorted((data / "ldnoobw").iterdir()):
        if file.name.startswith(NOT_LISTS):
            continue
        terms = {t.strip() for t in file.read_text("utf-8").splitlines()}
        kept = {foreign.digest(t) for t in terms if len(t) > 2 or (t and not t.isascii())}
        out[file.name] = np.array(sorted(kept), dtype=np.uint64)
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.safety.training.word_hashes")
    parser.add_argument("--data", type=Path, required=True)
    np.savez_compressed(OUT, **hashes(parser.parse_args(argv).data))  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
