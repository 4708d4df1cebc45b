"""Files of a clip: the private work directory of a request and the content-addressed store.

It promises that a stored file is named by the sha256 of its bytes, appears whole or not at all,
survives a power cut once `put` returned, and that nothing of an unfinished clip is left after
its request ended. Directories are 0700, files 0600. Workers of both queues share one
`$BYLINE_HOME`. It does not decide who may read a file.
"""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from byline.audit.base import conf
from byline.audit.base.errors import BylineError

_SUFFIXES = {".mp4", ".webm", ".png", ".vtt", ".c2pa"}
CLIPS = {".mp4": "video/mp4", ".webm": "video/webm"}  # what a clip's file may be, and its media type


class FileDamaged(BylineError):
    code = "file_damaged"
    help = "Restore the file from a backup or make the clip again; do not publish it."


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in blocks of 1 MiB."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Make a file, or the names in a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def clips_root() -> Path:
    return conf.home() / "clips"


def work_root() -> Path:
    return conf.home() / "work"


def work_directory(request_id: uuid.UUID) -> Path:
    """The request's private directory (not created). UUID keeps a path out of the name."""
    return work_root() / str(uuid.UUID(str(request_id)))


def attempt_directory(request_id: uuid.UUID, attempt: int) -> Path:
    """A directory that only this attempt writes to, created 0700."""
    _private(work_root())
    _private(work_directory(request_id))
    return _private(work_directory(request_id) / f"attempt-{attempt}")


def preview_path(request_id: uuid.UUID, attempt: int) -> Path:
    """Where the picture of a clip that is still sampled is, if there is one; see stages/preview.py."""
    return work_directory(request_id) / f"attempt-{int(attempt)}" / "preview.jpg"


def discard_work(request_id: uuid.UUID) -> None:
    """Remove what exists of an ended request. Silent when there is nothing."""
    shutil.rmtree(work_directory(request_id), ignore_errors=True)


def work_ids() -> Iterator[uuid.UUID]:
    """Requests that have a work directory."""
    if not work_root().is_dir():
        return
    for entry in work_root().iterdir():
        try:
            yield uuid.UUID(entry.name)
        except ValueError:
            continue


def path_of(sha256: str, suffix: str = ".mp4") -> Path:
    """Where the file with this digest is or would be. ValueError for anything but 64 hex digits."""
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef") or suffix not in _SUFFIXES:
        raise ValueError("not the name of a stored file")
    return clips_root() / sha256[:2] / f"{sha256}{suffix}"


def put(source: Path) -> str:
    """Copy a file into the store under its sha256 and return that. Putting the same bytes again is
    a no-op. The copy is written beside its place, synced, then renamed: a reader never sees half."""
    suffix = source.suffix
    _private(clips_root())
    digest = hashlib.sha256()
    descriptor, name = tempfile.mkstemp(prefix=".put-", dir=clips_root())
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target, source.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        place = path_of(digest.hexdigest(), suffix)
        _private(place.parent)
        temporary.replace(place)
        fsync(place.parent)
        fsync(clips_root())
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()


def put_beside(sha256: str, source: Path) -> None:
    """Store the manifest of a clip that cannot hold it, beside it under the clip's name."""
    place = path_of(sha256, ".c2pa")
    descriptor, name = tempfile.mkstemp(prefix=".put-", dir=_private(place.parent))
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(source.read_bytes())
            target.flush()
            os.fsync(target.fileno())
        Path(name).replace(place)
        fsync(place.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def read_path(sha256: str, suffix: str = "") -> Path:
    """The stored file, by default the clip in whichever format it is, after its bytes were compared with its
    name. Raises FileDamaged."""
    found = [suffix] if suffix else [kind for kind in CLIPS if path_of(sha256, kind).is_file()]
    place = path_of(sha256, found[0] if found else ".mp4")
    if not place.is_file():
        raise FileDamaged("The stored file is missing.")
    if sha256_of(place) != sha256:
        raise FileDamaged("The stored file is not the one that was made: its bytes have changed.")
    return place


def written_between(oldest: float, newest: float) -> Iterator[tuple[str, Path]]:
    """(sha256 or "", path) of stored files, whole or not, last written in this span of epoch seconds:
    the sweeper asks which of them no row names."""
    if not clips_root().is_dir():
        return
    for entry in [*clips_root().glob(".put-*"), *clips_root().glob("??/*")]:
        if oldest <= entry.stat().st_mtime < newest:
            yield ("" if entry.name.startswith(".put-") else entry.stem), entry
