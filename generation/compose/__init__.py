"""From the engine's small shots to the finished picture: 1280x720 at 24 frames a second, branded.

The shots are played in order, each once and whole, at the one speed that fills the time, and joined
by the transition that was asked for, between the brand's opening and closing cards. Over them lie the
brand, the title, the captions and, on every single frame including the cards, the label that says the
clip is generated, with what the law of some places adds to it (notices.py). One frame at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.brands import Brand
from byline.generation.captions import Cue
from byline.generation.compose import notices, overlays
from byline.generation.compose.interpolation import Shot
from byline.generation.compose.transitions import Transition, cross_fade

LABEL = "AI-generated"
_CROSS_FADE_S = 0.35  # to and from the cards
_USUAL = Transition()
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
    transition: Transition = _USUAL,
    say: Sequence[notices.Notice] = (),
    prepare: Callable[[np.ndarray], np.ndarray] | None = None,
    scale: int = 1,
) -> Iterator[np.ndarray]:
    """Yield exactly `frame_count(seconds, fps)` fresh RGB frames, uint8 (height, width, 3).

    `shots`: (T, h, w, 3) uint8 each, recorded at `shot_fps`, which sets their share of the time, unless
    `lengths` gives the seconds of each: a shot then begins when those before it are over, and the brand's
    opening card is left out. `say` are further notices; `prepare` enhances a key frame, which then is `scale`
    times as wide. NothingToCompose for unusable shots or seconds, TransitionTooLong, UndrawableText when
    no font has the title's script. All are raised here, before the first frame.
    """
    if not shots or not _SHORTEST_S <= seconds <= _LONGEST_S or shot_fps <= 0 or not label.strip():
        raise NothingToCompose(f"{len(shots)} shots for {seconds:g} seconds")
    for shot in shots:
        if shot.ndim != 4 or shot.shape[3] != 3 or shot.dtype != np.uint8 or 0 in shot.shape:
            raise NothingToCompose(f"a shot is {shot.dtype} {shot.shape}")
    end_s = brand.end_seconds if seconds >= 2 * brand.end_seconds + 1 else 0.0
    intro_s = brand.intro_seconds if not lengths and seconds - end_s >= brand.intro_seconds + 1 else 0.0
    cards = _Cards(
        overlays.intro_card(brand, size) if intro_s else None,
        overlays.end_card(brand, size) if end_s else None,
        intro_s,
        seconds - end_s,
    )
    start = max(0.0, intro_s - _CROSS_FADE_S)
    whole = cards.until + (_CROSS_FADE_S if end_s else 0.0) - start

    def shot_of(frames: np.ndarray) -> Shot:
        return Shot(frames, _working_size(frames, size, scale), prepare)

    if lengths:
        placed = _timed(shots, lengths, whole, transition, shot_of)
    else:
        placed = _place(shots, shot_fps, start, whole, transition, shot_of)
    notice = overlays.label(label, brand, size)
    layers = [
        overlays.colour_bar(brand, size),
        overlays.bug(brand, size, room=notice.x - 2 * (size[0] - notice.x - notice.colour.shape[1])),
        overlays.title(title, brand, size, start=intro_s, end=cards.until),
    ]
    further = notices.layers(say, brand, size, seconds=seconds, below=notice)
    over_all = [*overlays.burned(captions, brand, size), notice, *further]
    scene = [layer for layer in layers if layer is not None]
    look = _Look(placed, scene, cards, over_all, size, transition, brand.primary)
    return (look.at(number / fps) for number in range(frame_count(seconds, fps)))


def film_seconds(lengths: Sequence[float], brand: Brand) -> float:
    """How long a clip is whose shots have these `lengths`, with the brand's end card if there is time."""
    shown = sum(lengths)
    return round(shown + (brand.end_seconds if shown >= brand.end_seconds + 1 else 0.0), 3)


def frame_count(seconds: float, fps: int = 24) -> int:
    """How many frames a clip of `seconds` has."""
    return round(seconds * fps)


def _place(
    shots: Sequence[np.ndarray],
    shot_fps: float,
    start: float,
    seconds: float,
    transition: Transition,
    shot_of: Callable[[np.ndarray], Shot],
) -> list[_Placed]:
    lengths = np.array([len(shot) / shot_fps for shot in shots])
    overlap = transition.overlap(seconds / len(shots)) if len(shots) > 1 else 0.0
    lengths *= (seconds + overlap * (len(shots) - 1)) / lengths.sum()
    placed = []
    for shot, length in zip(shots, lengths, strict=True):
        placed.append(_Placed(shot_of(shot), len(shot), start, start + float(length)))
        start += float(length) - overlap
    return placed


def _timed(
    shots: Sequence[np.ndarray],
    lengths: Sequence[float],
    seconds: float,
    transition: Transition,
    shot_of: Callable[[np.ndarray], Shot],
) -> list[_Placed]:
    """Each shot at its own time; it gives way to the next one while that begins."""
    overlap = transition.overlap(min(lengths))
    placed, start = [], 0.0
    for shot, length in zip(shots, lengths, strict=True):
        placed.append(_Placed(shot_of(shot), len(shot), start, start + length + overlap))
        start += length
    placed[-1] = replace(placed[-1], end=max(placed[-1].end, seconds))
    return placed


def _working_size(shot: np.ndarray, size: tuple[int, int], scale: int) -> tuple[int, int]:
    width = size[0] if scale > 1 else min(size[0], max(_WORKING_WIDTH, shot.shape[2]))
    return width, round(width * size[1] / size[0])


@dataclass(frozen=True)
class _Cards:
    """The opening card is seen to `since` seconds, the closing one from `until`; each may be None."""

    opening: np.ndarray | None
    closing: np.ndarray | None
    since: float
    until: float


@dataclass(frozen=True)
class _Look:
    """All that a frame is made of."""

    placed: list[_Placed]
    scene: list[overlays.Layer]
    cards: _Cards
    over_all: list[overlays.Layer]
    size: tuple[int, int]
    transition: Transition
    colour: tuple[int, int, int]

    def at(self, time: float) -> np.ndarray:
        """A fresh frame at `time` seconds of the clip."""
        frame = self._between_cards(time)
        for layer in self.over_all:
            layer.draw(frame, time)
        return frame

    def _between_cards(self, time: float) -> np.ndarray:
        cards = self.cards
        ending = (time - cards.until) / _CROSS_FADE_S if cards.closing is not None else -1.0
        opening = (cards.since - time) / _CROSS_FADE_S if cards.opening is not None else -1.0
        if cards.closing is not None and ending >= 1:
            return cards.closing.copy()
        if cards.opening is not None and opening >= 1:
            return cards.opening.copy()
        frame = self._picture(time)
        for layer in self.scene:
            layer.draw(frame, time)
        if cards.closing is not None and ending > 0:
            frame = cross_fade(frame, cards.closing, ending)
        if cards.opening is not None and opening > 0:
            frame = cross_fade(frame, cards.opening, opening)
        return frame

    def _picture(self, time: float) -> np.ndarray:
        """The shot at `time`, or two of them in their transition, at full size."""
        shown = [item for item in self.placed if item.start <= time < item.end] or [self.placed[-1]]
        picture = shown[0].at(time)
        if len(shown) > 1:
            share = (time - shown[1].start) / max(1e-6, shown[0].end - shown[1].start)
            other = shown[1].at(time)
            if other.shape != picture.shape:
                other = cv2.resize(other, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            picture = self.transition.mixed(picture, other, share, self.colour)
        if picture.shape[1::-1] != self.size:
            picture = cv2.resize(picture, self.size, interpolation=cv2.INTER_CUBIC)
        return picture
