"""PDQ, Meta's perceptual hash of a picture: 256 bits and a quality from 0 to 100.

Follows the reference implementation (facebook/ThreatExchange, pdq/cpp, BSD licence; "The TMK+PDQF
Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019): luminance, two passes of a box filter
in each direction, 64 x 64 samples, 16 x 16 lowest non-constant cosine terms, each against their median.
tests/vectors/pdq.json holds its answers. It is written out here because the package of bindings has no
wheel and would need a compiler. Rounding differs from the reference's float32 in at most a bit or two.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

LARGEST = 512  # as the reference's own tools do: larger pictures are reduced first
_SMALLEST = 5
_SIDE, _TERMS = 64, 16


@dataclass(frozen=True)
class Pdq:
    """`hex`: 64 digits, the bit of the highest term first, as every PDQ list writes it. Below a quality
    of 50 a picture has so little detail that its hash should not be matched."""

    hex: str
    quality: int


def pdq(picture: np.ndarray) -> tuple[Pdq, Pdq]:
    """The hashes of an (h, w, 3) RGB or (h, w) grey uint8 picture and of its mirror image.

    ValueError for another shape; pictures under 5 pixels give zeros of quality 0, as in the reference.
    """
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
        raise ValueError(f"a picture is (h, w) or (h, w, 3), not {picture.shape}")
    if min(picture.shape[:2]) < _SMALLEST:
        nothing = Pdq("0" * 64, 0)
        return nothing, nothing
    if max(picture.shape[:2]) > LARGEST:
        size = (min(LARGEST, picture.shape[1]), min(LARGEST, picture.shape[0]))
        picture = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
    luma = picture.astype(np.float64)
    if luma.ndim == 3:
        luma = luma @ np.array([0.299, 0.587, 0.114])
    small = _samples(luma)
    quality = _quality(small)
    terms = _cosines() @ small @ _cosines().T
    # Mirroring turns the sign of every odd frequency; the first column is frequency 1.
    turned = terms * np.where(np.arange(_TERMS) % 2 == 0, -1.0, 1.0)
    return Pdq(_bits(terms), quality), Pdq(_bits(turned), quality)


def _samples(luma: np.ndarray) -> np.ndarray:
    """The filtered picture at the centres of 64 x 64 blocks."""
    for _ in range(2):
        for axis in (1, 0):
            luma = _box(luma, axis)
    rows, columns = (((np.arange(_SIDE) + 0.5) * length / _SIDE).astype(int) for length in luma.shape)
    return luma[np.ix_(rows, columns)]


def _box(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over a window, which shrinks at the edges to what lies inside."""
    length = values.shape[axis]
    window = (length + 2 * _SIDE - 1) // (2 * _SIDE)
    if window == 1:
        return values
    after = (window + 2) // 2  # one past the last sample, relative to the centre
    before = window - after
    sums = np.concatenate([np.zeros_like(np.take(values, [0], axis)), values.cumsum(axis)], axis)
    first = np.clip(np.arange(length) - before, 0, length)
    last = np.clip(np.arange(length) + after, 0, length)
    shape = [1, 1]
    shape[axis] = length
    return (np.take(sums, last, axis) - np.take(sums, first, axis)) / (last - first).reshape(shape)


def _quality(small: np.ndarray) -> int:
    """How much gradient there is, in the reference's own quantisation."""
    steps = (np.abs(np.trunc(np.diff(small, axis=axis) * 100 / 255)).sum() for axis in (0, 1))
    return min(100, int(sum(steps)) // 90)


@functools.cache
def _cosines() -> np.ndarray:
    """(16, 64): frequencies 1 to 16 of the orthonormal cosine transform."""
    k, n = np.arange(1, _TERMS + 1)[:, None], np.arange(_SIDE)
    return np.asarray(np.sqrt(2 / _SIDE) * np.cos(np.pi / (2 * _SIDE) * k * (2 * n + 1)))


def _bits(terms: np.ndarray) -> str:
    flat = terms.ravel()
    median = np.sort(flat)[flat.size // 2 - 1]  # the lower of the two middle ones
    return np.packbits((flat > median)[::-1]).tobytes().hex()
