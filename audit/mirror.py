"""The last signed checkpoint, kept in a file outside the database: `$BYLINE_HOME/log/checkpoint`.

Promise: it is on disk before a checkpoint is handed out, so that a database restored from an older
backup is noticed before the log signs a second, different history under the same sizes.
Left out: telling others. Copy the file somewhere else now and then and give it to `fsck --known`.
"""

import os
from pathlib import Path

from byline.audit.base import conf


def path() -> Path:
    return conf.home() / "log" / "checkpoint"


def read() -> str | None:
    """The note last signed here; None when there is none yet."""
    try:
        return path().read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def write(note: str) -> None:
    """Replace the file atomically and durably: a crash leaves the old or the new one, whole."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = target.with_suffix(".new")
    with scratch.open("w", encoding="utf-8") as handle:
        handle.write(note)
        handle.flush()
        os.fsync(handle.fileno())
    scratch.replace(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
