"""A deterministic engine that draws: a disc that crosses a meadow, its place and colour from the seed.

It keeps given pictures, clips and masks as a perfect model would, so that what the operations add to it can
be measured. `operations` takes abilities away; `breaks` makes its first continuations jump.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from byline.generation.engines.base import (
    EngineExample,
    EngineInfo,
    Operation,
    VideoTask,
    never_cancelled,
    no_progress,
    operation_of,
)
from byline.generation.operations import Brief

WIDTH, HEIGHT, FRAMES, FPS = 112, 64, 9, 8.0
CONTROLS = (
    "prompt", "negative_prompt", "seed", "steps", "image", "last_image", "video", "mask", "strength", "still",
)  # fmt: skip


def scene(seed: int, frames: int = FRAMES, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """uint8 RGB (frames, h, w, 3): the disc crosses the picture once in FRAMES frames."""
    width, height = size
    chance = np.random.default_rng(seed)
    colour = tuple(int(v) for v in chance.integers(60, 255, 3))
    ground = np.zeros((height, width, 3), np.uint8)
    ground[: height * 2 // 3] = np.linspace([120, 180, 240], [190, 215, 245], height * 2 // 3)[:, None]
    ground[height * 2 // 3 :] = (90, 170, 80)
    row = round(height * float(chance.uniform(0.3, 0.7)))
    made = []
    for index in range(frames):
        frame = ground.copy()
        place = round(width * (0.15 + 0.7 * index / FRAMES))
        cv2.circle(frame, (place, row), max(3, height // 6), colour, -1, cv2.LINE_AA)
        made.append(frame)
    return np.stack(made)


class DrawingEngine:
    def __init__(
        self,
        operations: tuple[Operation, ...] = tuple(Operation),
        controls: tuple[str, ...] = CONTROLS,
        breaks: int = 0,
        noise: float = 0.0,
    ) -> None:
        self._operations, self._controls = operations, controls
        self._breaks, self._noise = breaks, noise
        self.tasks: list[VideoTask] = []

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name="drawing", version="1", revision="1", licence="Apache-2.0", width=WIDTH, height=HEIGHT,
            frames=FRAMES, fps=FPS, text_encoder="none", drawn=True, operations=self._operations,
            controls=self._controls,
        )  # fmt: skip

    @property
    def record(self) -> Mapping[str, Any]:
        return {"lossy": []}

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        assert operation_of(task) in self._operations
        self.tasks.append(task)
        for step in range(3):
            check_cancelled()
            progress((step + 1) / 3)
        made = scene(task.seed, 1 if task.still else FRAMES)
        if operation_of(task) in (Operation.EDIT, Operation.IMAGE_TO_VIDEO) and self._breaks:
            self._breaks -= 1
            return 255 - made
        if task.image is not None and not task.still:
            made = self._on(made, task.image)
        if task.last_image is not None:
            made[-1] = task.last_image
        if task.video is not None or (task.still and task.image is not None):
            given = task.video if task.video is not None else task.image[None]
            if task.mask is None:
                made = cv2.addWeighted(given, 0.5, made, 0.5, 0)
            else:
                kept = np.broadcast_to(task.mask, given.shape[:3]) < 128
                last = np.flatnonzero(kept.all(axis=(1, 2)))
                whole = kept.all(axis=(1, 2)).any() and not kept[-1].any()  # a continuation
                made = self._on(made, given[last[-1]]) if whole else made
                made = np.where(kept[..., None], given, made)
        spoilt = made + self._noise * np.random.default_rng(task.seed).normal(size=made.shape)
        return np.clip(spoilt, 0, 255).astype(np.uint8)

    @staticmethod
    def _on(made: np.ndarray, first: np.ndarray) -> np.ndarray:
        """The given picture, drifting: what a model that is led by its first frame gives."""
        moved = [np.roll(first, index, axis=1) for index in range(len(made))]
        return np.stack(moved)

    def self_check(self) -> None:
        """Nothing to check."""

    def examples(self) -> tuple[EngineExample, ...]:
        return ()


def brief(
    seconds: float = 1.0, prompt: str = "a ball over a meadow", seed: int = 3, **controls: Any
) -> Brief:
    return Brief(prompt, "", seed, seconds, controls)


def clicks(
    tempo: float, seconds: float, rate: int = 22_050, start: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """A click track, mono float32, and the times of its clicks."""
    times = np.arange(start, seconds - 0.05, 60 / tempo)
    sound, tick = np.zeros(round(seconds * rate)), np.arange(round(0.03 * rate))
    for time in times:
        at = round(time * rate)
        sound[at : at + len(tick)] += np.exp(-tick / (0.006 * rate)) * np.sin(2 * np.pi * 1000 * tick / rate)
    return sound.astype(np.float32), times
