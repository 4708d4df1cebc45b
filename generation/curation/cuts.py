"""Where the shots of a recording end: PySceneDetect's detectors at three frame rates, one after the other.

A hard cut shows between two neighbouring frames, a slow fade only between frames that lie apart. So the
same content detector runs on every frame, on four frames a second and on one a second, with a threshold for
each. What lies apart also differs where the camera moves; a slow finding therefore counts only when the
frame in the middle is a mixture of the frames at both ends, as in every dissolve and fade through black and
in no pan. A hard finding counts only when the change lasts, so that a flash is no cut. Rates and misses are
measured by bench/curation.py. Leaves out wipes that move faster than a frame in four.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Small = NDArray[np.uint8]  # (h, w, 3) BGR, about 128 px wide
WIDTH = 128


@dataclass(frozen=True)
class Stage:
    """`per_second` 0 is every frame. `threshold` is of the content score, 0 to 255."""

    name: str
    per_second: float
    threshold: float


CASCADE = (
    Stage("every frame", 0.0, 22.0),
    Stage("4 a second", 4.0, 14.0),
    Stage("1 a second", 1.0, 14.0),
)
_LASTS = 3  # frames before and after a cut or fade between which it must still be seen
_UNMIXED = 0.2  # share of the middle frame's detail that a mixture of both ends must not leave over
_OFF = 0.02  # mean square by which it must differ from either end
_REACH = 3  # steps to either side over which a fade may go on
_TAIL = 0.35  # of a stage's threshold: the beginning and the end of a fade change less than its middle


@dataclass(frozen=True)
class Cut:
    """The first shot's last sure frame is `start - 1`, the second's first one is `end`; equal for a
    hard cut. `stage` is who found it."""

    start: int
    end: int
    stage: str


def find(frames: Sequence[Small], fps: float, cascade: Sequence[Stage] = CASCADE) -> tuple[Cut, ...]:
    """The cuts of a recording in order, overlapping ones joined. ImportError without PySceneDetect."""
    found: list[Cut] = []
    for stage in cascade:
        step = max(1, round(fps / stage.per_second)) if stage.per_second else 1
        found += _sharp(frames, stage) if step == 1 else _slow(frames, stage, step)
    return _joined(found)


def _detector(threshold: float) -> Any:
    from scenedetect import ContentDetector

    return ContentDetector(threshold=threshold, min_scene_len=0)


def _fired(frames: Sequence[Small], indexes: Sequence[int], threshold: float) -> list[int]:
    """Positions in `indexes` at which the content detector sees a cut before the frame."""
    from scenedetect import FrameTimecode

    detector = _detector(threshold)
    fired = set()
    for position, index in enumerate(indexes):
        for cut in detector.process_frame(FrameTimecode(position, fps=24.0), frames[index]):
            fired.add(int(cut.frame_num))
    return sorted(position for position in fired if position > 0)


def _differ(one: Small, other: Small, threshold: float) -> bool:
    return bool(_fired([one, other], (0, 1), threshold))


def _sharp(frames: Sequence[Small], stage: Stage) -> list[Cut]:
    cuts = []
    for at in _fired(frames, range(len(frames)), stage.threshold):
        before, after = max(0, at - _LASTS), min(at + _LASTS, len(frames) - 1)
        ends = ((at - 1, after), (before, after))  # a flash changes back; it is seen going and coming
        if all(_differ(frames[a], frames[b], stage.threshold) for a, b in ends):
            cuts.append(Cut(at, at, stage.name))
    return cuts


def _slow(frames: Sequence[Small], stage: Stage, step: int) -> list[Cut]:
    indexes = list(range(0, len(frames), step))
    if indexes[-1] != len(frames) - 1:
        indexes.append(len(frames) - 1)

    def fading(position: int, first: int, last: int, threshold: float) -> bool:
        """Whether the step before `position` belongs to one fade over the frames `first` to `last`."""
        if not 0 < position < len(indexes):
            return False
        ends = frames[indexes[position - 1]], frames[indexes[position]]
        return _differ(*ends, threshold) and _mixed(frames[indexes[first] : indexes[last] + 1])

    cuts = []
    for position in _fired(frames, indexes, stage.threshold):
        first, last = position - 1, position
        if not fading(position, first, last, stage.threshold):
            continue
        for _ in range(_REACH):
            first -= fading(first, first - 1, last, stage.threshold * _TAIL)
            last += fading(last + 1, first, last + 1, stage.threshold * _TAIL)
        lasting = (
            frames[max(0, indexes[first] - _LASTS)],
            frames[min(len(frames) - 1, indexes[last] + _LASTS)],
        )
        if not _differ(*lasting, stage.threshold):
            continue
        spare = step // 2  # its first and last frames change too little to be seen
        cuts.append(
            Cut(max(0, indexes[first] + 1 - spare), min(len(frames), indexes[last] + spare), stage.name)
        )
    return cuts


def _mixed(span: Sequence[Small]) -> bool:
    """Whether the frames in the middle are a weighted sum of the ends, and neither of them: a fade, not a
    movement and not a flash at one end."""
    if len(span) < 3:
        return False
    ends = [span[k][::2, ::2].astype(np.float32).ravel() for k in (0, -1)]
    detail = (ends[0].var() + ends[1].var()) / 2
    if detail < 1:
        return False
    basis = np.stack([*ends, np.ones_like(ends[0])], 1)
    between = False
    for share in (0.33, 0.5, 0.67):
        middle = span[round(share * (len(span) - 1))][::2, ::2].astype(np.float32).ravel()
        weights, *_ = np.linalg.lstsq(basis, middle, rcond=None)
        if (middle - basis @ weights).var() > _UNMIXED * detail:
            return False
        between |= all(((middle - end) ** 2).mean() > _OFF * detail for end in ends)
    return between


def _joined(cuts: Sequence[Cut]) -> tuple[Cut, ...]:
    """In order; cuts that touch are one, named after the first stage that saw it."""
    out: list[Cut] = []
    for cut in sorted(cuts, key=lambda c: (c.start, c.end)):
        if out and cut.start <= out[-1].end + 1:
            stage = out[-1].stage if out[-1].end >= cut.end else cut.stage
            out[-1] = Cut(out[-1].start, max(out[-1].end, cut.end), stage)
        else:
            out.append(cut)
    return tuple(out)
