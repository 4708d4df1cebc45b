"""How the picture lies: from frames to planes in which the mark's tiles can be laid on each other.

The chip grid hangs on the picture's short side (120 chips across), so plain rescaling changes
nothing here; crops, squeezes, rotations, insets and perspective do. They are found without the
original: the mark is periodic in space, so a plane's autocorrelation shows a lattice whose vectors
are the scales and the rotation. Nothing in this module knows a key: what is steered by a key's
template lives in video_search.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from byline.provenance.marks.base import Frame

Plane = NDArray[np.float32]  # (H, W), or (H, W, 2) for the two parts of a complex plane

SHORT_CHIPS = 120  # chips across the short side: 6 px at 720p
TILE_CHIPS = 36  # a tile is 36 x 36 chips, repeated over the picture
OVERSAMPLE = 2  # detector samples per chip
WORK_SHORT = SHORT_CHIPS * OVERSAMPLE
PERIOD = TILE_CHIPS * OVERSAMPLE

SCALES = (0.62, 1.75)  # of the lattice search, relative to an uncropped picture
ROTATION_DEG = 9.0
FLAT_BORDER = 3.0  # grey levels: below this deviation a line is part of a bar, not of the picture


Axis = NDArray[np.float64]
Matrix = NDArray[np.float64]  # (3, 3): from upright tile grid to the plane, (x, y, 1) columns


@dataclass(frozen=True)
class Pose:
    """A guess: the plane shows the tile grid `sx` x `sy` times too large, turned by `angle` radians."""

    sx: float = 1.0
    sy: float = 1.0
    angle: float = 0.0

    def matrix(self, shape: Sequence[int], mirrored: bool) -> tuple[Matrix, tuple[int, int]]:
        """For a plane of this (H, W, ...): the map from the upright plane, and that plane's (H, W)."""
        margin = 1.0 if self.angle == 0 else 1.1  # corners stay inside
        height, width = int(shape[0] / self.sy * margin), int(shape[1] / self.sx * margin)
        c, s = math.cos(self.angle), math.sin(self.angle)
        linear = np.array([[c, -s], [s, c]]) @ np.diag([-self.sx if mirrored else self.sx, self.sy])
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix[:2, 2] = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2]) - linear @ centre
        return matrix, (height, width)


