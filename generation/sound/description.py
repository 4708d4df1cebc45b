"""The audio description: a second sound track that says what is seen, for who does not see it.

It is the whole mix with the descriptions over it, as broadcasters make it, and begins with the spoken
notice that the clip is generated. A description is put into the first pause of the narration that holds
it while its shot is seen; where there is none, it is spoken over the track, which steps back. One that
does not fit before the clip ends is left out, and the record says how many. Always by the installation's
default voice, and never by one that is a real person's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from byline.audit.base.errors import BylineError
from byline.generation.sound import announcing, mixing
from byline.generation.soundtrack import RATE, resample
from byline.generation.voices.base import Speech

_GAP_S = 0.15  # around a description
Speak = Callable[[str], Speech]


class DescriptionUnavailable(BylineError):
    code = "description_unavailable"
    status = 422
    help = "Name a synthetic voice as the default of the setting VOICES, or leave the audio description out."


@dataclass(frozen=True)
class Line:
    """What is seen from `start` to `end` seconds of the clip."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Placed:
    """A description as it is heard: `over` says whether the narration goes on beneath it."""

    start: float
    end: float
    text: str
    over: bool


@dataclass(frozen=True)
class Described:
    """`samples`: float32 mono at RATE, as long as the track it was made from."""

    samples: np.ndarray
    placed: tuple[Placed, ...]
    left_out: int


def describe(
    track: np.ndarray,
    lines: Sequence[Line],
    busy: Sequence[tuple[float, float]],
    notice: Speech,
    speak: Speak,
) -> Described:
    """`track` (float32 mono at RATE) with `notice` and the spoken `lines` over it. `busy`: when narration is
    heard, (start, end) in seconds. What `speak` raises."""
    total = len(track) / RATE
    opening = _sound(notice)
    taken = [(0.0, len(opening) / RATE), *busy]
    sounds, placed, left_out = [(0.0, opening)], [], 0
    free_from = len(opening) / RATE + _GAP_S
    for line in lines:
        sound = _sound(speak(line.text))
        seconds = len(sound) / RATE
        begin = max(line.start, free_from)
        pause = _pause(taken, begin, min(max(line.end, begin), total), seconds)
        start = begin if pause is None else pause
        if start + seconds > total:
            left_out += 1
            continue
        sounds.append((start, sound))
        placed.append(Placed(start, start + seconds, line.text, over=pause is None))
        taken.append((start, start + seconds))
        free_from = start + seconds + _GAP_S
    spans = [(at, at + len(sound) / RATE) for at, sound in sounds]
    mixed = announcing.under(track, RATE, spans) + mixing.placed(sounds, total, RATE)[: len(track)]
    return Described(np.clip(mixed, -1, 1).astype(np.float32), tuple(placed), left_out)


def _sound(speech: Speech) -> np.ndarray:
    return resample(speech.samples, speech.rate, RATE)


def _pause(taken: Sequence[tuple[float, float]], begin: float, end: float, seconds: float) -> float | None:
    """The first moment from `begin` on from which `seconds` are free before `end`."""
    at = begin
    for start, stop in sorted(taken):
        if stop + _GAP_S <= at:
            continue
        if at + seconds + _GAP_S <= start:
            break
        at = max(at, stop + _GAP_S)
    return at if at + seconds <= end else None


def heard(words: Sequence[tuple[str, float, float]], longest: float = 0.6) -> list[tuple[float, float]]:
    """When narration is heard: spoken words joined where less than `longest` seconds lie between them."""
    spans: list[tuple[float, float]] = []
    for _, start, end in words:
        if spans and start - spans[-1][1] < longest:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans
