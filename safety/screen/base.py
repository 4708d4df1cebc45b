"""What the plug-ins of output screening are: one Protocol for each thing that is asked of them.

Promises every plug-in keeps: it fetches nothing, loads its pinned weights at first use, and raises when
it cannot answer, so that the request is held. `self_check` loads no model. Numbers are on the scale of
moderation (0.5 is reviewed, 0.9 is beyond doubt).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

Frames = Sequence[np.ndarray] | np.ndarray  # (h, w, 3) uint8 RGB each


@dataclass(frozen=True)
class ScreenerExample:
    """A known answer: `says` in words what must hold of what the plug-in answers to `given`."""

    given: Mapping[str, Any]
    says: str
    holds: Callable[[Any], bool]


@runtime_checkable
class _Plugin(Protocol):
    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights if it cannot work here. Loads no model."""
        ...

    def examples(self) -> tuple[ScreenerExample, ...]: ...


@runtime_checkable
class FrameScorer(_Plugin, Protocol):
    """Roles "violence" and "weapons"."""

    def scores(self, frames: Frames) -> Mapping[str, float]:
        """The highest score over the frames, 0 to 1, by category of the policy."""
        ...


@runtime_checkable
class FrameReader(_Plugin, Protocol):
    """Role "frame_text"."""

    def read(self, frames: Frames) -> list[str]:
        """The lines of text that stand in any of the frames, each once. At most MAX_TEXT characters."""
        ...


@runtime_checkable
class Transcriber(_Plugin, Protocol):
    """Role "transcript"."""

    def transcribe(self, samples: np.ndarray, rate: int, language: str) -> str:
        """The words of float32 mono `samples` at `rate` Hz; "" when none was understood."""
        ...


@runtime_checkable
class AgreementScorer(_Plugin, Protocol):
    """Role "agreement"."""

    def covers(self, model: str) -> bool:
        """Whether its score means anything for the pictures of this engine."""
        ...

    def score(self, frames: Frames, prompt: str) -> float:
        """Share of other prompts that fit the clip worse than `prompt`; about 0.5 when it shows something
        else altogether."""
        ...


ROLES: Mapping[str, type[Any]] = {
    "violence": FrameScorer,
    "weapons": FrameScorer,
    "frame_text": FrameReader,
    "transcript": Transcriber,
    "agreement": AgreementScorer,
}
MAX_TEXT = 5_000
