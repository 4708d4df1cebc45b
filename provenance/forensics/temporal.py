"""Temporal cues of video: how the picture changes from one sampled frame to the next.

Generated clips may flicker, move against their own texture, or repeat one noise pattern; so do
bad compression, frame-rate conversion and animation. No labelled video was available to us, so no
rate is known: features only, for a newsroom's own calibration. Frames come from the decoder's even
sampling (at most 8 a second), so flicker above 4 Hz is not seen.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from byline.provenance.forensics.base import Extractor, NotApplicable, Sample
from byline.provenance.forensics.frequency import luma, residual

MIN_FRAMES = 6
MAX_PAIRS = 16
FLOW_SIDE = 160  # the long side on which motion is estimated

_NAMES = (
    "difference_mean",
    "difference_spread",
    "difference_kurtosis",
    "second_to_first_difference",
    "flow_magnitude",
    "flow_forward_backward_error",
    "flow_forward_backward_p90",
    "flow_unsteadiness",
    "motion_compensated_residual",
    "luma_flicker",
    "sharpness_flicker",
    "noise_correlation_mean",
    "noise_correlation_spread",
)


def _compute(sample: Sample) -> NDArray[np.float64]:
    frames = [f for f in sample.media.frames if f.shape == sample.media.frames[0].shape]
    if len(frames) < MIN_FRAMES:
        raise NotApplicable(f"fewer than {MIN_FRAMES} frames to compare")
    start = max(0, (len(frames) - MAX_PAIRS - 1) // 2)
    chosen = frames[start : start + MAX_PAIRS + 1]  # neighbours: even sampling would skip frames
    small = [_shrink(luma(frame)) for frame in chosen]
    return np.array(
        [*_differences(small), *_motion(small), *_flicker(small), *_noise(chosen)],
        np.float64,
    )


def _shrink(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    scale = min(1.0, FLOW_SIDE / max(picture.shape))
    size = max(16, round(picture.shape[1] * scale)), max(16, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _differences(small: list[NDArray[np.float32]]) -> list[float]:
    stack = np.stack(small)
    first, second = np.diff(stack, axis=0), np.diff(stack, 2, axis=0)
    spread = float(first.std()) + 1e-3
    kurtosis = float(np.mean((first / spread) ** 4))
    energy = float(np.mean(second**2)) / (float(np.mean(first**2)) + 1e-3)
    return [float(np.abs(first).mean()), spread, np.log1p(kurtosis), energy]


def _motion(small: list[NDArray[np.float32]]) -> list[float]:
    """Farneback flow both ways: a motion that cannot be undone was no motion of the scene."""
    height, width = small[0].shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    magnitudes, errors, tails, leftovers, flows = [], [], [], [], []
    for before, after in pairwise(small):
        forth, back = _flow(before, after), _flow(after, before)
        target = grid + forth
        returned = cv2.remap(back, target[..., 0], target[..., 1], cv2.INTER_LINEAR)
        error = np.linalg.norm(forth + returned, axis=-1)
        moved = cv2.remap(after, target[..., 0], target[..., 1], cv2.INTER_LINEAR)
        magnitudes.append(float(np.linalg.norm(forth, axis=-1).mean()))
        errors.append(float(error.mean()))
        tails.append(float(np.percentile(error, 90)))
        leftovers.append(float(np.abs(moved - before).mean()))
        flows.append(forth)
    change = [float(np.linalg.norm(b - a, axis=-1).mean()) for a, b in pairwise(flows)]
    scale = np.mean(magnitudes) + 0.1
    return [
        float(np.mean(magnitudes)),
        float(np.mean(errors)),
        float(np.mean(tails)),
        float(np.mean(change) / scale),
        float(np.mean(leftovers)),
    ]


def _flow(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    first, second = before.astype(np.uint8), after.astype(np.uint8)
    flow = cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 2, 5, 1.2, 0)  # type: ignore[call-overload]
    return np.asarray(flow, np.float32)


def _flicker(small: list[NDArray[np.float32]]) -> list[float]:
    light = np.array([picture.mean() for picture in small])
    sharp = np.array([cv2.Laplacian(picture, cv2.CV_32F).std() for picture in small])
    return [
        float(np.diff(light, 2).std()),
        float(np.diff(sharp, 2).std() / (sharp.mean() + 1e-3)),
    ]


def _noise(frames: list[NDArray[np.uint8]]) -> list[float]:
    """Correlation of neighbouring noise residuals: sensor noise is new in every frame, a texture is not."""
    rows = []
    for frame in frames:
        part = residual(frame).ravel()
        norm = float(np.linalg.norm(part))
        if norm < 1e-3:
            raise NotApplicable("the pictures hold no noise to compare")
        rows.append(part / norm)
    values = [float(a @ b) for a, b in pairwise(rows)]
    return [float(np.mean(values)), float(np.std(values))]


EXTRACTOR = Extractor(
    source="temporal",
    version="temporal-1",
    kinds=frozenset({"video"}),
    names=_NAMES,
    limits="Frame to frame changes; animation, cuts, stabilisation and heavy compression look alike.",
    compute=_compute,
)
