"""C2SP tlog-tiles: how a tree's hashes are cut into immutable tiles of 256. Pure, no I/O.

Promise: tile (level, n) holds MTH(D[(n*256+i) * 256^level : (n*256+i+1) * 256^level]) for
i in 0..255; only full tiles are ever stored (with their own root, which is one hash of the tile
above), so nothing stored ever changes. A partial tile is the first hashes of what will be full.
Left out: where tiles come from (store.py, archive.py) and who may ask for them (serving.py).
"""

import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from byline.audit import merkle

HEIGHT = 8
WIDTH = 1 << HEIGHT

# (level, n, width) -> the first `width` hashes of that tile, concatenated.
Fetch = Callable[[int, int, int], bytes]


@dataclass(frozen=True)
class FullTile:
    """A complete tile: 256 hashes of 32 bytes, and the root over them."""

    level: int
    index: int
    hashes: bytes
    root: bytes


def split(hashes: bytes) -> list[bytes]:
    """Concatenated hashes -> list of 32-byte hashes."""
    return [hashes[at : at + merkle.HASH_SIZE] for at in range(0, len(hashes), merkle.HASH_SIZE)]


ENTRIES = "entries"  # in place of the level: the bundle of the entries themselves
_PATH = re.compile(
    r"tile/(?P<level>[0-5]?[0-9]|6[0-3]|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


def path(level: int | str, index: int, width: int = WIDTH) -> str:
    """The tile's address below the log's prefix, e.g. tile/0/x001/x234/067 or tile/1/000.p/17."""
    parts = [f"{index % 1000:03}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def parse_path(address: str) -> tuple[int | str, int, int]:
    """(level or ENTRIES, index, width) of an address. MerkleError unless it is the one way to write it."""
    found = _PATH.fullmatch(address)
    if found:
        level = ENTRIES if found["level"] == ENTRIES else int(found["level"])
        index = int(found["index"].replace("x", "").replace("/", ""))
        width = int(found["width"] or WIDTH)
        if path(level, index, width) == address:
            return level, index, width
    raise merkle.MerkleError("no tile has this address")


def pack(entries: list[bytes]) -> bytes:
    """An entry bundle: each entry after its length, two bytes, big-endian."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unpack(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. MerkleError if it is cut off."""
    entries, at = [], 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle):
            raise merkle.MerkleError("an entry bundle is cut off")
        entries.append(bundle[at + 2 : end])
        at = end
    return entries


def grow(size: int, leaves: list[bytes], fetch: Fetch) -> list[FullTile]:
    """The tiles that become full when leaf hashes are appended to a tree of `size`, lowest level first.

    `fetch` is asked once per level for the partial tile on the old tree's right edge.
    """
    made: list[FullTile] = []
    level, added = 0, leaves
    while added:
        count = size >> (HEIGHT * level)  # hashes at this level before
        first, partial = divmod(count, WIDTH)
        if partial + len(added) < WIDTH:
            break
        row = (split(fetch(level, first, partial)) if partial else []) + added
        added = []
        for at in range(0, len(row) - WIDTH + 1, WIDTH):
            chunk = row[at : at + WIDTH]
            root = merkle.complete_root(chunk)
            made.append(FullTile(level, first + at // WIDTH, b"".join(chunk), root))
            added.append(root)
        level += 1
    return made


Cache = MutableMapping[tuple[int, int, int], list[list[bytes]]]


class TileNodes:
    """A `merkle.Nodes` over tiles of a tree of `size`: call it with (binary level, index).

    Tiles are fetched once and kept in `cache`. The first hashes of a tile never change, so one cache
    may serve many trees of one log; whoever shares it checks the result against a signature.
    """

    def __init__(self, size: int, fetch: Fetch, cache: Cache | None = None) -> None:
        self._size = size
        self._fetch = fetch
        self._cache: Cache = {} if cache is None else cache

    def _rows(self, level: int, index: int) -> list[list[bytes]]:
        """The tile's hashes, then what has been computed above them, row by row."""
        width = min(WIDTH, (self._size >> (HEIGHT * level)) - index * WIDTH)
        if width <= 0:
            raise merkle.MerkleError(f"tile {level}/{index} is not in a tree of {self._size}")
        key = (level, index, width)
        rows = self._cache.get(key)
        if rows is None:
            hashes = split(self._fetch(level, index, width))
            if len(hashes) != width:
                raise merkle.MerkleError(f"tile {level}/{index} has {len(hashes)} of {width} hashes")
            rows = self._cache[key] = [hashes]
        return rows

    def __call__(self, level: int, index: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        start = index << height  # position among the hashes of this tile level
        rows = self._rows(tile_level, start // WIDTH)
        offset = start % WIDTH
        if offset + (1 << height) > len(rows[0]):
            raise merkle.MerkleError(f"subtree {level}/{index} is not complete at size {self._size}")
        while len(rows) <= height:
            rows.append(merkle.row_above(rows[-1]))
        return rows[height][offset >> height]
