"""Clips from words alone: text to video."""

from __future__ import annotations

import math

from byline.generation.engines.base import VideoEngine, VideoTask
from byline.generation.operations.base import Brief, CheckCancelled, Inputs, Made, OperationSpec, Progress

MAX_SHOTS = 4  # a longer clip shows its shots longer


def _text_to_video(
    engine: VideoEngine, brief: Brief, inputs: Inputs, progress: Progress, check_cancelled: CheckCancelled
) -> Made:
    info, controls = engine.info, brief.controls
    count = controls.get("shots") or min(math.ceil(brief.seconds * info.fps / info.frames), MAX_SHOTS)
    shots = []
    for number in range(count):
        check_cancelled()
        task = VideoTask(
            prompt=brief.prompt,
            negative_prompt=brief.negative_prompt,
            seed=(brief.seed + number) % 2**63,
            guidance=controls.get("guidance"),
            steps=controls.get("steps"),
        )
        shots.append(
            engine.generate(task, lambda f, done=number: progress((done + f) / count), check_cancelled)
        )
    return Made(shots, info.fps, {"operation": "text_to_video", "shots": count})


TEXT_TO_VIDEO = OperationSpec(
    _text_to_video, "A clip from words alone.", controls=("shots", "guidance", "steps")
)
