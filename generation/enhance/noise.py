"""Noise off, edges kept: an average along the motion, then over pixels of like colour.

The level of the noise is estimated from the second differences of flat parts (Immerkaer, CVIU 1996, with
the median instead of the mean, so that edges do not count). Neighbouring frames are moved onto the frame
along the optical flow and count by how well they fit; what is left is smoothed by a bilateral filter of
that level. A shot without noise comes back as it was.
"""

import cv2
import numpy as np

from byline.generation.compose.interpolation import flows, follow

VERSION = "flow-average 1"
LEAST = 1.0  # grey levels: below it there is nothing to remove
_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_LOOKED_AT = 5
_REACH = 2  # frames to each side


def level(frames: np.ndarray) -> float:
    """Standard deviation of the noise in grey levels, of (T, h, w, 3) uint8."""
    picked = np.linspace(0, len(frames) - 1, min(len(frames), _LOOKED_AT)).round().astype(int)
    found = []
    for frame in frames[picked]:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
        second = cv2.filter2D(grey, cv2.CV_32F, _LAPLACE)[1:-1, 1:-1]
        # The sum of the squared kernel is 36; mixing three channels leaves .67 of their noise.
        found.append(1.4826 * float(np.median(np.abs(second))) / 6 / 0.67)
    return float(np.median(found))


def denoise(frames: np.ndarray, sigma: float | None = None) -> np.ndarray:
    """The shot with noise of `sigma` grey levels (estimated when None) taken off, same shape."""
    sigma = level(frames) if sigma is None else sigma
    if sigma < LEAST:
        return frames
    return np.stack([_settled(_averaged(frames, number, sigma), sigma) for number in range(len(frames))])


def _averaged(frames: np.ndarray, number: int, sigma: float) -> np.ndarray:
    here = frames[number]
    total = here.astype(np.float32)
    weight = np.ones(here.shape[:2], np.float32)
    for other in range(max(0, number - _REACH), min(len(frames), number + _REACH + 1)):
        if other == number:
            continue
        moved = _onto(here, frames[other])
        difference = cv2.blur(cv2.absdiff(here, moved).astype(np.float32), (5, 5)).max(axis=2)
        # Two noisy pictures of one thing differ by 1.13 sigma in the mean; what differs more moved.
        counts = np.exp(-((np.maximum(difference - 1.13 * sigma, 0) / sigma) ** 2)).astype(np.float32)
        total += moved * counts[..., None]
        weight += counts
    return np.asarray(total / weight[..., None], np.float32)


def _onto(here: np.ndarray, other: np.ndarray) -> np.ndarray:
    height, width = here.shape[:2]
    forward, _ = flows(cv2.GaussianBlur(here, (0, 0), 1.0), cv2.GaussianBlur(other, (0, 0), 1.0))
    wide = cv2.resize(forward * (width / forward.shape[1]), (width, height))
    return follow(other, wide)


def _settled(picture: np.ndarray, sigma: float) -> np.ndarray:
    left = max(sigma * 1.6, 4.0)  # what an average over up to five frames leaves, with room
    smooth = cv2.bilateralFilter(picture, 7, left * 1.5, 2.0)
    return np.clip(smooth + 0.5, 0, 255).astype(np.uint8)
