"""Compares a clip's hashes with everything on the no-go lists, in memory, by brute force.

Bounded: one 256-bit hash against a million takes some 30 ms and 32 MB, and no approximate index can
miss one. A picture on a list matches when any one frame is within its type's radius. What was rejected
as a clip (references that begin with "clip:") matches when at least LEAST_FRAMES frames, and LEAST_SHARE
of those compared, do: two clips may well share a single plain picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from byline.safety.hashlists.signals import TYPES

CLIP = "clip:"
LEAST_FRAMES, LEAST_SHARE = 3, 0.5


@dataclass(frozen=True)
class Match:
    """`frames` of the clip are within the radius of what `list` calls `reference`, the nearest of them
    `bits` away."""

    list: str
    reference: str
    type: str
    bits: int
    frames: int


@dataclass(frozen=True)
class Table:
    """The hashes of one type: `words` (N, 4 or 1) uint64, and of each the list and the reference."""

    words: np.ndarray
    lists: Sequence[str]
    references: Sequence[str]

    @classmethod
    def of(cls, type: str, rows: Iterable[tuple[str, str, str]]) -> Table:
        """From (list, value, reference)."""
        rows = list(rows)
        return cls(
            words([value for _, value, _ in rows], type), [row[0] for row in rows], [row[2] for row in rows]
        )


def words(values: Sequence[str], type: str) -> np.ndarray:
    """(N, digits / 16) uint64."""
    return np.frombuffer(bytes.fromhex("".join(values)), ">u8").reshape(len(values), TYPES[type].digits // 16)


def find(hashes: Mapping[str, Sequence[Sequence[str]]], tables: Mapping[str, Table]) -> list[Match]:
    """All matches, nearest first. `hashes`: by type, per frame the hash and those of its variants
    (mirrored, without bars), any of which counts for the frame."""
    found = []
    for type, frames in hashes.items():
        table = tables.get(type)
        if table is None or not frames:
            continue
        nearest: dict[tuple[str, str], tuple[int, set[int]]] = {}
        for number, variants in enumerate(frames):
            for query in words(list(dict.fromkeys(variants)), type):
                bits = np.bitwise_count(table.words ^ query).sum(axis=1, dtype=np.uint16)
                for row in np.flatnonzero(bits <= TYPES[type].radius).tolist():
                    # A list without references tells its pictures apart by their place in it.
                    key = (table.lists[row], table.references[row] or f"#{row}")
                    best, seen = nearest.get(key, (256, set()))
                    nearest[key] = (min(best, int(bits[row])), seen | {number})
        for (name, reference), (best, seen) in nearest.items():
            least = max(LEAST_FRAMES, LEAST_SHARE * len(frames)) if reference.startswith(CLIP) else 1
            if len(seen) >= least:
                found.append(Match(name, reference, type, best, len(seen)))
    return sorted(found, key=lambda match: (match.bits, match.list, match.reference))
