"""Pictures in time with a song: cuts on its beats, and a picture that breathes with its loudness.

Frames are made at FPS, the speed of finished clips, so that nothing is moved off the beat afterwards. A
pulse is a slow swell of size and a faint one of light: far below what WCAG 2.2 (2.3.1) calls a flash.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import Operation
from byline.generation.operations import beats, fitting
from byline.generation.operations.anchoring import anchored
from byline.generation.operations.base import Inputs, Made
from byline.generation.operations.plain import TEXT_TO_VIDEO
from byline.generation.operations.work import PASSED, Work

FPS = 24.0
LONGEST_S = 120.0
MAX_SOURCES = 16  # different shots of one clip; they come again after that
SHORTEST_CUT_S = 1.0
MAX_CLIP_S = 60.0
ZOOM, LIGHT = 0.06, 0.04  # of a pulse at its loudest
_ATTACK, _RELEASE = 0.6, 0.15  # how fast the pulse rises and falls, share of the way a frame


def music_cuts(work: Work, inputs: Inputs) -> Made:
    """One shot whose pictures change on beats of the song, from its beginning; each is another shot of the
    same words, or of the `references` in turn, or another place of the clip."""
    samples, rate = _song(inputs)
    seconds = _seconds(work, samples, rate)
    found = beats.detect(samples, rate)
    shortest = work.number("cut_min_seconds", SHORTEST_CUT_S, 0.3, 30)
    cuts = np.round(np.array(beats.cut_times(found, seconds, shortest)) * FPS).astype(int)
    total = round(seconds * FPS)
    edges = [0, *sorted({int(cut) for cut in cuts if 0 < cut < total}), total]
    sources = _sources(work, inputs, len(edges) - 1)
    longest = max(b - a for a, b in itertools.pairwise(edges))
    view = fitting.filling(sources[0][0], work.info, total)
    parts = []
    for index, (start, end) in enumerate(itertools.pairwise(edges)):
        work.check_cancelled()
        again, which = divmod(index, len(sources))
        parts.append(_slice(sources[which], longest, end - start, again, view.size))
    facts = {
        "made_by": "model" if inputs.clip is None else "cut of the given clip",
        "tempo": found.tempo,
        "beat_clarity": found.clarity,
        "beats": len(found.times),
        "cuts_s": [round(edge / FPS, 3) for edge in edges[1:-1]],
        "largest_cut_error_frames": round(_errors(edges[1:-1], found), 3),
        "sources": len(sources),
    }
    return Made([np.concatenate(parts)], FPS, facts)


def audio_pulse(work: Work, inputs: Inputs) -> Made:
    """A clip that swells with the loudness of the song."""
    samples, rate = _song(inputs)
    seconds = _seconds(work, samples, rate)
    total = round(seconds * FPS)
    sources = _sources(work, inputs, 1)
    view = fitting.filling(sources[0][0], work.info, total)
    swell = _followed(beats.envelope(samples, rate, FPS, total))
    made = np.empty((total, view.size[1], view.size[0], 3), np.uint8)
    places = np.linspace(0, len(sources[0]) - 1, total)
    shot = fitting.Shot(sources[0], view.size)
    for index, place in enumerate(places):
        work.check_cancelled()
        made[index] = pulsed(shot.at(float(place)), float(swell[index]))
    facts = {
        "made_by": "model" if inputs.clip is None else "given clip",
        "zoom": ZOOM,
        "light": LIGHT,
        "loudness_correlation": round(_correlation(swell, beats.envelope(samples, rate, FPS, total)), 3),
    }
    return Made([made], FPS, facts)


def pulsed(frame: np.ndarray, swell: float) -> np.ndarray:
    """The picture enlarged round its middle and lightened by a swell of 0 to 1."""
    height, width = frame.shape[:2]
    size = 1 + ZOOM * swell
    move = np.array(
        [[size, 0, (1 - size) * (width - 1) / 2], [0, size, (1 - size) * (height - 1) / 2]], np.float32
    )
    larger = cv2.warpAffine(frame, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.convertScaleAbs(larger, alpha=1 + LIGHT * swell))


def _followed(level: np.ndarray) -> np.ndarray:
    """The level with a quick rise and a slow fall, so that the picture does not tremble."""
    held, out = 0.0, np.empty_like(level)
    for index, value in enumerate(level):
        held += (_ATTACK if value > held else _RELEASE) * (value - held)
        out[index] = held
    return out


def _sources(work: Work, inputs: Inputs, wanted: int) -> list[np.ndarray]:
    """What is cut between, each (T, h, w, 3)."""
    if inputs.clip is not None:
        clip = fitting.clip_of(inputs.clip, inputs.clip_fps, MAX_CLIP_S)
        return list(np.array_split(clip, min(wanted, MAX_SOURCES, len(clip))))
    if inputs.references:
        count = min(wanted, len(inputs.references), MAX_SOURCES)
        return [
            _alive(work.part(k, count), picture, k) for k, picture in enumerate(inputs.references[:count])
        ]
    count = min(wanted, MAX_SOURCES)
    return [work.part(k, count).run(shot=k) for k in range(count)]


def _alive(work: Work, picture: np.ndarray, shot: int) -> np.ndarray:
    """A clip that begins with the picture."""
    view = fitting.filling(picture, work.info, work.info.frames)
    given = view.material(picture[None])
    led = {"image": view.to_engine(given)[0]} if work.can(Operation.IMAGE_TO_VIDEO, "image") else {}
    made = np.stack([view.from_engine(frame) for frame in work.run(shot=shot, **led)])
    return anchored(made, given[0])[0]


def _slice(source: np.ndarray, longest: int, count: int, again: int, size: tuple[int, int]) -> np.ndarray:
    """`count` frames of the source at the speed at which the longest slice shows all of it; backwards
    every second time it comes."""
    frames = source[::-1] if again % 2 else source
    shown = max(2, round(len(frames) * count / longest))
    return fitting.retimed(frames[:shown], count, size)


def _song(inputs: Inputs) -> tuple[np.ndarray, int]:
    assert inputs.song is not None
    return inputs.song


def _seconds(work: Work, samples: np.ndarray, rate: int) -> float:
    """As long as asked, the song and LONGEST_S allow."""
    if rate <= 0 or not len(samples):
        raise InvalidInput("the song holds no sound")
    return min(work.brief.seconds, len(samples) / rate, LONGEST_S)


def _errors(cuts: list[int], found: beats.Beats) -> float:
    """The largest distance from a cut to its nearest beat, in frames."""
    times = np.array(found.times) * FPS
    return float(max((np.abs(times - cut).min() for cut in cuts), default=0.0))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.std() < 1e-6 or second.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


MUSIC_CUTS = replace(
    TEXT_TO_VIDEO,
    run=music_cuts,
    says="Pictures that change on the beats of a song.",
    required=("song",),
    optional=("clip", "references"),
    controls=("cut_min_seconds", *PASSED),
    lasts="song",
)
AUDIO_PULSE = replace(
    MUSIC_CUTS,
    run=audio_pulse,
    says="A clip that swells with the loudness of a song.",
    optional=("clip", "references"),
    controls=PASSED,
)
