"""Which records are worth a whole comparison: votes of single frames, whoever keeps the index.

Promises: the database and an operator's export answer alike, since both only say which frames lie
within some bits of a hash. The query is asked a few times whatever its length, as it is and mirrored,
so a long film costs no more than a short clip. A frame that many records show (an end card, a logo)
has little say in the ranking and none in the decision, which fingerprints.compare makes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from byline.provenance.fingerprints import MAX_BITS, FrameHash, bits_between, mirrored

PROBES = 12  # frames of the query that are looked up, each also mirrored
MOST_HITS = 2_000  # frames that one look-up answers with
COMMON = 30  # records: a frame that more of them show tells none of them from the others
_SAME_FRAME = 24  # bits of 256: still frames of one shot


@dataclass(frozen=True)
class Hit:
    """A frame on record near the hash that was asked for."""

    record: str
    phash256: bytes


@dataclass(frozen=True)
class Hits:
    """`complete` is False if crowded buckets were cut: there may be more, and nearer ones."""

    hits: Sequence[Hit]
    complete: bool


class FrameLookup(Protocol):
    """Frames on record whose phash64 lies within `radius` bits of `key`."""

    def near(self, key: int, *, radius: int) -> Hits: ...


@dataclass(frozen=True)
class Shortlist:
    """`records`, the nearest first, and the query's frames that are not common to many records."""

    records: list[str]
    telling: list[FrameHash]


def ranked(lookup: FrameLookup, query: Sequence[FrameHash], *, radius: int, limit: int) -> Shortlist:
    """Records by how many of the query's frames they are near to, how near, and how few others are."""
    votes: dict[str, float] = {}
    common: list[FrameHash] = []
    for item in _probes(query):
        nearest = _nearest(lookup, item, radius)
        for record, bits in nearest.items():
            votes[record] = votes.get(record, 0.0) + max(0.01, 1 - bits / 128) / len(nearest)
        if sum(bits <= MAX_BITS for bits in nearest.values()) > COMMON:
            common.append(item)
    telling = [item for item in query if all(bits_between(item, one) > _SAME_FRAME for one in common)]
    return Shortlist(sorted(votes, key=lambda record: -votes[record])[:limit], telling)


def _nearest(lookup: FrameLookup, item: FrameHash, radius: int) -> dict[str, int]:
    """Record: bits of 256 between this frame, or its mirror image, and the record's nearest frame."""
    nearest: dict[str, int] = {}
    for asked in (item, mirrored(item)):
        hits = lookup.near(int(asked.phash64, 16), radius=radius).hits
        words = np.frombuffer(b"".join(hit.phash256 for hit in hits), "<u8").reshape(-1, 4)
        wanted = np.frombuffer(bytes.fromhex(asked.phash256), "<u8")
        distances = np.bitwise_count(words ^ wanted).sum(axis=1, dtype=int).tolist()
        for hit, bits in zip(hits, distances, strict=True):
            nearest[hit.record] = min(bits, nearest.get(hit.record, 256))
    return nearest


def _probes(query: Sequence[FrameHash]) -> Iterator[FrameHash]:
    """At most PROBES different hashes, spread over the whole query."""
    distinct = list({item.phash64: item for item in query}.values())
    count = min(PROBES, len(distinct))
    return (distinct[(2 * n + 1) * len(distinct) // (2 * count)] for n in range(count))
