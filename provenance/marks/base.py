"""The shape of a watermarker: two Protocols and what a detector tells its caller.

A finding names the payload, the key and the geometry in words. It deliberately holds no score:
whoever can read a correlation value can erase or copy a mark by hill-climbing (oracle attack),
so detectors compare with their threshold inside and return a finding or None.

`candidates` is the registry mode: when a fingerprint shortlist has already named at most
MAX_CANDIDATES payloads, only these count, so that less evidence suffices for the same false-accept
bound. It is for the verifier's own shortlist. A caller who could choose the candidates freely and
repeat the question would own an oracle: never wire it to a public parameter.
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
MAX_CANDIDATES = 100


class UnmarkableInput(InvalidInput):
    """Frames or samples that a mark cannot be put into: wrong shape, type or size."""

    code = "unmarkable_input"


class BadPayload(BylineError):
    """A payload that does not fit into the mark."""

    code = "bad_payload"
    status = 400
    help = "Give a non-negative integer within the mark's payload bits."


def check_candidates(candidates: Sequence[int] | None, payload_bits: int) -> tuple[int, ...] | None:
    """The short list without repetitions, None for a blind search. BadPayload if it is no such list.

    An empty list stays empty: nothing can be found then, which is not the same as a blind search.
    """
    if candidates is None:
        return None
    unique = tuple(dict.fromkeys(int(candidate) for candidate in candidates))
    if len(unique) > MAX_CANDIDATES:
        raise BadPayload(f"a short list holds at most {MAX_CANDIDATES} payloads, this one {len(unique)}")
    if any(not 0 <= candidate < 1 << payload_bits for candidate in unique):
        raise BadPayload(f"a candidate does not fit into {payload_bits} bits")
    return unique


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

    def detect(
        self, frames: Sequence[Frame], *, candidates: Sequence[int] | None = None, fps: float = 8.0
    ) -> VideoFinding | None:
        """`fps` is the rate at which the frames follow each other; a mark may do without."""
        ...


class AudioMarker(Protocol):
    """Puts a payload into mono samples and finds it again without the original."""

    payload_bits: int

    def embed(self, samples: Samples, rate: int, payload: int) -> Samples: ...

    def detect(
        self, samples: Samples, rate: int, *, candidates: Sequence[int] | None = None
    ) -> AudioFinding | None: ...
