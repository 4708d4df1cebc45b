"""Reads the tree's hashes from the database, in the shape tiles.py asks for.

Promise: `fetch` gives the first `width` hashes of any tile, full or partial, from rows that never
change: the full tile if it is stored, else the leaves (level 0) or the roots of the full tiles
below. `leaf` is the one way from a stored entry to its leaf hash, for sealing and checking alike.
Left out: writing, which is the sealer's alone.
"""

import json
from datetime import datetime

from byline.audit import canonical, merkle
from byline.audit.models import SealedLeaf, Tile
from byline.audit.tiles import WIDTH, TileNodes


def fetch(level: int, index: int, width: int) -> bytes:
    """The first `width` hashes (32 bytes each) of a tile; fewer if the rows are missing."""
    if level == 0 and width < WIDTH:
        partial = SealedLeaf.objects.filter(index__gte=index * WIDTH, index__lt=index * WIDTH + width)
        hashes = partial.order_by("index").values_list("leaf_hash", flat=True)
    elif width < WIDTH:
        below = Tile.objects.filter(
            level=level - 1, index__gte=index * WIDTH, index__lt=index * WIDTH + width
        )
        hashes = below.order_by("index").values_list("root", flat=True)
    else:
        hashes = Tile.objects.filter(level=level, index=index).values_list("hashes", flat=True)
    return b"".join(bytes(item) for item in hashes)


def leaf(pk: int, kind: str, subject: str, actor: str, payload: str, created: datetime) -> bytes:
    """Leaf hash of an entry's columns, `payload` as JSON text. CanonicalError if it has no canonical form."""
    entry = canonical.entry(
        pk=pk, kind=kind, subject=subject, actor=actor, payload=json.loads(payload), created=created
    )
    return merkle.leaf_hash(canonical.encode(entry))


def root(size: int) -> bytes:
    """Root of the tree of the first `size` leaves. MerkleError if stored hashes are missing."""
    return merkle.root(size, TileNodes(size, fetch))


def inclusion_path(index: int, size: int) -> list[bytes]:
    """Inclusion path of leaf `index` in the tree of `size`. MerkleError if stored hashes are missing."""
    return merkle.inclusion_path(index, size, TileNodes(size, fetch))
