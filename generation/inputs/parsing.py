"""An uploaded file as pixels or sound, parsed in a jailed child, never in this process.

Promises: `parse` returns bounded arrays or raises InputRefused with a reason that names no content. What
the child says is checked against the bounds before a byte of it is believed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.inputs import limits
from byline.provenance import jail
from byline.provenance.decode import Unreadable, decode_untrusted

KINDS = ("picture", "mask", "clip", "song")
_CREDENTIALS = {"none", "broken", "broken ancestor", "elsewhere", "signer unknown", "trusted"}
_SECONDS = {"picture": 20.0, "mask": 20.0, "clip": 60.0}
_HEADER_BYTES = 8 << 10


class InputRefused(InvalidInput):
    code = "input_refused"
    status = 422
    help = "Pictures and masks are PNG, JPEG or WebP, clips MP4 or WebM, songs WAV, MP3, FLAC or MP4."


@dataclass(frozen=True)
class Parsed:
    """`array` is uint8: RGB (h, w, 3) of a picture, (h, w) with 0 and 255 of a mask, (T, h, w, 3) of a clip
    at `rate` frames a second; or float32 mono of a song at `rate` samples a second. `notes` tell people
    what was done to it."""

    kind: str
    array: np.ndarray
    rate: float
    notes: tuple[str, ...]
    credentials: str


def parse(path: Path, kind: str) -> Parsed:
    """Parse anybody's file as this kind. InputRefused."""
    if kind not in KINDS:
        raise InputRefused("there is no such kind of input", help=f"Kinds: {', '.join(KINDS)}.")
    size = path.stat().st_size
    if not 0 < size <= limits.MAX_BYTES:
        raise InputRefused(
            "the file is empty" if not size else f"the file is over {limits.MAX_BYTES >> 20} MiB"
        )
    if kind == "song":
        return _song(path)
    with (
        path.open("rb") as media,
        jail.jailed("byline.generation.inputs.child", media, kind, seconds=_SECONDS[kind]) as pipe,
    ):
        return _received(pipe, kind)


def _received(pipe: IO[bytes], kind: str) -> Parsed:
    try:
        header: dict[str, Any] = json.loads(pipe.readline(_HEADER_BYTES))
        if "error" in header:
            raise InputRefused(f"the file is not taken as a {kind}: {str(header['error'])[:200]}")
        shape = tuple(int(n) for n in header["shape"])
        fps = float(header["fps"])
        notes = tuple(str(note)[:100] for note in header["notes"][:6])
        credentials = str(header["credentials"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputRefused(
            f"the file is not taken as a {kind}: reading it takes too much time or memory"
        ) from error
    if not _within(shape, fps, kind) or credentials not in _CREDENTIALS:
        raise InputRefused("the reader answered beyond its bounds")
    count = int(np.prod(shape))
    data = pipe.read(count)
    if len(data) != count:
        raise InputRefused("the reader was stopped by a resource limit")
    return Parsed(kind, np.frombuffer(data, np.uint8).reshape(shape), fps, notes, credentials)


def _within(shape: tuple[int, ...], fps: float, kind: str) -> bool:
    if kind == "clip":
        return (
            len(shape) == 4
            and shape[3] == 3
            and 2 <= shape[0] <= limits.CLIP_FRAMES + 1
            and all(2 <= side <= limits.CLIP_SIDE + 2 for side in shape[1:3])
            and 1 <= fps <= limits.CLIP_FPS
        )
    wanted = 2 if kind == "mask" else 3
    flat = len(shape) == wanted and (kind == "mask" or shape[2] == 3)
    return flat and all(limits.SMALLEST_SIDE <= side <= limits.STILL_SIDE for side in shape[:2])


def _song(path: Path) -> Parsed:
    try:
        media = decode_untrusted(path, max_bytes=limits.MAX_BYTES)
    except Unreadable as error:
        raise InputRefused(f"the file is not taken as a song: {error}") from error
    if media.samples is None or not media.samples.size:
        raise InputRefused("there is no sound in the file")
    samples = np.clip(media.samples[: int(limits.SONG_SECONDS * media.rate)], -1, 1)
    if len(samples) < limits.SHORTEST_SONG * media.rate:
        raise InputRefused(f"the song is shorter than {limits.SHORTEST_SONG:g} s")
    if float(np.abs(samples).max()) < limits.SILENT:
        raise InputRefused("the song is silent")
    notes = []
    kept = len(samples) / media.rate
    if media.duration > kept + 1:
        notes.append(f"the first {kept:.0f} s of {media.duration:.0f} s are kept")
    clipped = float((np.abs(samples) >= limits.CLIPPED).mean())
    if clipped > limits.MUCH_CLIPPED:
        notes.append(f"{clipped:.0%} of the samples are at full scale: it is clipped and will sound so")
    return Parsed("song", samples.astype(np.float32), float(media.rate), tuple(notes), "none")
