"""The shape of a watermarker: two Protocols and what a detector tells its caller.

A finding names the payload, the key and the geometry in words. It deliberately holds no score:
whoever can read a correlation value can erase or copy a mark by hill-climbing (oracle attack),
so detectors compare with their threshold inside and return a finding or None.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from byline.audit.base.errors import BylineError, InvalidInput

Frame = NDArray[np.uint8]  # (H, W, 3) RGB
Samples = NDArray[np.float32]  # (N,) mono, full scale +-1

# Probability that one call of detect() accepts anything on media we never marked, over all keys,
# payloads and geometries that the call tries (threshold.py derives the bound).
FALSE_ACCEPT = 1e-9


class UnmarkableInput(InvalidInput):
    """Frames or samples that a mark cannot be put into: wrong shape, type or size."""

    code = "unmarkable_input"


class BadPayload(BylineError):
    """A payload that does not fit into the mark."""

    code = "bad_payload"
    status = 400
    help = "Give a non-negative integer within the mark's payload bits."


@dataclass(frozen=True)
class VideoFinding:
    """An accepted picture mark. `geometry` says in words how the picture lay, e.g. "mirrored"."""

    payload: int
    key_index: int
    geometry: str
    confidence: str = f"accepted under FP < {FALSE_ACCEPT:.0e}"


@dataclass(frozen=True)
class AudioFinding:
    """An accepted speech mark. `geometry` says in words how the sound lay, e.g. "speed x1.05"."""

    payload: int
    key_index: int
    geometry: str
    confidence: str = f"accepted under FP < {FALSE_ACCEPT:.0e}"


class VideoMarker(Protocol):
    """Puts a payload into frames and finds it again without the original."""

    payload_bits: int

    def embed(self, frames: Iterable[Frame], payload: int) -> Iterator[Frame]: ...

    def detect(self, frames: Sequence[Frame]) -> VideoFinding | None: ...


class AudioMarker(Protocol):
    """Puts a payload into mono samples and finds it again without the original."""

    payload_bits: int

    def embed(self, samples: Samples, rate: int, payload: int) -> Samples: ...

    def detect(self, samples: Samples, rate: int) -> AudioFinding | None: ...
