"""From the engine's small shots to the finished picture: 1280x720 at 24 frames a second, branded.

The shots are played in order, each once and whole, at the one speed that fills the time, and joined
by short cross-fades. Over them lie the brand, the title, the captions and, on every single frame
including the end card, the label that says the clip is generated. Frames are made one at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.brands import Brand
from byline.generation.captions import Cue
from byline.generation.compose import overlays
from byline.generation.compose.interpolation import Shot

LABEL = "AI-generated"
_CROSS_FADE_S = 0.35
_WORKING_WIDTH = 640  # shots are moved at this size (or their own, if larger) and doubled last
_SHORTEST_S, _LONGEST_S = 0.5, 600.0


class NothingToCompose(InvalidInput):
    code = "nothing_to_compose"
    help = "Give at least one shot of uint8 frames (T, h, w, 3) and between 0.5 and 600 seconds."


@dataclass(frozen=True)
class _Placed:
    """A shot in time: it covers `start` to `end` seconds and holds `frames` key frames."""

    shot: Shot
    frames: int
    start: float
    end: float

    def at(self, time: float) -> np.ndarray:
        share = min(1.0, max(0.0, (time - self.start) / (self.end - self.start)))
        return self.shot.at(share * (self.frames - 1))


def compose(
    shots: Sequence[np.ndarray],
    shot_fps: float,
    *,
    brand: Brand,
    title: str,
    captions: Sequence[Cue],
    seconds: float,
    label: str = LABEL,
    size: tuple[int, int] = (1280, 720),
    fps: int = 24,
    lengths: Sequence[float] = (),
) -> Iterator[np.ndarray]:
    """Yield exactly `frame_count(seconds, fps)` fresh RGB frames, uint8 (height, width, 3).

    `shots`: (T, h, w, 3) uint8 each, recorded at `shot_fps`, which sets their share of the time, unless
    `lengths` gives the seconds of each: a shot then begins when those before it are over.
    NothingToCompose for unusable shots or seconds; UndrawableText when the brand's font lacks the
    title's script. Both are raised here, before the first frame.
    """
    if not shots or not _SHORTEST_S <= seconds <= _LONGEST_S or shot_fps <= 0 or not label.strip():
        raise NothingToCompose(f"{len(shots)} shots for {seconds:g} seconds")
    for shot in shots:
        if shot.ndim != 4 or shot.shape[3] != 3 or shot.dtype != np.uint8 or 0 in shot.shape:
            raise NothingToCompose(f"a shot is {shot.dtype} {shot.shape}")
    end_s = brand.end_seconds if seconds >= 2 * brand.end_seconds + 1 else 0.0
    picture_s = seconds - end_s
    whole = picture_s + (_CROSS_FADE_S if end_s else 0.0)
    placed = _timed(shots, lengths, whole, size) if lengths else _place(shots, shot_fps, whole, size)
    notice = overlays.label(label, brand, size)
    layers = [
        overlays.colour_bar(brand, size),
        overlays.bug(brand, size, room=notice.x - 2 * (size[0] - notice.x - notice.colour.shape[1])),
        overlays.title(title, brand, size, end=picture_s),
    ]
    closing = overlays.end_card(brand, size) if end_s else None
    over_all = [*overlays.burned(captions, brand, size), notice]
    scene = [layer for layer in layers if layer is not None]
    return _frames(placed, scene, closing, picture_s, over_all, size, fps, frame_count(seconds, fps))


def film_seconds(lengths: Sequence[float], brand: Brand) -> float:
    """How long a clip is whose shots have these `lengths`, with the brand's end card if there is time."""
    shown = sum(lengths)
    return shown + (brand.end_seconds if shown >= brand.end_seconds + 1 else 0.0)


def frame_count(seconds: float, fps: int = 24) -> int:
    """How many frames a clip of `seconds` has."""
    return round(seconds * fps)


def _place(
    shots: Sequence[np.ndarray], shot_fps: float, seconds: float, size: tuple[int, int]
) -> list[_Placed]:
    lengths = np.array([len(shot) / shot_fps for shot in shots])
    overlap = min(_CROSS_FADE_S, seconds / (3 * len(shots)))
    lengths *= (seconds + overlap * (len(shots) - 1)) / lengths.sum()
    placed, start = [], 0.0
    for shot, length in zip(shots, lengths, strict=True):
        placed.append(_Placed(Shot(shot, _working_size(shot, size)), len(shot), start, start + float(length)))
        start += float(length) - overlap
    return placed


def _timed(
    shots: Sequence[np.ndarray], lengths: Sequence[float], seconds: float, size: tuple[int, int]
) -> list[_Placed]:
    """Each shot at its own time; it fades into the next one while that begins."""
    overlap = min(_CROSS_FADE_S, min(lengths) / 3)
    placed, start = [], 0.0
    for shot, length in zip(shots, lengths, strict=True):
        end = start + length + overlap
        placed.append(_Placed(Shot(shot, _working_size(shot, size)), len(shot), start, end))
        start += length
    placed[-1] = replace(placed[-1], end=max(placed[-1].end, seconds))
    return placed


def _working_size(shot: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
    width = min(size[0], max(_WORKING_WIDTH, shot.shape[2]))
    return width, round(width * size[1] / size[0])


def _frames(
    placed: list[_Placed],
    scene: list[overlays.Layer],
    closing: np.ndarray | None,
    picture_s: float,
    over_all: list[overlays.Layer],
    size: tuple[int, int],
    fps: int,
    count: int,
) -> Iterator[np.ndarray]:
    for number in range(count):
        time = number / fps
        ending = (time - picture_s) / _CROSS_FADE_S if closing is not None else -1.0
        if closing is not None and ending >= 1:
            frame = closing.copy()
        else:
            frame = _picture(placed, time, size)
            for layer in scene:
                layer.draw(frame, time)
            if closing is not None and ending > 0:
                frame = overlays.cross_fade(frame, closing, ending)
        for layer in over_all:
            layer.draw(frame, time)
        yield frame


def _picture(placed: list[_Placed], time: float, size: tuple[int, int]) -> np.ndarray:
    """The shot at `time`, or two of them in their cross-fade, at full size."""
    shown = [item for item in placed if item.start <= time < item.end] or [placed[-1]]
    picture = shown[0].at(time)
    if len(shown) > 1:
        share = (time - shown[1].start) / max(1e-6, shown[0].end - shown[1].start)
        other = shown[1].at(time)
        if other.shape != picture.shape:
            other = cv2.resize(other, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        picture = overlays.cross_fade(picture, other, share)
    if picture.shape[1::-1] != size:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    return picture
