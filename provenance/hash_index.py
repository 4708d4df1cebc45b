"""All hashes within some bits of a query, from millions, in memory and exactly.

Multi-index hashing (Norouzi, Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing,
CVPR 2012): hashes are cut into chunks; two that differ in few bits differ in at most a few bits in one
of the chunks, so looking up the near values of each chunk finds every candidate, and the whole hash
decides. Promises: nothing within the radius is missed. Where a query falls into crowded buckets
(black frames, one scene a thousand times) it compares with every hash instead, which is as exact and
takes no longer than that; an answer that was cut to `limit` says so. Leaves out: adding to an index,
and radii beyond the one it was built for.
"""

import itertools
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_CHUNK = 24  # bits: a table of 2**24 bucket starts has 64 MB
_BLOCK = 1 << 20  # hashes compared at once in a scan
_CROWDED = 8  # candidates beyond a share of 1 / this of all hashes: a scan in order is cheaper


@dataclass(frozen=True)
class Neighbours:
    """Row numbers of the hashes near a query and their distances in bits, nearest first.

    `complete` is False if there were more than the limit; the nearest ones are there in any case.
    `scanned`: the buckets were crowded and everything was compared.
    """

    rows: NDArray[np.integer]
    bits: NDArray[np.integer]
    complete: bool
    scanned: bool


def chunk_radii(chunks: int, radius: int) -> list[int]:
    """How far to look in each chunk so that nothing within `radius` is missed; -1: not at all.

    If every chunk differed in more than its number of bits, the whole would differ in at least
    sum(radii + 1) = radius + 1.
    """
    each, more = divmod(radius + 1, chunks)
    return [each if number < more else each - 1 for number in range(chunks)]


@cache
def flips(width: int, radius: int) -> tuple[int, ...]:
    """All values of `width` bits with at most `radius` bits set: what to XOR a chunk with."""
    return tuple(
        sum(1 << bit for bit in bits)
        for count in range(radius + 1)
        for bits in itertools.combinations(range(width), count)
    )


class HashIndex:
    """Hashes of W x 64 bits as an (N, W) array of uint64, searchable within `radius` bits.

    The tables take about 4 bytes per hash and chunk; with `directory` they, but not the hashes, live
    in files there and are mapped. ValueError for an empty or misshapen array.
    """

    def __init__(
        self, hashes: NDArray[np.uint64], radius: int, *, chunks: int = 0, directory: Path | None = None
    ) -> None:
        if hashes.ndim != 2 or hashes.dtype != np.uint64 or not hashes.size:
            raise ValueError("hashes are an (N, words) array of uint64 with at least one row")
        self.hashes, self.radius = np.ascontiguousarray(hashes), radius
        width = 64 * hashes.shape[1]
        # About log2(N) bits per chunk: larger ones cost look-ups, smaller ones candidates.
        wanted = min(_MOST_CHUNK, max(16, int(np.log2(len(hashes))) + 1))
        chunks = chunks or max(1, -(-width // wanted))
        edges = [width * number // chunks for number in range(chunks + 1)]
        if max(b - a for a, b in itertools.pairwise(edges)) > _MOST_CHUNK:
            raise ValueError(f"a chunk would have more than {_MOST_CHUNK} bits")
        radii = chunk_radii(chunks, radius)
        self._chunks = [
            _Chunk(self.hashes, edges[n], edges[n + 1], radii[n], directory)
            for n in range(chunks)
            if radii[n] >= 0
        ]

    def near(self, query: NDArray[np.uint64], *, limit: int = 1000) -> Neighbours:
        """All rows within the radius of one hash of W words, the nearest `limit` of them."""
        ranges = [chunk.buckets(query) for chunk in self._chunks]
        total = sum(int(counts.sum()) for _, counts in ranges)
        scanned = total > len(self.hashes) // _CROWDED
        if scanned:
            rows, bits = self._scan(query)
        else:
            parts = [
                chunk.rows(starts, counts)
                for chunk, (starts, counts) in zip(self._chunks, ranges, strict=True)
            ]
            rows = np.concatenate(parts)
            bits = _distance(self.hashes[rows], query)
            near = np.flatnonzero(bits <= self.radius)
            rows, first = np.unique(rows[near], return_index=True)
            bits = bits[near][first]
        order = np.argsort(bits, kind="stable")[:limit]
        return Neighbours(rows[order], bits[order], len(rows) <= limit, scanned)

    def _scan(self, query: NDArray[np.uint64]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        found, distances = [], []
        for start in range(0, len(self.hashes), _BLOCK):
            bits = _distance(self.hashes[start : start + _BLOCK], query)
            near = np.flatnonzero(bits <= self.radius)
            found.append(near + start)
            distances.append(bits[near])
        return np.concatenate(found), np.concatenate(distances)


class _Chunk:
    """One chunk of all hashes: row numbers sorted by its value, and where each value begins."""

    def __init__(
        self, hashes: NDArray[np.uint64], low: int, high: int, radius: int, directory: Path | None
    ) -> None:
        self._low, self._width = low, high - low
        self._flips = np.array(flips(self._width, radius), np.int64)
        values = self._values(hashes)
        order = np.argsort(values, kind="stable")
        starts = np.zeros((1 << self._width) + 1, np.int64 if len(hashes) >= 1 << 32 else np.uint32)
        np.cumsum(np.bincount(values, minlength=1 << self._width), out=starts[1:])
        self._starts, self._rows = (
            _kept(starts, directory, f"starts-{low}"),
            _kept(order.astype(starts.dtype), directory, f"rows-{low}"),
        )

    def _values(self, hashes: NDArray[np.uint64]) -> NDArray[Any]:
        """Bits low..high of each row, counted from the lowest bit of the first word."""
        word, shift = divmod(self._low, 64)
        values = hashes[..., word] >> np.uint64(shift)
        if shift + self._width > 64:
            values = values | hashes[..., word + 1] << np.uint64(64 - shift)
        return np.asarray(values & np.uint64((1 << self._width) - 1)).astype(np.int64)

    def buckets(self, query: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(start, count) of every bucket that may hold neighbours."""
        values = self._values(query) ^ self._flips
        starts = self._starts[values].astype(np.int64)
        return starts, self._starts[values + 1].astype(np.int64) - starts

    def rows(self, starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.integer]:
        """The row numbers in those buckets."""
        ends = np.cumsum(counts)
        places = np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)
        return self._rows[places]


def _kept(array: NDArray[Any], directory: Path | None, name: str) -> NDArray[Any]:
    if directory is None:
        return array
    np.save(directory / f"{name}.npy", array)
    return np.asarray(np.load(directory / f"{name}.npy", mmap_mode="r"))


def _distance(hashes: NDArray[np.uint64], query: NDArray[np.uint64]) -> NDArray[np.integer]:
    return np.bitwise_count(hashes ^ query).sum(axis=1, dtype=np.int32)
