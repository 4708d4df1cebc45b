"""One piece of work for an engine: the brief, whom to tell how far it is, and what the engine can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import Batching, EngineInfo, Operation, VideoEngine, VideoTask
from byline.generation.operations.base import Brief

# Controls of a brief that go into every task as they are.
PASSED = ("guidance", "guidance_end", "steps", "motion", "fps")
SEED_STEP = 1_000  # between tries of one shot: the n-th shot's second try is no other shot's first


@dataclass(frozen=True)
class Work:
    """`progress` gets 0..1 of this work, rising; `check_cancelled` raises when it must stop."""

    engine: VideoEngine
    brief: Brief
    progress: Callable[[float], None]
    check_cancelled: Callable[[], None]

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def can(self, operation: Operation, *controls: str) -> bool:
        """Whether the engine does the operation and heeds the controls."""
        return operation in self.info.operations and set(controls) <= set(self.info.controls)

    def share(self, start: float, end: float) -> Work:
        """The same work, reporting from `start` to `end` of this one's progress."""
        span = end - start
        return replace(self, progress=lambda fraction: self.progress(start + span * fraction))

    def part(self, number: int, count: int) -> Work:
        """The `number`-th of `count` equal shares."""
        return self.share(number / count, (number + 1) / count)

    def run(self, *, shot: int = 0, again: int = 0, **more: Any) -> np.ndarray:
        """What the engine makes of the brief's words and `more` fields of a VideoTask: (T, h, w, 3).

        `shot` and `again`, the number of earlier tries, turn the seed."""
        self.check_cancelled()
        task = self._task(shot, again, more)
        made = self.engine.generate(task, self.progress, self.check_cancelled)
        self.check_cancelled()
        return made

    def run_each(self, count: int) -> list[np.ndarray]:
        """`count` shots, the n-th with seed + n; as many at once as the engine puts through its model."""
        engine = self.engine
        if not isinstance(engine, Batching) or engine.batch == 1:
            return [self.part(number, count).run(shot=number) for number in range(count)]
        made, most = list[np.ndarray](), engine.batch
        for first in range(0, count, most):
            self.check_cancelled()
            tasks = [self._task(shot, 0, {}) for shot in range(first, min(first + most, count))]
            part = self.share(first / count, min(first + most, count) / count)
            made += engine.generate_many(tasks, part.progress, self.check_cancelled)
        self.check_cancelled()
        return made

    def _task(self, shot: int, again: int, more: Mapping[str, Any]) -> VideoTask:
        own = {name: v for name in PASSED if (v := self.brief.controls.get(name)) is not None}
        own |= {
            "prompt": self.brief.prompt,
            "negative_prompt": self.brief.negative_prompt,
            "seed": (self.brief.seed + shot + SEED_STEP * again) % 2**63,
        }
        return VideoTask(**{**own, **more})

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A control of the brief as a number between its bounds. InvalidInput outside them."""
        value = self.brief.controls.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise InvalidInput(f"{name} is a number from {least:g} to {most:g}")
        return value

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """A control of the brief that is one of `among`, the first by default. InvalidInput for another."""
        value = self.brief.controls.get(name) or among[0]
        if value not in among:
            raise InvalidInput(f"{name} is one of {', '.join(among)}")
        return str(value)
