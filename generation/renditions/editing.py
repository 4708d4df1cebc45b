"""Parts of a finished clip in a new order: which shots they are of, and the sound that goes with them.

A part is [from, to] in seconds of the master, between its cards. Narration is cut where the pictures are;
words that a cut would tear are not in the captions. Music and effects are made again for the new length.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation import compose
from byline.generation.brands import Brand
from byline.generation.voices.base import Word

MOST_PARTS, SHORTEST_S = 50, 0.5
_FADE_S = 0.008  # at each cut of the sound, so that none clicks
_EPS = 1e-6
Part = tuple[float, float]


class BadEdit(InvalidInput):
    code = "bad_edit"
    help = (
        f"Give 1 to {MOST_PARTS} parts [from, to] of the clip, in seconds, each {SHORTEST_S:g} s or longer."
    )


@dataclass(frozen=True)
class Layout:
    """When each shot of the master is seen, (start, end) in seconds; `until` is where its pictures end."""

    shots: tuple[Part, ...]
    until: float


@dataclass(frozen=True)
class Piece:
    """A stretch of one shot: from share `first` to share `last` of it, seen for `seconds`."""

    shot: int
    first: float
    last: float
    seconds: float


def parse(parts: Sequence[Any], *, until: float) -> list[Part]:
    """The parts, checked against a clip whose pictures end at `until`. BadEdit."""
    found: list[Part] = []
    if not isinstance(parts, Sequence) or isinstance(parts, str) or len(parts) > MOST_PARTS:
        raise BadEdit("The parts of an edit are a list.")
    for part in parts:
        numbers = isinstance(part, Sequence) and not isinstance(part, str) and len(part) == 2
        if not numbers or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in part):
            raise BadEdit("A part of an edit is two numbers, from and to.")
        start, end = float(part[0]), float(part[1])
        if not (math.isfinite(start) and math.isfinite(end)) or not 0 <= start < end <= until + 0.05:
            raise BadEdit(f"A part lies outside of the clip's {until:.2f} s of pictures.")
        if end - start < SHORTEST_S:
            raise BadEdit(f"A part is shorter than {SHORTEST_S:g} s.")
        found.append((start, min(end, until)))
    return found


def pieces(layout: Layout, parts: Sequence[Part]) -> list[Piece]:
    """The stretches of shots that the parts show, in order. Where two shots overlap, the later one counts."""
    starts = [start for start, _ in layout.shots]
    ends = [*starts[1:], layout.until]
    found = []
    for start, end in parts:
        for number, (opens, closes) in enumerate(zip(starts, ends, strict=True)):
            low, high = max(start, opens), min(end, closes)
            if high - low <= _EPS:
                continue
            begin, stop = layout.shots[number]
            length = max(stop - begin, _EPS)
            found.append(Piece(number, (low - begin) / length, min(1.0, (high - begin) / length), high - low))
    return found


def seconds(layout: Layout, parts: Sequence[Part], brand: Brand) -> float:
    """How long the edited clip is, with the brand's closing card."""
    return compose.film_seconds([piece.seconds for piece in pieces(layout, parts)], brand)


def cut_track(samples: np.ndarray, rate: int, parts: Sequence[Part], whole: float) -> np.ndarray:
    """The parts of a sound, one after the other, then silence up to `whole` seconds."""
    track = np.zeros(round(whole * rate), np.float32)
    at, edge = 0.0, max(1, round(_FADE_S * rate))
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    for start, end in parts:
        piece = samples[round(start * rate) : round(end * rate)].copy()
        if len(piece) >= 2 * edge:
            piece[:edge] *= ramp
            piece[-edge:] *= ramp[::-1]
        first = round(at * rate)
        piece = piece[: max(0, len(track) - first)]
        track[first : first + len(piece)] = piece
        at += end - start
    return track


def cut_words(words: Sequence[Word], parts: Sequence[Part]) -> tuple[Word, ...]:
    """The words that are whole in a part, at their new times."""
    offsets = itertools.accumulate((end - start for start, end in parts), initial=0.0)
    found = []
    for (start, end), offset in zip(parts, offsets, strict=False):
        for word in words:
            if word.start >= start - _EPS and word.end <= end + _EPS:
                found.append(Word(word.text, word.start - start + offset, word.end - start + offset))
    return tuple(found)


def told(layout: Layout, parts: Sequence[Part]) -> list[dict[str, str]]:
    """The edit as fields of a manifest's Operations: what was cut away, and whether the order is another."""
    if not parts:
        return []
    found = []
    spans = ", ".join(f"{start:g}-{end:g} s" for start, end in parts)
    if sum(end - start for start, end in parts) < layout.until - 0.05:
        text = f"kept {spans} of {layout.until:.2f} s"
        found.append({"action": "c2pa.trimmed", "description": text, "source_type": "humanEdits"})
    if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(parts)):
        found.append(
            {"action": "c2pa.edited", "description": f"put in the order {spans}", "source_type": "humanEdits"}
        )
    return found
