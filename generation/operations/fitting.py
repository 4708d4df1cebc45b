"""The editor's material in the size and speed of the engine, and what was made back in its own.

An engine has one canvas and one length. Material is laid into the canvas whole (`whole`, with its edges
drawn out) or fills it (`filling`, with the rest cut off), and is never stretched. Results have the shape
of the material and at most MAX_SIDE pixels on a side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.compose.interpolation import Shot, enlarge
from byline.generation.engines.base import EngineInfo

MAX_SIDE = 1280
MAX_BYTES = 400 * 2**20  # of one result in memory
MIN_SIDE = 16


@dataclass(frozen=True)
class View:
    """`canvas`: the engine's (width, height). `inner`: (left, top, width, height) of the material in it.
    `cut`: the part of the material that is used, in its own pixels. `size`: (width, height) of results."""

    canvas: tuple[int, int]
    inner: tuple[int, int, int, int]
    cut: tuple[int, int, int, int]
    size: tuple[int, int]

    def material(self, frames: np.ndarray) -> np.ndarray:
        """The used part of (T, h, w, 3) in the size of results."""
        left, top, width, height = self.cut
        return np.stack(
            [resized(frame[top : top + height, left : left + width], self.size) for frame in frames]
        )

    def to_engine(self, frames: np.ndarray) -> np.ndarray:
        """(T, h, w, 3) or masks (T, h, w) in the size of results, laid into the canvas."""
        return np.stack([self._laid(frame) for frame in frames])

    def _laid(self, frame: np.ndarray) -> np.ndarray:
        left, top, width, height = self.inner
        small = resized(frame, (width, height))
        right, bottom = self.canvas[0] - left - width, self.canvas[1] - top - height
        if not (left or top or right or bottom):
            return small
        return np.asarray(cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REPLICATE))

    def from_engine(self, frame: np.ndarray) -> np.ndarray:
        """One frame of the engine in the size of results."""
        return enlarge(self.visible(frame[None])[0], self.size)

    def visible(self, frames: np.ndarray) -> np.ndarray:
        """(T, h, w, 3) of the engine without the drawn-out edges, in the engine's pixels."""
        left, top, width, height = self.inner
        return np.ascontiguousarray(frames[:, top : top + height, left : left + width])


def whole(frame: np.ndarray, info: EngineInfo, frames: int) -> View:
    """All of the material is seen, in the middle of the canvas. `frames`: how many results have."""
    height, width = _checked(frame)
    canvas = (info.width, info.height)
    scale = min(canvas[0] / width, canvas[1] / height)
    inner_w, inner_h = (
        max(2, min(side, round(s * scale))) for side, s in zip(canvas, (width, height), strict=True)
    )
    inner = ((canvas[0] - inner_w) // 2, (canvas[1] - inner_h) // 2, inner_w, inner_h)
    return View(canvas, inner, (0, 0, width, height), _bounded(width, height, frames))


def filling(frame: np.ndarray, info: EngineInfo, frames: int) -> View:
    """The canvas is filled from the middle of the material; what hangs over is cut off."""
    height, width = _checked(frame)
    wanted = info.width / info.height
    used_w, used_h = min(width, round(height * wanted)), min(height, round(width / wanted))
    cut = ((width - used_w) // 2, (height - used_h) // 2, used_w, used_h)
    scale = max(1.0, min(used_w, MAX_SIDE) / info.width)
    scale = min(scale, (MAX_BYTES / (3 * max(1, frames) * info.width * info.height)) ** 0.5)
    scale = max(1.0, scale)
    size = (round(info.width * scale), round(info.height * scale))
    return View((info.width, info.height), (0, 0, info.width, info.height), cut, size)


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scaled to (width, height): means of areas when it gets smaller, cubic when it gets larger."""
    if picture.shape[:2] == (size[1], size[0]):
        return picture.copy()
    smaller = size[0] < picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how))


def cover(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture, scaled to fill (width, height)."""
    height, width = _checked(picture)
    scale = max(size[0] / width, size[1] / height)
    wide, tall = min(width, round(size[0] / scale)), min(height, round(size[1] / scale))
    left, top = (width - wide) // 2, (height - tall) // 2
    return resized(picture[top : top + tall, left : left + wide], size)


def clip_of(frames: np.ndarray | None, fps: float, seconds: float) -> np.ndarray:
    """The clip, checked. InvalidInput for something else, no speed, or more than `seconds` of it."""
    if (
        frames is None
        or frames.ndim != 4
        or frames.dtype != np.uint8
        or frames.shape[3] != 3
        or not len(frames)
    ):
        raise InvalidInput("the clip holds no frames of eight bits", help="Send a clip that plays.")
    _checked(frames[0])
    if not 1 <= fps <= 240:
        raise InvalidInput("the clip's frames per second are missing", help="1 to 240 can be read.")
    if len(frames) / fps > seconds:
        raise InvalidInput(
            f"the clip lasts {len(frames) / fps:.1f} s, at most {seconds:g} s can be worked on",
            help="Trim it first.",
        )
    return frames


def sampled(frames: np.ndarray, fps: float, wanted_fps: float) -> np.ndarray:
    """The frames that are shown at the times of another speed."""
    count = max(1, round(len(frames) * wanted_fps / fps))
    return frames[np.minimum(np.round(np.arange(count) * fps / wanted_fps).astype(int), len(frames) - 1)]


def retimed(frames: np.ndarray, count: int, size: tuple[int, int]) -> np.ndarray:
    """`count` pictures of (width, height) over the same time, moved along the flow between frames."""
    shot = Shot(frames, size)
    places = np.linspace(0, len(frames) - 1, count) if count > 1 else np.zeros(1)
    return np.stack([shot.at(float(place)) for place in places])


def windows(total: int, length: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Start and end of the windows that cover `total` frames, `length` long, at least `overlap` shared.
    The last one ends with the clip; a clip shorter than a window is one window."""
    start = 0
    while True:
        end = min(start + length, total)
        start = max(0, end - length)
        yield start, end
        if end == total:
            return
        start = end - overlap


def padded(frames: np.ndarray, length: int) -> np.ndarray:
    """The frames, then the same backwards and so on, until there are `length`."""
    if len(frames) >= length:
        return frames[:length]
    there_and_back = np.concatenate([frames, frames[-2:0:-1]]) if len(frames) > 1 else frames
    return np.concatenate([there_and_back] * -(-length // len(there_and_back)))[:length]


def _checked(frame: np.ndarray) -> tuple[int, int]:
    if frame.ndim != 3 or frame.dtype != np.uint8 or frame.shape[2] != 3 or min(frame.shape[:2]) < MIN_SIDE:
        raise InvalidInput(
            "the picture is no RGB picture of eight bits", help=f"At least {MIN_SIDE} pixels on each side."
        )
    return frame.shape[0], frame.shape[1]


def _bounded(width: int, height: int, frames: int) -> tuple[int, int]:
    scale = min(1.0, MAX_SIDE / max(width, height))
    scale = min(scale, (MAX_BYTES / (3 * max(1, frames) * width * height)) ** 0.5)
    return max(2, round(width * scale)), max(2, round(height * scale))
