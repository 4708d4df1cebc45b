"""An engine at work on one request: which step it is at, what the clip is going to be, what it took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from byline.generation.engines import pool, usage
from byline.generation.engines.base import (
    Batching,
    EngineExample,
    EngineInfo,
    Preview,
    Streaming,
    VideoEngine,
    VideoTask,
    never_cancelled,
    no_progress,
)


class AtWork:
    """Passes everything on to the engine. What the engine can do beyond the contract it can do here too."""

    def __init__(self, engine: VideoEngine, preview: Preview | None = None) -> None:
        self._engine, self._preview = engine, preview
        self._taken: list[usage.Usage] = []
        self._prompts = {"from_cache": 0, "computed": 0}
        self._fraction = 0.0
        self._record: dict[str, Any] = {}

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    @property
    def record(self) -> Mapping[str, Any]:
        """As it was when this request last had the engine: another one may have it by now."""
        return self._record or self._engine.record

    def self_check(self) -> None:
        self._engine.self_check()

    def examples(self) -> tuple[EngineExample, ...]:
        return self._engine.examples()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        engine = self._engine
        told = self._told(progress)

        def run() -> np.ndarray:
            if not isinstance(engine, Streaming):
                return engine.generate(task, told, check_cancelled)
            return np.concatenate(list(engine.stream(task, told, check_cancelled, self._preview)))

        return self._accounted(run)

    @property
    def batch(self) -> int:
        return self._engine.batch if isinstance(self._engine, Batching) else 1

    def generate_many(
        self,
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> list[np.ndarray]:
        engine = self._engine
        if not isinstance(engine, Batching):
            raise TypeError(f"{engine.info.name} makes no batches")
        return self._accounted(lambda: engine.generate_many(tasks, self._told(progress), check_cancelled))

    @property
    def step(self) -> str:
        """Words for who waits: which step of how many, then "decoding"; "" where the engine says nothing."""
        steps = self.record.get("steps")
        if not steps:
            return ""
        done = round(self._fraction * (steps + 1))
        return f"step {done} of {steps}" if done < steps else "decoding"

    def account(self) -> dict[str, Any]:
        """What this request has taken so far: sums of seconds and energy, the highest memory."""
        if not self._taken:
            return {}
        one = usage.total(self._taken)
        return {**one.as_record(), "passes": len(self._taken), "prompt_embeddings": dict(self._prompts)}

    def _told(self, progress: Callable[[float], None]) -> Callable[[float], None]:
        def told(fraction: float) -> None:
            self._fraction = fraction
            if fraction < 1.0:  # the engine is still ours
                self._record = dict(self._engine.record)
            progress(fraction)

        return told

    def _accounted(self, run: Callable[[], Any]) -> Any:
        device = self._engine.place if isinstance(self._engine, pool.Resident) else "cpu"
        self._fraction = 0.0
        try:
            with usage.measured(device) as meter:
                made = run()
        finally:
            if meter.usage is not None:
                self._taken.append(meter.usage)
        for name, count in self.record.get("prompt_embeddings", {}).items():
            self._prompts[name] += count
        return made
