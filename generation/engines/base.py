"""What a video engine is: a Protocol and the plain values that go in and come out.

An engine turns one prompt into frames. It fetches nothing in its constructor, loads its weights
on first use, names exactly what it ran (`EngineInfo`, recorded in the manifest and the log), and
gives the same frames for the same task on the same machine with the same versions. It neither
judges prompts nor marks frames: safety and provenance do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from byline.audit.base.errors import BylineError


class EngineFailed(BylineError):
    """The engine ran and gave nothing usable."""

    code = "engine_failed"
    status = 500
    help = "Try again; if it fails again, run `byline check` and look at the worker's log."


@dataclass(frozen=True)
class EngineInfo:
    """What made the frames. `revision` is a commit or a digest, never a moving name; `drawn` says
    that people in the clips are pictograms by construction, so that faces need no consent."""

    name: str
    version: str
    revision: str
    licence: str
    width: int
    height: int
    frames: int
    fps: float
    text_encoder: str
    drawn: bool = False
    weights_sha256: str = ""


@dataclass(frozen=True)
class VideoTask:
    """One clip to make. None means the engine's own value. `frames` counts 1 + 4k for Wan models."""

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    frames: int | None = None
    guidance: float | None = None
    steps: int | None = None


@dataclass(frozen=True)
class EngineExample:
    """A known answer: `says` in words what must hold, `holds` looks at the frames (T, h, w, 3)."""

    task: VideoTask
    says: str
    holds: Callable[[np.ndarray], bool]


def no_progress(fraction: float) -> None:
    """Where nobody watches."""


def never_cancelled() -> None:
    """Where nobody cancels."""


@runtime_checkable
class VideoEngine(Protocol):
    """The contract; tests/contract/test_engines.py holds every engine to it."""

    @property
    def info(self) -> EngineInfo: ...

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        """uint8 RGB (T, h, w, 3). `progress` gets 0..1 after each step; `check_cancelled` is called
        at each step and stops the work by raising. Raises InvalidInput, MissingWeights, EngineFailed."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights if `generate` cannot work here. Loads no model."""
        ...

    def examples(self) -> tuple[EngineExample, ...]: ...
