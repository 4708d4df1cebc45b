"""How near two pictures are, and whether one stretch of frames goes on from another. Pure.

These compare a result with the editor's own pixels. None of them says how well a prompt was followed.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

_STILL = 1.5  # grey levels: between frames of a clip at rest a model changes that much
_AROUND = 4  # steps on each side of a seam that say how much is usual there
CONTINUOUS = 0.4  # a seam at least so continuous is not seen as a cut
_ALIKE = 0.35  # SSIM below which two neighbouring frames show something else


def psnr(first: np.ndarray, second: np.ndarray, where: np.ndarray | None = None) -> float:
    """Decibels over all values, or those where `where` (bool (h, w) or (T, h, w)) holds; 99 when equal."""
    difference = first.astype(np.float32) - second.astype(np.float32)
    if where is not None:
        difference = difference[np.broadcast_to(where, difference.shape[:-1])]
    error = float(np.mean(difference**2)) if difference.size else 0.0
    return 99.0 if error == 0 else float(min(99.0, 10 * np.log10(255**2 / error)))


def ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Mean structural similarity of the luma of two pictures (Wang et al. 2004: Gaussian of 1.5, 11 x 11)."""
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float64) for p in (first, second))

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))

    mean_a, mean_b = mean(a), mean(b)
    spread = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    shared = mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    inner = (slice(5, -5),) * 2 if min(a.shape) > 10 else ()  # where the window lies inside
    return float(np.mean((score / ((mean_a**2 + mean_b**2 + c1) * (spread + c2)))[inner]))


def structure(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of where the edges of two pictures are, whatever their colours: 1 the same, 0 none."""
    edges = []
    for picture in (first, second):
        grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), picture.shape[1] / 200)
        across, down = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
        strong = cv2.GaussianBlur(cv2.magnitude(across, down), (0, 0), picture.shape[1] / 100)
        edges.append(np.asarray(strong, np.float64).ravel())
    a, b = (one - one.mean() for one in edges)
    both = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / both if both > 1e-6 else 0.0


def steps(frames: np.ndarray) -> np.ndarray:
    """Mean absolute change from each frame to the next in grey levels, (T - 1,)."""
    return np.array([float(np.mean(cv2.absdiff(a, b))) for a, b in itertools.pairwise(frames)], np.float64)


def continuity(before: np.ndarray, after: np.ndarray) -> float:
    """How well `after` goes on from `before`, both (T, h, w, 3): 1 when the step between them is no larger
    than usual around it, 1/k when it is k times as large, 0 when they show different things."""
    seam = float(np.mean(cv2.absdiff(before[-1], after[0])))
    near = np.concatenate([steps(before[-_AROUND - 1 :]), steps(after[: _AROUND + 1])])
    usual = max(float(np.median(near)) if near.size else 0.0, _STILL)
    if seam > usual and ssim(before[-1], after[0]) < _ALIKE:
        return 0.0
    return min(1.0, usual / seam) if seam else 1.0


def warp_error(frames: np.ndarray) -> float:
    """Grey levels that are left when each frame is moved onto the next along the optical flow."""
    from byline.generation.compose import interpolation

    left = []
    for here, there in itertools.pairwise(frames):
        forward, _ = interpolation.flows(here, there)
        left.append(float(np.mean(cv2.absdiff(follow(there, forward), here))))
    return float(np.mean(left)) if left else 0.0


def follow(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Each pixel from where `flow` points, (h, w, 2) in pixels of its own width; same size and type."""
    height, width = picture.shape[:2]
    moved = cv2.resize(flow * (width / flow.shape[1]), (width, height), interpolation=cv2.INTER_LINEAR)
    x = moved[..., 0] + np.arange(width, dtype=np.float32)
    y = moved[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
