"""Clips and stills from words alone."""

from __future__ import annotations

import math

from byline.generation.engines.base import Operation
from byline.generation.operations.base import Inputs, Made, OperationSpec
from byline.generation.operations.work import PASSED, Work

MAX_SHOTS = 4  # a longer clip shows its shots longer; long_video makes more of them
MAX_STILLS = 8


def text_to_video(work: Work, inputs: Inputs) -> Made:
    """As many shots as the seconds need, the n-th with seed + n."""
    info = work.info
    wanted = math.ceil(work.brief.seconds * info.fps / info.frames)
    count = work.brief.controls.get("shots") or min(wanted, MAX_SHOTS)
    shots = work.run_each(count)
    return Made(shots, info.fps, {"made_by": "model", "shots": count})


def still(work: Work, inputs: Inputs) -> Made:
    """Single pictures, one shot of one frame each: key frames to choose from. A model without a mode for
    stills gives the middle frame of a clip, and the facts say so."""
    count = min(work.brief.controls.get("shots") or 1, MAX_STILLS)
    own_mode = work.can(Operation.TEXT_TO_IMAGE)
    shots = []
    for number in range(count):
        made = work.part(number, count).run(shot=number, still=own_mode)
        shots.append(made if own_mode else made[len(made) // 2][None])
    how = "model" if own_mode else "model, middle frame of a clip"
    return Made(shots, work.info.fps, {"made_by": how, "shots": count})


TEXT_TO_VIDEO = OperationSpec(text_to_video, "A clip from words alone.", controls=("shots", *PASSED))
STILL = OperationSpec(still, "Single pictures from words.", controls=("shots", *PASSED))
