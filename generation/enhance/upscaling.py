"""Pictures twice or four times as wide. The classic filter is the default; learned ones are plug-ins.

A plug-in stands in the setting UPSCALERS and is chosen by a request's option `upscaler`. It keeps the
promise of exact size: (h, w) becomes (factor h, factor w), whatever it does inside.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation import plugins

FACTORS = (2, 4)


class UpscalerUnfit(InvalidInput):
    code = "upscaler_unfit"
    help = "Leave the option upscaler out: the classic filter takes any pictures."


@dataclass(frozen=True)
class UpscalerExample:
    """A known answer: `says` in words what must hold of `frame` enlarged by `factor`."""

    frame: np.ndarray
    factor: int
    says: str
    holds: Callable[[np.ndarray], bool]


@runtime_checkable
class Upscaler(Protocol):
    """`engines` are the engines whose pictures it was made for; empty means any."""

    version: str
    engines: Collection[str]

    def upscale(self, frame: np.ndarray, factor: int) -> np.ndarray:
        """(h, w, 3) uint8 RGB to (factor h, factor w, 3); `factor` is 2 or 4."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights if it cannot work here. Loads no model."""
        ...

    def examples(self) -> tuple[UpscalerExample, ...]: ...


def load(name: str, engine: str) -> Upscaler:
    """The upscaler of the setting UPSCALERS, looked over. UpscalerUnfit for pictures it was not made for."""
    found = configured(name)
    if found.engines and engine not in found.engines:
        raise UpscalerUnfit(f"the upscaler {name} was not made for the pictures of {engine}")
    found.self_check()
    return found


def configured(name: str) -> Upscaler:
    """The upscaler of that name. ConfigurationError names what is wrong."""
    found: Upscaler = plugins.load("UPSCALERS", name, "upscaler")
    return found


class ClassicUpscaler:
    """Lanczos, corrected until shrinking it gives the original again (iterative back-projection, Irani &
    Peleg 1991), held within the range of the neighbouring pixels so that edges do not ring."""

    version = "lanczos-backprojection 1"
    engines: Collection[str] = ()
    _ROUNDS = 3

    def upscale(self, frame: np.ndarray, factor: int) -> np.ndarray:
        if factor not in FACTORS:
            raise UpscalerUnfit(f"pictures are enlarged by 2 or 4, not by {factor}")
        height, width = frame.shape[:2]
        wide, small = (width * factor, height * factor), (width, height)
        original = frame.astype(np.float32)
        picture = cv2.resize(original, wide, interpolation=cv2.INTER_LANCZOS4)
        low = cv2.resize(cv2.erode(original, np.ones((3, 3))), wide, interpolation=cv2.INTER_LINEAR)
        high = cv2.resize(cv2.dilate(original, np.ones((3, 3))), wide, interpolation=cv2.INTER_LINEAR)
        for _ in range(self._ROUNDS):
            wrong = original - cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
            better = cv2.add(picture, cv2.resize(wrong, wide, interpolation=cv2.INTER_CUBIC))
            picture = cv2.min(cv2.max(better, low), high)
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)

    def self_check(self) -> None:
        """Nothing to load."""

    def examples(self) -> tuple[UpscalerExample, ...]:
        edge = np.zeros((16, 16, 3), np.uint8)
        edge[:, 8:] = 200
        return (
            UpscalerExample(edge, 2, "twice the size", lambda big: big.shape == (32, 32, 3)),
            UpscalerExample(edge, 4, "no ringing", lambda big: int(big.max()) <= 200),
        )