def described(matrix: Matrix, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """(scale in x, scale in y, turn in radians, largest change of depth) of a map at the plane's centre."""
    x, y = (size[1] - 1) / 2, (size[0] - 1) / 2
    depth = matrix[2] @ (x, y, 1)
    at = (matrix @ (x, y, 1))[:2] / depth
    columns = (matrix[:2, :2] - np.outer(at, matrix[2, :2])) / depth
    mirrored = -1.0 if np.linalg.det(columns) < 0 else 1.0
    turn = math.atan2(mirrored * columns[1, 0], mirrored * columns[0, 0])
    sx = float(np.linalg.norm(columns[:, 0]))
    tilt = max(abs(matrix[2, 0] / depth * size[1] / 2), abs(matrix[2, 1] / depth * size[0] / 2))
    return sx, float(abs(np.linalg.det(columns)) / sx), turn, float(tilt)


def residual(frame: Frame, short: int) -> Plane:
    """(H, W, 3) RGB -> locally normalised luma detail, `short` samples on the short side: noise and mark."""
    height, width = frame.shape[:2]
    factor = short / min(height, width)
    size = (round(width * factor), round(height * factor))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = luma - cv2.GaussianBlur(luma, (0, 0), 1.1 * OVERSAMPLE)
    spread = cv2.blur(detail * detail, (4 * OVERSAMPLE + 1,) * 2)
    return np.clip(detail / (np.sqrt(np.maximum(spread, 0)) + 1.0), -2.5, 2.5)


def whitened(frames: Sequence[Frame], short: int) -> NDArray[np.float32]:
    """(N, H, W): residuals of frames of one size, their common spectrum flattened: structure fades."""
    spectra = [fft.rfft2(residual(frame, short)) for frame in frames]
    shape = residual(frames[0], short).shape
    power = np.mean([np.abs(spectrum) ** 2 for spectrum in spectra], axis=0)
    smooth = cv2.blur(power, (9, 9), borderType=cv2.BORDER_REFLECT)
    smooth += 1e-4 * smooth.mean() + 1e-20
    gain = (smooth / smooth.mean()) ** -WHITENING
    return np.stack([fft.irfft2(spectrum * gain, shape) for spectrum in spectra]).astype(np.float32)


WHITENING = 0.5


def tones(stack: NDArray[np.float32], cycles: Sequence[float] | Axis) -> NDArray[np.float32]:
    """(N, ...) over time -> (len(cycles), ..., 2): real and imaginary part of what turns
    `cycles` times over the clip."""
    count = len(stack)
    turn = np.exp(-2j * np.pi * np.outer(cycles, np.arange(count)) / count)
    turn -= np.where(np.asarray(cycles) > 0.4, turn.mean(1), 0)[:, None]  # what stands still is no tone
    flat = stack.reshape(count, -1)
    both = [(part.astype(np.float32) @ flat).reshape(-1, *stack.shape[1:]) for part in (turn.real, turn.imag)]
    return np.stack(both, axis=-1)


def picture_area(frames: Sequence[Frame]) -> tuple[slice, slice]:
    """Rows and columns inside even bars (letterbox, pillarbox); everything where there are none."""
    sample = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames[:: max(1, len(frames) // 6)]])
    areas = []
    for axis in (2, 1):
        spread = sample.std(axis=axis).max(axis=0)
        inside = np.flatnonzero(spread > FLAT_BORDER)
        areas.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, len(spread)))
    return areas[0], areas[1]


def rectify(plane: Plane, matrix: Matrix, size: tuple[int, int]) -> Plane:
    """The plane with the tile grid upright and at scale 1, (H, W) = `size`."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if matrix[2, 0] == 0 and matrix[2, 1] == 0:
        straight = (matrix[:2] / matrix[2, 2]).astype(np.float64)
        return np.asarray(cv2.warpAffine(plane, straight, size[::-1], flags=flags), np.float32)
    return np.asarray(cv2.warpPerspective(plane, matrix, size[::-1], flags=flags), np.float32)


def fold(plane: Plane) -> Plane:
    """All tiles laid on top of each other: (72, 72), or (72, 72, 2)."""
    height, width = plane.shape[:2]
    rows, columns = -(-height // PERIOD), -(-width // PERIOD)
    padded = np.zeros((rows * PERIOD, columns * PERIOD, *plane.shape[2:]), np.float32)
    padded[:height, :width] = plane
    return np.asarray(padded.reshape(rows, PERIOD, columns, PERIOD, *plane.shape[2:]).sum((0, 2)))


def folding(length: int, scale: float) -> NDArray[np.float32]:
    """(72, length): the matrix that folds `length` samples of a grid that is `scale` times too large."""
    at = np.arange(length) / scale
    low = np.floor(at).astype(int)
    matrix = np.zeros((PERIOD, length), np.float32)
    matrix[low % PERIOD, np.arange(length)] += (1 - (at - low)).astype(np.float32)
    matrix[(low + 1) % PERIOD, np.arange(length)] += (at - low).astype(np.float32)
    return matrix


def folds_at(planes: NDArray[np.float32], sx: float, sy: float) -> NDArray[np.complex64]:
    """(H, K, 2, W) complex planes -> (K, 72, 72) complex, folded upright at these scales: fast."""
    height, count, _, width = planes.shape
    rows = folding(height, sy) @ planes.reshape(height, -1)
    both = (rows.reshape(-1, width) @ folding(width, sx).T).reshape(PERIOD, count, 2, PERIOD)
    return np.asarray((both[:, :, 0] + 1j * both[:, :, 1]).transpose(1, 0, 2), np.complex64)


def _autocorrelation(plane: Plane) -> Plane:
    """Of an (H, W, 2) plane, circularly indexed, about N(0, 1); 0 where the overlap is poor."""
    height, width = plane.shape[:2]
    shape = fft.next_fast_len(2 * height, real=True), fft.next_fast_len(2 * width, real=True)
    power = sum(np.abs(fft.rfft2(plane[..., part], shape)) ** 2 for part in range(2))
    corr = fft.irfft2(power, shape)
    lag_y = np.minimum(np.arange(shape[0]), shape[0] - np.arange(shape[0]))
    lag_x = np.minimum(np.arange(shape[1]), shape[1] - np.arange(shape[1]))
    overlap = np.maximum(height - lag_y, 0)[:, None] * np.maximum(width - lag_x, 0)[None]
    normed = np.where(overlap > 0.12 * height * width, corr / np.sqrt(np.maximum(overlap, 1)), 0)
    return np.asarray(normed / (float(np.std(normed)) + 1e-20), np.float32)


def lattice_poses(plane: Plane, count: int) -> list[tuple[float, Pose]]:
    """The most lattice-like poses of an (H, W, 2) plane with their scores: turned with one scale, and
    upright with two scales. Depends on the picture alone, on no key."""
    corr = np.asarray(cv2.dilate(_autocorrelation(plane), np.ones((3, 3), np.uint8)), np.float32)
    scales = np.exp(np.arange(math.log(SCALES[0]), math.log(SCALES[1]), 0.004))
    angles = np.deg2rad(np.arange(-ROTATION_DEG, ROTATION_DEG + 0.1, 0.25))
    s, a = np.meshgrid(scales, angles, indexing="ij")
    turned = _lattice_score(corr, s * np.cos(a), s * np.sin(a), -s * np.sin(a), s * np.cos(a))
    found = [
        (v, Pose(float(scales[i]), float(scales[i]), float(angles[j]))) for v, i, j in _peaks(turned, count)
    ]
    coarse = scales[::2]
    sx, sy = np.meshgrid(coarse, coarse, indexing="ij")
    upright = _lattice_score(corr, sx, np.zeros_like(sx), np.zeros_like(sx), sy)
    upright[(sx / sy > 1.9) | (sy / sx > 1.9)] = -np.inf
    found += [(v, Pose(float(coarse[i]), float(coarse[j]))) for v, i, j in _peaks(upright, count)]
    return found


def _lattice_score(corr: Plane, ax: Axis, ay: Axis, bx: Axis, by: Axis) -> NDArray[np.float64]:
    """Mean autocorrelation at the points m * a + n * b of each candidate lattice, over its noise."""
    rows, columns = corr.shape
    total, number = np.zeros(ax.shape), np.zeros(ax.shape)
    for m in range(-3, 4):
        for n in range(4):
            if n == 0 and m <= 0:
                continue  # the lattice is symmetric: half of it says everything
            x = np.round(PERIOD * (m * ax + n * bx)).astype(int)
            y = np.round(PERIOD * (m * ay + n * by)).astype(int)
            inside = (np.abs(x) < columns // 2) & (np.abs(y) < rows // 2)
            value = np.where(inside, corr[y % rows, x % columns], 0)
            total += np.minimum(value, 12.0)  # one huge peak is the picture's own period
            number += value != 0
    # 1.6: what the 3 x 3 maximum of pure noise is worth on average.
    return np.asarray((total - 1.6 * number) / np.sqrt(np.maximum(number, 1)))


def _peaks(score: NDArray[np.float64], count: int) -> list[tuple[float, int, int]]:
    found = []
    for _ in range(count):
        i, j = (int(k) for k in np.unravel_index(int(score.argmax()), score.shape))
        found.append((float(score[i, j]), i, j))
        score[max(0, i - 6) : i + 7, max(0, j - 5) : j + 6] = -np.inf
    return found
