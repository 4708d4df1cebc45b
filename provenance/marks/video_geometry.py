"""How the picture lies: from frames to a plane in which the mark's tiles can be folded.

The chip grid hangs on the picture's short side (120 chips across), so plain rescaling changes
nothing here; crops, rotations and perspective do. They are found without the original: the mark
is periodic, so the plane's autocorrelation shows a lattice whose spacing and angle are the scale
and rotation. Nothing in this module knows a key except `local_fit`, which takes a template.
Leaves out: anisotropic squeeze and picture-in-picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from byline.provenance.marks.base import Frame

Plane = NDArray[np.float32]

SHORT_CHIPS = 120  # chips across the short side: 6 px at 720p
TILE_CHIPS = 36  # a tile is 36 x 36 chips, repeated over the picture
OVERSAMPLE = 2  # detector samples per chip
WORK_SHORT = SHORT_CHIPS * OVERSAMPLE
PERIOD = TILE_CHIPS * OVERSAMPLE

SCALES = (0.62, 1.9)
ROTATION_DEG = 12.0
CANDIDATES = 6
# Refinement: (neighbours to each side, relative scale step, rotation step in radians) per stage.
STAGES = ((2, 0.0030, 0.0035), (1, 0.0015, 0.0018), (1, 0.0007, 0.0009))
REFINEMENTS = math.prod((2 * reach + 1) ** 2 for reach, _, _ in STAGES)


@dataclass(frozen=True)
class Pose:
    """One similarity: the plane is `scale` times too large and turned by `angle` radians."""

    scale: float = 1.0
    angle: float = 0.0

    def neighbours(self, stage: int) -> list["Pose"]:
        reach, step, turn = STAGES[stage]
        near = range(-reach, reach + 1)
        return [Pose(self.scale * (1 + i * step), self.angle + j * turn) for i in near for j in near]


def residual(frame: Frame) -> Plane:
    """(H, W, 3) RGB -> locally normalised luma detail, short side 240: mostly noise and mark."""
    height, width = frame.shape[:2]
    factor = WORK_SHORT / min(height, width)
    size = (round(width * factor), round(height * factor))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = luma - cv2.GaussianBlur(luma, (0, 0), 1.1 * OVERSAMPLE)
    spread = cv2.blur(detail * detail, (4 * OVERSAMPLE + 1,) * 2)
    return np.clip(detail / (np.sqrt(np.maximum(spread, 0)) + 1.0), -2.5, 2.5)


def accumulate(frames: Sequence[Frame]) -> Plane:
    """Mean residual over frames of one size, spectrum flattened so that the picture's own structure fades."""
    total = residual(frames[0])
    for frame in frames[1:]:
        total += residual(frame)
    spectrum = fft.rfft2(total / len(frames))
    power = np.abs(spectrum) ** 2
    smooth = cv2.blur(power, (9, 9), borderType=cv2.BORDER_REFLECT)
    smooth += 1e-6 * smooth.max() + 1e-20
    return fft.irfft2(spectrum / np.sqrt(smooth), total.shape).astype(np.float32)


def _autocorrelation(plane: Plane) -> NDArray[np.floating]:
    """Circularly indexed autocorrelation, about N(0, 1) where nothing repeats; 0 where overlap is poor."""
    height, width = plane.shape
    shape = fft.next_fast_len(2 * height, real=True), fft.next_fast_len(2 * width, real=True)
    power = np.abs(fft.rfft2(plane, shape)) ** 2
    corr = fft.irfft2(power, shape)
    lag_y = np.minimum(np.arange(shape[0]), shape[0] - np.arange(shape[0]))
    lag_x = np.minimum(np.arange(shape[1]), shape[1] - np.arange(shape[1]))
    overlap = np.maximum(height - lag_y, 0)[:, None] * np.maximum(width - lag_x, 0)[None]
    variance = float(plane.var()) or 1.0
    return np.where(overlap > 0.15 * height * width, corr / np.sqrt(np.maximum(overlap, 1)), 0) / variance


