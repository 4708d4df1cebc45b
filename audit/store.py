"""Reads the tree's hashes from the database, in the shape tiles.py asks for.

Promise: `fetch` gives the first `width` hashes of any tile, full or partial, from rows that never
change: the full tile if it is stored, else the leaves (level 0) or the roots of the full tiles
below. `leaf` is the one way from a stored entry to its leaf hash, for sealing and checking alike.
Left out: writing, which is the sealer's alone.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

from byline.audit import canonical, merkle
from byline.audit.models import SealedLeaf, Tile
from byline.audit.tiles import WIDTH, TileNodes


def fetch(level: int, index: int, width: int) -> bytes:
    """The first `width` hashes (32 bytes each) of a tile; fewer if the rows are missing."""
    if width == WIDTH:
        return _join(Tile.objects.filter(level=level, index=index).values_list("hashes", flat=True))
    first = index * WIDTH
    if level == 0:
        leaves = SealedLeaf.objects.filter(index__gte=first, index__lt=first + width)
        return _join(leaves.order_by("index").values_list("leaf_hash", flat=True))
    below = Tile.objects.filter(level=level - 1, index__gte=first, index__lt=first + width)
    return _join(below.order_by("index").values_list("root", flat=True))


def _join(hashes: Iterable[bytes | memoryview]) -> bytes:
    return b"".join(bytes(item) for item in hashes)


def leaf(pk: int, kind: str, subject: str, actor: str, payload: str, created: datetime) -> bytes:
    """Leaf hash of an entry's columns, `payload` as PostgreSQL's JSON text.

    A payload that `log.append` would have refused (a row written past it) must not stop the log: it
    is sealed as the hash of that text, which still pins it. No proof is given for such an entry.
    """
    entry = canonical.entry(pk=pk, kind=kind, subject=subject, actor=actor, payload=None, created=created)
    try:
        entry["payload"] = json.loads(payload)
        data = canonical.encode(entry)
        if len(data) <= canonical.MAX_ENTRY_BYTES:
            return merkle.leaf_hash(data)
    except (ValueError, RecursionError):  # CanonicalError, or digits and depths that Python declines
        pass
    entry["payload"] = {"uncanonical_sha256": hashlib.sha256(payload.encode()).hexdigest()}
    return merkle.leaf_hash(canonical.encode(entry))


def root(size: int) -> bytes:
    """Root of the tree of the first `size` leaves. MerkleError if stored hashes are missing."""
    return merkle.root(size, TileNodes(size, fetch))


def inclusion_path(index: int, size: int) -> list[bytes]:
    """Inclusion path of leaf `index` in the tree of `size`. MerkleError if stored hashes are missing."""
    return merkle.inclusion_path(index, size, TileNodes(size, fetch))
