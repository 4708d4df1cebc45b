"""What tells a subject from its background, and what names the things in a picture: two Protocols.

A plug-in is named in MATTES or OBJECT_DETECTORS. It fetches nothing, loads its pinned weights on first use
and raises when it cannot answer. None of them says who a person is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from byline.audit.base.errors import BylineError


class CutoutFailed(BylineError):
    code = "cutout_failed"
    status = 502
    help = "Configure another model, or paint the mask by hand."


@dataclass(frozen=True)
class CutoutInfo:
    """What did it. `trained`: by a model that was trained on pictures; `weights_sha256` is its digest."""

    name: str
    version: str
    licence: str
    trained: bool
    weights_sha256: str = ""


@dataclass(frozen=True)
class Thing:
    """One object. `box`: left, top, width and height in per cent of the picture; `score` 0 to 1."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class CutoutExample:
    """A known answer: `says` in words what must hold of the answer to `frames` (T, h, w, 3)."""

    frames: np.ndarray
    says: str
    holds: Callable[[Any], bool]


@runtime_checkable
class Matte(Protocol):
    @property
    def info(self) -> CutoutInfo: ...

    def alpha(self, frames: np.ndarray, check_cancelled: Callable[[], None]) -> np.ndarray:
        """uint8 (T, h, w), 255 where the subject of uint8 RGB (T, h, w, 3) is opaque. CutoutFailed."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights if it cannot work here. Loads no model."""
        ...

    def examples(self) -> tuple[CutoutExample, ...]: ...


@runtime_checkable
class ObjectDetector(Protocol):
    @property
    def info(self) -> CutoutInfo: ...

    def things(self, picture: np.ndarray) -> tuple[Thing, ...]:
        """What is seen in uint8 RGB (h, w, 3), the surest first. CutoutFailed."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights if it cannot work here. Loads no model."""
        ...
