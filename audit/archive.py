"""The log as plain files: the C2SP tree of checkpoint, tiles and entry bundles, in a directory.

Promise: an archive is served by any web server or object store, needs nothing of ours to be read,
and keeps proving when the site is gone. Writing is incremental: full tiles and bundles never
change and are written once, the checkpoint last, so that a reader never sees a head without its
tree; each file appears whole. `Archive` is the monitor's `Fetch` over such a directory.
Left out: sending it to an object store, which every store's own tool does better (docs/operator.md).
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from byline.audit import merkle, monitor, serving, tiles
from byline.audit.checkpoint import open_checkpoint

CHECKPOINT, VKEY = "checkpoint", "log.vkey"


class Archive:
    """Reads an archive: `archive("tile/0/000")`. LookupError where there is no such file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, address: str) -> bytes:
        if address != CHECKPOINT:
            tiles.parse_path(address)  # no other file is ever opened
        try:
            return (self._directory / address).read_bytes()
        except OSError as error:
            raise LookupError(address) from error


def write(directory: Path, vkey: str, progress: Callable[[int, int], None] | None = None) -> int:
    """Bring the archive in `directory` up to the newest checkpoint; its size. NotServed for an empty log.

    MonitorAlarm if the log does not extend what is in the archive already. `progress(done, of)` is
    called for every entry bundle.
    """
    directory.mkdir(parents=True, exist_ok=True)
    note = serving.checkpoint()
    size = open_checkpoint(note, vkey).size
    archive = Archive(directory)
    try:
        known: str | None = archive(CHECKPOINT).decode()
    except LookupError:
        known = None
    if known:
        # Both sides of the comparison come from us, so a rewritten database is not archived over its past.
        monitor.follow(known, lambda at: note.encode() if at == CHECKPOINT else serving.resource(at), vkey)
    bundles = -(-size // tiles.WIDTH)
    level, count = 0, size
    while count:
        for index in range(-(-count // tiles.WIDTH)):
            width = min(tiles.WIDTH, count - index * tiles.WIDTH)
            _put(directory / tiles.path(level, index, width), serving.tile, level, index, width)
            if level == 0:
                _put(directory / tiles.path(tiles.ENTRIES, index, width), serving.entries, index, width)
                if progress:
                    progress(index + 1, bundles)
        level, count = level + 1, count // tiles.WIDTH
    _replace(directory / VKEY, f"{vkey}\n".encode())
    _replace(directory / CHECKPOINT, note.encode())
    return size


def check(directory: Path, vkey: str, known: str | None = None) -> str:
    """Replay the whole archive; its checkpoint. MonitorAlarm if entries, tiles, head or `known` disagree."""
    archive = Archive(directory)
    note = monitor.follow(known, archive, vkey, deep=True)
    size = open_checkpoint(note, vkey).size
    for index, start in enumerate(range(0, size, tiles.WIDTH)):
        width = min(tiles.WIDTH, size - start)
        bundle = tiles.unpack(monitor.tile(archive, tiles.ENTRIES, index, width))[:width]
        if b"".join(map(merkle.leaf_hash, bundle)) != monitor.tile(archive, 0, index, width):
            raise monitor.SplitView(f"tile 0/{index} of the archive is not that of its entries")
    return note


def _put(path: Path, make: Callable[..., bytes], *arguments: int) -> None:
    if not path.exists():  # immutable, and only ever put there whole
        _replace(path, make(*arguments))


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(name, 0o644)  # public, like the log
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