def candidate_poses(plane: Plane) -> list[Pose]:
    """The CANDIDATES most lattice-like poses, best first. Depends on the picture alone, on no key."""
    corr = cv2.dilate(_autocorrelation(plane).astype(np.float32), np.ones((3, 3), np.uint8))
    rows, columns = corr.shape
    scales = np.exp(np.arange(np.log(SCALES[0]), np.log(SCALES[1]), 0.004))
    angles = np.deg2rad(np.arange(-ROTATION_DEG, ROTATION_DEG + 0.1, 0.25))
    scale, angle = np.meshgrid(scales, angles, indexing="ij")
    total, count = np.zeros(scale.shape), np.zeros(scale.shape)
    for m in range(-3, 4):
        for n in range(4):
            if n == 0 and m <= 0:
                continue  # the lattice is symmetric: half of it says everything
            x = np.round(PERIOD * scale * (m * np.cos(angle) - n * np.sin(angle))).astype(int)
            y = np.round(PERIOD * scale * (m * np.sin(angle) + n * np.cos(angle))).astype(int)
            inside = (np.abs(x) < columns // 2) & (np.abs(y) < rows // 2)
            value = np.where(inside, corr[y % rows, x % columns], 0)
            total += value
            count += value != 0
    # 1.6: what the 3 x 3 maximum of pure noise is worth on average.
    score = (total - 1.6 * count) / np.sqrt(np.maximum(count, 1))
    found = []
    for _ in range(CANDIDATES):
        i, j = np.unravel_index(int(score.argmax()), score.shape)
        found.append(Pose(float(scales[i]), float(angles[j])))
        score[max(0, i - 6) : i + 7, max(0, j - 5) : j + 6] = -np.inf
    return found


def rectify(plane: Plane, pose: Pose) -> Plane:
    """The plane at scale 1 and angle 0, a little larger so that corners stay inside."""
    height, width = plane.shape
    out_h, out_w = int(height / pose.scale * 1.15), int(width / pose.scale * 1.15)
    c, s = np.cos(pose.angle) * pose.scale, np.sin(pose.angle) * pose.scale
    turn = np.array([[c, -s], [s, c]])
    offset = np.array([width / 2, height / 2]) - turn @ np.array([out_w / 2, out_h / 2])
    matrix = np.column_stack([turn, offset]).astype(np.float32)
    turned = cv2.warpAffine(plane, matrix, (out_w, out_h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(turned, np.float32)


def fold(plane: Plane) -> Plane:
    """All tiles laid on top of each other: (72, 72)."""
    height, width = plane.shape
    rows, columns = -(-height // PERIOD), -(-width // PERIOD)
    padded = np.zeros((rows * PERIOD, columns * PERIOD), np.float32)
    padded[:height, :width] = plane
    return padded.reshape(rows, PERIOD, columns, PERIOD).sum((0, 2))


def local_fit(plane: Plane, template: Plane) -> Plane | None:
    """Undo a mild perspective: where do windows of `plane` lie relative to the tiled `template` (72, 72)?

    Fits a homography to the measured shifts and returns the warped plane, or None where too few
    windows correlate. Steered by the key's template: see threshold.py on what that costs.
    """
    height, width = plane.shape
    reps = height // PERIOD + 2, width // PERIOD + 2
    reference = np.tile(template, reps)[:height, :width]
    window_h, window_w, reach = int(height * 0.42), int(width * 0.34), 10
    taper = np.outer(np.hanning(window_h), np.hanning(window_w))
    here, there = [], []
    for cy in np.linspace(window_h / 2, height - window_h / 2, 3):
        for cx in np.linspace(window_w / 2, width - window_w / 2, 4):
            y, x = int(cy - window_h / 2), int(cx - window_w / 2)
            part = plane[y : y + window_h, x : x + window_w]
            taper_part = taper[: part.shape[0], : part.shape[1]]
            other = reference[y : y + window_h, x : x + window_w]
            corr = fft.irfft2(fft.rfft2(part * taper_part) * np.conj(fft.rfft2(other)), part.shape)
            near = np.roll(corr, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
            dy, dx = np.unravel_index(int(near.argmax()), near.shape)
            if near[dy, dx] > 4.5 * corr.std():
                here.append((cx, cy))
                there.append((cx + dx - reach, cy + dy - reach))
    if len(here) < 5:
        return None
    points = np.array(here, np.float32), np.array(there, np.float32)
    matrix, _ = cv2.findHomography(*points, cv2.RANSAC, 2.5)
    if matrix is None:
        return None
    inverse = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(plane, matrix, (width, height), flags=inverse), np.float32)
