"""Finished shots of films, kept so that a film goes on where it stopped and a change costs one shot.

Promises: frames are on disk only sealed (generation/sealed.py), and open only as the shot of the very
film and key that they were kept for; a shot that cannot be opened is made again. The key names everything
that the frames depend on: what was asked of the engine, which model in which revision, and how it is
configured. They are removed once a request of the film was published or what it made was refused
(transitions.py), and after RETENTION_S without use.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import logging
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import conf
from byline.generation import sealed

logger = logging.getLogger(__name__)

RETENTION_S = 7 * 86400.0
MAX_BYTES = 2**31 - 1  # of one message of AES-GCM in the library; a larger shot is not kept
_LABEL = b"byline film shot v1 "


def key_of(*decides: Any) -> str:
    """Hex SHA-256 of what decides the frames: plain values, mappings and dataclasses of the task, the
    engine's facts and its settings."""
    parts = [_plain(part) for part in decides]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return [str(value.dtype), list(value.shape), digest]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def write(film: uuid.UUID, key: str, frames: np.ndarray) -> bool:
    """Keep a shot, uint8 (T, h, w, 3). False for one that is too large to keep."""
    plain = io.BytesIO()
    np.save(plain, frames, allow_pickle=False)
    data = zlib.compress(plain.getvalue(), 1)
    if len(data) > MAX_BYTES:
        return False
    sealed.write(_place(film, key), data, _bound(film, key))
    return True


def read(film: uuid.UUID, key: str) -> np.ndarray | None:
    """The shot's frames, None when it is not kept or cannot be opened."""
    place = _place(film, key)
    try:
        data = sealed.read(place, _bound(film, key))
    except sealed.SealBroken:
        if place.is_file():
            logger.warning("a kept shot of film %s cannot be opened and is made again", film)
            sealed.forget(place)
        return None
    with contextlib.suppress(FileNotFoundError):
        os.utime(place)  # the retention counts from the last use
    frames: np.ndarray = np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False)
    return frames


def discard(film: uuid.UUID) -> None:
    """Remove everything that is kept of a film. Silent when there is nothing."""
    shutil.rmtree(_folder(film), ignore_errors=True)


def tidy(exists: Callable[[uuid.UUID], bool]) -> int:
    """Remove shots that nobody used for RETENTION_S, and those of films that are gone; how many."""
    root, removed = _root(), 0
    if not root.is_dir():
        return removed
    oldest = time.time() - RETENTION_S
    for folder in root.iterdir():
        with contextlib.suppress(ValueError):
            film = uuid.UUID(folder.name)
            shots = list(folder.iterdir())
            gone = not exists(film)
            for shot in shots:
                with contextlib.suppress(FileNotFoundError):
                    if gone or shot.stat().st_mtime < oldest:
                        shot.unlink()
                        removed += 1
            with contextlib.suppress(OSError):  # not empty: a worker keeps a shot right now
                folder.rmdir()
    return removed


def _root() -> Path:
    return conf.home() / "films"


def _folder(film: uuid.UUID) -> Path:
    return _root() / str(uuid.UUID(str(film)))


def _place(film: uuid.UUID, key: str) -> Path:
    if len(key) != 64 or set(key) - set("0123456789abcdef"):
        raise ValueError("not the key of a shot")
    return _folder(film) / f"{key}.shot"


def _bound(film: uuid.UUID, key: str) -> bytes:
    return _LABEL + uuid.UUID(str(film)).bytes + key.encode()
