"""The frames of an operator's export, indexed in memory: what fingerprint_index.py is without Django.

Promises: the same answers as the database gives, exact within the radius asked for, and never cut by
crowded buckets (hash_index.py then compares with everything). Leaves out: files; it is built from
records that were already read, a million hashes in about a second.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from byline.provenance.fingerprints import FrameHash
from byline.provenance.hash_index import HashIndex
from byline.provenance.index_shortlist import MOST_HITS, Hit, Hits

_CHUNKS = 4


class DirectoryFrames:
    """Distinct hashes of each variant of each record; one index for each radius that is asked for."""

    def __init__(self, fingerprints: Mapping[str, Sequence[FrameHash]]) -> None:
        distinct = {
            (record, item.variant, item.phash64): Hit(record, bytes.fromhex(item.phash256))
            for record, hashes in fingerprints.items()
            for item in hashes
        }
        self._hits = list(distinct.values())
        self._keys = np.array([[int(key[2], 16)] for key in distinct], np.uint64)
        self._indices: dict[int, HashIndex] = {}

    def near(self, key: int, *, radius: int) -> Hits:
        """Frames within `radius` bits of a 64-bit hash, the nearest MOST_HITS of them first."""
        if not self._hits:
            return Hits((), True)
        if radius not in self._indices:
            self._indices[radius] = HashIndex(self._keys, radius, chunks=_CHUNKS)
        found = self._indices[radius].near(np.array([key], np.uint64), limit=MOST_HITS)
        return Hits([self._hits[row] for row in found.rows], found.complete)
