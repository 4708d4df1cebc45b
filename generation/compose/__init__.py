"""From the engine's small shots to the finished picture: 1280x720 at 24 frames a second, branded.

The shots are played in order, each once and whole, at the one speed that fills the time, and joined
by the transition that was asked for, between the brand's opening and closing cards. Over them lie the
brand, the title, the captions and, on every single frame including the cards, the label that says the
clip is generated, with what the law of some places adds to it (notices.py). One frame at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
    """A shot in time: it covers `start` to `end` seconds and holds `frames` key frames, of which the share
    from `first` to `last` is seen."""

    shot: Shot
    frames: int
    start: float
    end: float
    first: float = 0.0
    last: float = 1.0

    def at(self, time: float) -> np.ndarray:
        share = min(1.0, max(0.0, (time - self.start) / (self.end - self.start)))
        return self.shot.at((self.first + share * (self.last - self.first)) * (self.frames - 1))


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
    spans: Sequence[tuple[float, float]] = (),
    transition: Transition = _USUAL,
    say: Sequence[notices.Notice] = (),
    prepare: Callable[[np.ndarray], np.ndarray] | None = None,
    scale: int = 1,
) -> Iterator[np.ndarray]:
    """Yield exactly `frame_count(seconds, fps)` fresh RGB frames, uint8 (height, width, 3).

    `shots`: (T, h, w, 3) uint8 each, recorded at `shot_fps`, which sets their share of the time, unless
    `lengths` gives the seconds of each: a shot then begins when those before it are over, and the brand's
    opening card is left out; `spans` then may give the share of each shot that is seen. `say` are further
    notices; `prepare` enhances a key frame, which then is `scale` times as wide. NothingToCompose for
    unusable shots or seconds, TransitionTooLong, UndrawableText when no font has the title's script. All
    are raised here, before the first frame.
    """
    if not shots or not _SHORTEST_S <= seconds <= _LONGEST_S or shot_fps <= 0 or not label.strip():
        raise NothingToCompose(f"{len(shots)} shots for {seconds:g} seconds")
    for shot in shots:
        if shot.ndim != 4 or shot.shape[3] != 3 or shot.dtype != np.uint8 or 0 in shot.shape:
            raise NothingToCompose(f"a shot is {shot.dtype} {shot.shape}")
    since, until = _shown(seconds, brand, filmed=bool(lengths))
    cards = _Cards(
        overlays.intro_card(brand, size) if since else None,
        overlays.end_card(brand, size) if until < seconds else None,
        since,
        until,
    )
    placed = [
        _Placed(Shot(shot, _working_size(shot, size, scale), prepare), len(shot), *when, *span)
        for shot, when, span in zip(
            shots,
            timeline([len(shot) / shot_fps for shot in shots], brand, seconds, lengths, transition),
            spans or [(0.0, 1.0)] * len(shots),
            strict=True,
        )
    ]
    notice = overlays.label(label, brand, size)
    layers = [
        overlays.colour_bar(brand, size),
        overlays.bug(brand, size, room=notice.x - 2 * (size[0] - notice.x - notice.colour.shape[1])),
        overlays.title(title, brand, size, start=since, end=until),
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


def pictures_until(seconds: float, brand: Brand) -> float:
    """Where the pictures of a clip of `seconds` end and its closing card begins."""
    return _shown(seconds, brand, filmed=True)[1]


def continuous_seconds(seconds: float, brand: Brand) -> float:
    """How much of one shot a clip of `seconds` shows at the shot's own speed, the closing fade included."""
    until = pictures_until(seconds, brand)
    return until + (_CROSS_FADE_S if until < seconds else 0.0)


def clip_seconds(continuous: float, brand: Brand) -> float:
    """How long a clip is that shows one shot of `continuous` seconds at its own speed."""
    before_card = continuous - _CROSS_FADE_S
    closes = brand.end_seconds > 0 and before_card >= brand.end_seconds + 1
    return round(before_card + brand.end_seconds if closes else continuous, 3)


def _shown(seconds: float, brand: Brand, *, filmed: bool) -> tuple[float, float]:
    """From when to when there are pictures: between the cards that there is time for."""
    end = brand.end_seconds if seconds >= 2 * brand.end_seconds + 1 else 0.0
    intro = brand.intro_seconds if not filmed and seconds - end >= brand.intro_seconds + 1 else 0.0
    return intro, seconds - end


def timeline(
    own: Sequence[float],
    brand: Brand,
    seconds: float,
    lengths: Sequence[float] = (),
    transition: Transition = _USUAL,
) -> list[tuple[float, float]]:
    """When each shot is seen in a clip of `seconds`: (start, end), neighbours overlapping by the transition.
    `own` are the shots' seconds as they were recorded, `lengths` those that are asked for, if any."""
    since, until = _shown(seconds, brand, filmed=bool(lengths))
    start = max(0.0, since - _CROSS_FADE_S)
    whole = until + (_CROSS_FADE_S if until < seconds else 0.0) - start
    if lengths:
        overlap = transition.overlap(min(lengths)) if len(lengths) > 1 else 0.0
        shown = [length + overlap for length in lengths]
    else:
        overlap = transition.overlap(whole / len(own)) if len(own) > 1 else 0.0
        scale = (whole + overlap * (len(own) - 1)) / sum(own)
        shown = [length * scale for length in own]
    found = []
    for length in shown:
        found.append((start, start + length))
        start += length - overlap
    if lengths:
        found[-1] = found[-1][0], max(found[-1][1], whole)
    return found


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
