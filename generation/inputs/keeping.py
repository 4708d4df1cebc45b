"""What is kept of an upload: its pixels or samples alone, sealed, below `$BYLINE_HOME/inputs`.

Lossless: PNG for stills, H.264 RGB without quantisation for clips, 16-bit WAV for songs. These files are
of our own making and authenticated when they are opened, so they are read in this process.
"""

import contextlib
import io
import time
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from byline.audit.base import conf
from byline.generation import sealed

_ORPHAN_AGE_S = 3600.0
Content = tuple[np.ndarray, float]  # as Parsed.array and Parsed.rate


def write(row_id: UUID, kind: str, array: np.ndarray, rate: float) -> None:
    """Seal the content of one input under its id."""
    data = {"clip": _clip, "song": _song}.get(kind, _still)(array, rate)
    sealed.write(_place(row_id), data, _label(row_id, kind))


def read(row_id: UUID, kind: str) -> Content:
    """The content, as it was parsed. SealBroken when it is gone or was changed."""
    data = sealed.read(_place(row_id), _label(row_id, kind))
    if kind == "clip":
        return _frames(data)
    if kind == "song":
        with wave.open(io.BytesIO(data)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return samples.astype(np.float32) / 32767, float(file.getframerate())
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data))), 0.0


def forget(row_id: UUID) -> bool:
    """Remove it for good; whether there was one."""
    return sealed.forget(_place(row_id))


def settled() -> set[UUID]:
    """Ids of what is kept and an hour old or more: whoever wrote one has written its row by now."""
    found = set()
    for place in (conf.home() / "inputs").glob("*.sealed"):
        with contextlib.suppress(ValueError, FileNotFoundError):  # no id of ours, or forgotten just now
            if time.time() - place.stat().st_mtime > _ORPHAN_AGE_S:
                found.add(UUID(place.stem))
    return found


def _place(row_id: UUID) -> Path:
    return conf.home() / "inputs" / f"{UUID(str(row_id))}.sealed"


def _label(row_id: UUID, kind: str) -> bytes:
    return f"byline input v1 {kind} {UUID(str(row_id))}".encode()


def _still(array: np.ndarray, rate: float) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(array).save(target, "PNG", compress_level=3)
    return target.getvalue()


def _song(samples: np.ndarray, rate: float) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(rate))
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
    return target.getvalue()


def _clip(frames: np.ndarray, rate: float) -> bytes:
    import av

    target = io.BytesIO()
    speed = Fraction(rate).limit_denominator(1001)
    with av.open(target, "w", format="matroska") as container:
        stream: Any = container.add_stream("libx264rgb", rate=speed)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "rgb24"
        stream.options = {"qp": "0", "preset": "ultrafast"}
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, 1 / speed
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def _frames(data: bytes) -> Content:
    import av

    container: Any
    with av.open(io.BytesIO(data), format="matroska") as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 0)
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]), rate
