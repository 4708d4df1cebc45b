"""The log as C2SP tlog-tiles serves it: checkpoint, hash tiles and entry bundles, as bytes.

Promise: nothing is given that the newest signed checkpoint does not cover, so what was once
answered for an address never changes, and any tlog client can read the log unchanged. Entry
bundles are re-derived from the rows and must hash to the sealed leaves.
Left out: HTTP, caching and who may read entries (platform/audit_pages.py); clients that ask for a
partial tile which has filled up since must fall back to the full one, as the spec tells them to.
"""

from django.db import connection

from byline.audit import leaves, merkle, store, tiles
from byline.audit.base.errors import BylineError
from byline.audit.log import LogDamaged
from byline.audit.models import Checkpoint, Cosignature


class NotServed(BylineError):
    """No such tile under the newest checkpoint, or its entries lie in the archive by now."""

    code = "no_such_tile"
    status = 404
    help = "Ask for tiles of the tree whose size the checkpoint states (C2SP tlog-tiles)."


def checkpoint() -> str:
    """The newest signed checkpoint with the witnesses' cosignatures. NotServed while the log is empty."""
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is None:
        raise NotServed("the log is still empty")
    lines = Cosignature.objects.filter(size=newest.size).order_by("witness").values_list("line", flat=True)
    return newest.note + "".join(lines)


def resource(address: str) -> bytes:
    """The bytes at "tile/..." below the log's prefix. NotServed if there are none."""
    try:
        level, index, width = tiles.parse_path(address)
    except merkle.MerkleError as error:
        raise NotServed(str(error)) from error
    return entries(index, width) if isinstance(level, str) else tile(level, index, width)


def tile(level: int, index: int, width: int = tiles.WIDTH) -> bytes:
    """`width` hashes of 32 bytes. NotServed beyond the newest checkpoint."""
    _covered(level, index, width)
    data = store.fetch(level, index, width)
    if len(data) != width * merkle.HASH_SIZE:
        raise LogDamaged(f"tile {level}/{index} has gaps")
    return data


def entries(index: int, width: int = tiles.WIDTH) -> bytes:
    """The bundle of `width` entries from leaf index * 256 on. NotServed as for tiles, or once retired."""
    _covered(0, index, width)
    first = index * tiles.WIDTH
    found = []
    with connection.cursor() as cursor:
        for at, _, stored, columns in leaves.sealed(cursor, first, first + width):
            if columns is None:
                raise NotServed(f"entry {at} was retired: its bundle is in the archive")
            data = leaves.leaf_data(*columns)
            if merkle.leaf_hash(data) != stored:
                raise LogDamaged(f"leaf {at} is not what was sealed")
            found.append(data)
    if len(found) != width:
        raise LogDamaged(f"leaves from {first} on have gaps")
    return tiles.pack(found)


def _covered(level: int, index: int, width: int) -> None:
    size = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
    if level > 7 or not 0 < width <= tiles.WIDTH:  # 256^8 leaves: no log gets there
        raise NotServed("no tile has this address")
    if index * tiles.WIDTH + width > size >> (tiles.HEIGHT * level):
        raise NotServed(f"the tree of {size} entries has no such tile")
