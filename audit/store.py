"""Reads the tree's hashes from the database, in the shape tiles.py asks for.

Promise: `fetch` gives the first `width` hashes of any tile, full or partial, from rows that never
change: the full tile if it is stored, else the leaves (level 0) or the roots of the full tiles
below.
Left out: writing, which is the sealer's alone.
"""

from collections import OrderedDict
from collections.abc import Iterable

from byline.audit import merkle
from byline.audit.models import SealedLeaf, Tile
from byline.audit.tiles import WIDTH, TileNodes


def fetch(level: int, index: int, width: int) -> bytes:
    """The first `width` hashes (32 bytes each) of a tile; fewer if the rows are missing."""
    if width == WIDTH:
        return _join(Tile.objects.filter(level=level, index=index).values_list("hashes", flat=True))
    first = index * WIDTH
    if level == 0:
        row = SealedLeaf.objects.filter(index__gte=first, index__lt=first + width)
        return _join(row.order_by("index").values_list("leaf_hash", flat=True))
    below = Tile.objects.filter(level=level - 1, index__gte=first, index__lt=first + width)
    return _join(below.order_by("index").values_list("root", flat=True))


def _join(hashes: Iterable[bytes | memoryview]) -> bytes:
    return b"".join(bytes(item) for item in hashes)


def root(size: int) -> bytes:
    """Root of the tree of the first `size` leaves. MerkleError if stored hashes are missing."""
    return merkle.root(size, TileNodes(size, fetch))


class _Recent(OrderedDict[tuple[int, int, int], list[list[bytes]]]):
    """The last tiles that proofs were made from; a few megabytes, and less than a query each."""

    def __setitem__(self, key: tuple[int, int, int], rows: list[list[bytes]]) -> None:
        super().__setitem__(key, rows)
        if len(self) > 512:
            self.popitem(last=False)


_recent = _Recent()


def inclusion_path(index: int, size: int, *, fresh: bool = False) -> list[bytes]:
    """Inclusion path of leaf `index` in the tree of `size`. MerkleError if stored hashes are missing.

    Tiles of earlier proofs are used again, whatever the database says now, until `fresh`: the caller
    holds the path against a signature.
    """
    if fresh:
        _recent.clear()
    return merkle.inclusion_path(index, size, TileNodes(size, fetch, _recent))


def consistency_path(old: int, new: int) -> list[bytes]:
    """Consistency proof between two sizes. MerkleError if it makes no sense or hashes are missing."""
    return merkle.consistency_path(old, new, TileNodes(new, fetch))
