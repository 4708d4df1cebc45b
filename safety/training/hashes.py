"""SHA-256 of every text that rules or weights were fitted on, of those reserved, and of rule terms.

    python -m byline.safety.training.hashes --data DIR

Writes hashes.npz: arrays of digests (N, 32) uint8, sorted, named fitted, reserved and terms. A text
is hashed in one spelling: NFKC, small letters, letters and digits only. Whoever measures this filter
can look up whether a text was among those it learned from; the texts themselves do not ship.
tests/unit/test_safety_training.py fails on any overlap between fitted and measured.
"""

from __future__ import annotations

import argparse
import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from byline.safety import rules
from byline.safety.training.datasets import load

FILE = Path(__file__).with_name("hashes.npz")


def digest(text: str) -> bytes:
    """SHA-256 of the text's letters and digits."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return hashlib.sha256("".join(c for c in plain if c.isalnum()).encode()).digest()


def digests(texts: Iterable[str]) -> set[bytes]:
    return {digest(text) for text in texts}


def terms() -> Iterator[str]:
    """The patterns of the rules' term lists, as they stand in the file."""
    for pattern in rules.shipped().terms.values():
        yield from pattern.pattern.split("|")


def stored(name: str) -> set[bytes]:
    """The shipped digests of "fitted", "reserved" or "terms"."""
    with np.load(FILE, allow_pickle=False) as arrays:
        return {row.tobytes() for row in arrays[name]}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.safety.training.hashes")
    parser.add_argument("--data", type=Path, required=True)
    rows = load(parser.parse_args(argv).data)
    parts = {
        "fitted": digests(r.text for r in rows if not r.reserved),
        "reserved": digests(r.text for r in rows if r.reserved),
        "terms": digests(terms()),
    }
    np.savez_compressed(FILE, **{name: _array(found) for name, found in parts.items()})  # type: ignore[arg-type]
    return 0


def _array(found: set[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(sorted(found)), dtype=np.uint8).reshape(-1, 32)


if __name__ == "__main__":
    raise SystemExit(main())
