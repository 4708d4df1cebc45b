"""Reads the tree's hashes from the database, in the shape tiles.py asks for.

Promise: `fetch` gives the first `width` hashes of any tile, full or partial, from rows that never
change: the full tile if it is stored, else the leaves (level 0) or the roots of the full tiles
below. `leaf_data` is the one way from a stored entry to the bytes of its leaf, for sealing, serving
and checking alike.
Left out: writing, which is the sealer's alone.
"""

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

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


ROWS = """
    SELECT s.index, s.entry_id, s.leaf_hash, e.id, e.kind, e.subject, e.actor, e.payload::text, e.created
    FROM byline_audit_sealedleaf s LEFT JOIN byline_audit_entry e ON e.id = s.entry_id
"""
# Where PostgreSQL's text of a jsonb value may differ from its canonical form by more than blanks and
# order: escapes, DEL, non-ASCII, long numbers, fractions. The general way is taken for these.
_UNUSUAL = re.compile(r"[\\\x7f-\U0010ffff]|(?:^|[:,\[] ?)-?[0-9]+(?:[.eE]|(?<=[0-9]{16}))")


def leaf_data(pk: int, kind: str, subject: str, actor: str, payload: str, created: datetime) -> bytes:
    """Canonical bytes of an entry's columns, `payload` as PostgreSQL's JSON text.

    A payload that `log.append` would have refused (a row written past it) must not stop the log: it
    is sealed as the hash of that text, which still pins it. No proof is given for such an entry.
    """
    entry = canonical.entry(pk=pk, kind=kind, subject=subject, actor=actor, payload=None, created=created)
    try:
        if not _UNUSUAL.search(payload) and payload.count("{") + payload.count("[") < canonical.MAX_DEPTH:
            # Six times as fast; tests/unit/test_audit_store.py holds it against the general way.
            entry["payload"] = orjson.loads(payload)
            data = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
        else:
            entry["payload"] = json.loads(payload)
            data = canonical.encode(entry)
        if len(data) <= canonical.MAX_ENTRY_BYTES:
            return data
    except (ValueError, RecursionError):  # CanonicalError, or digits and depths that Python declines
        pass
    entry["payload"] = {"uncanonical_sha256": hashlib.sha256(payload.encode()).hexdigest()}
    return canonical.encode(entry)


def leaf(pk: int, kind: str, subject: str, actor: str, payload: str, created: datetime) -> bytes:
    """Leaf hash of an entry's columns."""
    return merkle.leaf_hash(leaf_data(pk, kind, subject, actor, payload, created))


def rows(first: int, end: int) -> list[tuple[Any, ...]]:
    """(index, entry id, stored leaf hash, *columns for leaf_data) of leaves in [first, end); the columns
    are None where the entry is gone."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS + " WHERE s.index >= %s AND s.index < %s ORDER BY s.index", [first, end])
        return list(cursor.fetchall())


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
