"""Frames between frames: interpolation of clips and between two pictures, and frames that were lost.

Two ways, named in the facts: "motion" moves the frames on both sides along the optical flow and makes up
nothing; "model" asks the engine, which may invent. Short gaps are moved, long ones are made.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.compose.interpolation import Shot
from byline.generation.engines.base import Operation
from byline.generation.operations import fitting
from byline.generation.operations.anchoring import anchored
from byline.generation.operations.base import COMPOSITE, Inputs, Made, OperationSpec
from byline.generation.operations.continuing import first_last_frame
from byline.generation.operations.measures import continuity
from byline.generation.operations.work import PASSED, Work

MAX_CLIP_S = 60.0
MOTION_GAP_S = 1.0  # up to here moved frames are nearer to the truth; figures in docs/operations.md
METHODS = ("auto", "motion", "model")
MOVED = "algorithmicallyEnhanced"


def interpolate(work: Work, inputs: Inputs) -> Made:
    """A clip with `factor` times its frames in the same time, or a clip between two pictures."""
    if inputs.clip is not None:
        return _more_frames(work, inputs)
    if inputs.first is None or inputs.last is None:
        raise InvalidInput("interpolation needs a clip, or a first and a last picture")
    method = work.choice("method", METHODS)
    if method == "model" or (method == "auto" and work.can(Operation.IMAGE_TO_VIDEO, "image", "last_image")):
        return first_last_frame(work, inputs)
    count = max(2, round(work.brief.seconds * work.info.fps))
    views = [fitting.filling(picture, work.info, count) for picture in (inputs.first, inputs.last)]
    size = min(view.size for view in views)
    ends = np.stack(
        [
            fitting.resized(view.material(picture[None])[0], size)
            for view, picture in zip(views, (inputs.first, inputs.last), strict=True)
        ]
    )
    return Made([fitting.retimed(ends, count, size)], work.info.fps, _moved())


def _more_frames(work: Work, inputs: Inputs) -> Made:
    factor = int(work.number("factor", 2, 2, 8))
    clip = fitting.clip_of(inputs.clip, inputs.clip_fps, MAX_CLIP_S)
    view = fitting.whole(clip[0], work.info, len(clip) * factor)
    own = view.material(clip)
    shot, made = Shot(own, view.size), []
    for index in range(len(own) * factor):
        work.check_cancelled()
        made.append(shot.at(min(index / factor, len(own) - 1)))
        work.progress(index / (len(own) * factor))
    frames = np.stack(made)
    frames[::factor] = own  # what was there is there still
    return Made([frames], inputs.clip_fps * factor, _moved() | {"factor": factor})


def infill(work: Work, inputs: Inputs) -> Made:
    """Frames from `missing_from` to `missing_to` (seconds) made again from what is left on both sides."""
    fps = inputs.clip_fps
    clip = fitting.clip_of(inputs.clip, fps, MAX_CLIP_S)
    start = round(work.number("missing_from", -1, 0, MAX_CLIP_S) * fps)
    end = round(work.number("missing_to", -1, 0, MAX_CLIP_S) * fps)
    if not 0 < start < end < len(clip):
        raise InvalidInput(
            "the gap must lie inside the clip",
            help="missing_from and missing_to are seconds; frames stay on both sides.",
        )
    view = fitting.whole(clip[0], work.info, len(clip))
    own = view.material(clip)
    method = work.choice("method", METHODS)
    if method == "auto":
        fits = work.can(Operation.EDIT, "video", "mask") and _fits(work, (end - start) / fps)
        method = "model" if fits and (end - start) / fps > MOTION_GAP_S else "motion"
    work.check_cancelled()
    if method == "motion":
        own[start:end] = moved(own[start - 1], own[end], end - start)
        facts = _moved()
    else:
        own[start:end] = _invented(work, view, own, start, end, fps)
        facts = {"made_by": "model"}
    facts |= {
        "frames": end - start,
        "continuity": round(
            min(continuity(own[:start], own[start:end]), continuity(own[start:end], own[end:])), 3
        ),
        "regions": [{"name": "infilled frames", "seconds": [round(start / fps, 3), round(end / fps, 3)]}],
    }
    return Made([own], fps, facts)


def moved(before: np.ndarray, after: np.ndarray, count: int) -> np.ndarray:
    """`count` pictures between two, (count, h, w, 3), moved along the flow between them."""
    size = (before.shape[1], before.shape[0])
    return fitting.retimed(np.stack([before, after]), count + 2, size)[1:-1]


def _invented(
    work: Work, view: fitting.View, own: np.ndarray, start: int, end: int, fps: float
) -> np.ndarray:
    """The gap as the model fills it, shown the frames on both sides, at the clip's own speed."""
    gap = max(1, round((end - start) * work.info.fps / fps))
    if not work.can(Operation.EDIT, "video", "mask") or not _fits(work, (end - start) / fps):
        raise InvalidInput(
            f"{work.info.name} cannot fill this gap", help="Ask for method motion, or a shorter gap."
        )
    lead = (work.info.frames - gap) // 2
    left = fitting.sampled(own[:start][::-1], fps, work.info.fps)[:lead][::-1]
    left = fitting.padded(left[::-1], lead)[::-1]
    right = fitting.padded(fitting.sampled(own[end:], fps, work.info.fps), work.info.frames - gap - lead)
    guess = moved(left[-1], right[0], gap)
    clip = view.to_engine(np.concatenate([left, guess, right]))
    mask = np.zeros(clip.shape[:3], np.uint8)
    mask[lead : lead + gap] = 255
    made = view.visible(work.run(video=clip, mask=mask))[lead - 1 : lead + gap + 1]
    between = fitting.retimed(made, end - start + 2, view.size)
    reach = max(1, len(between) // 2)
    between, _ = anchored(between, own[start - 1], reach)
    backwards, _ = anchored(between[::-1], own[end], reach)
    return backwards[::-1][1:-1]


def _fits(work: Work, seconds: float) -> bool:
    """Whether the gap leaves a frame on each side in one clip of the engine."""
    return max(1, round(seconds * work.info.fps)) <= work.info.frames - 2


def _moved() -> dict[str, object]:
    return {"made_by": "optical flow", "digital_source_type": MOVED}


INTERPOLATE = OperationSpec(
    interpolate,
    "More frames between those of a clip, or a clip between two pictures.",
    required=("clip|first", "clip|last"),
    controls=("factor", "method", *PASSED),
    action="c2pa.edited",
    source_type=COMPOSITE,
    opens=True,
    lasts="clip",
)
INFILL = replace(
    INTERPOLATE,
    run=infill,
    says="Frames that were lost, made again from those on both sides.",
    required=("clip",),
    controls=("missing_from", "missing_to", "method", *PASSED),
)
