"""How the camera moved: shift and turn from frame to frame, found on corners all over the picture.

Corners are tracked (Lucas-Kanade) and a similarity fitted to them by RANSAC. It counts as the camera only
when the corners that agree are spread over the picture: one thing that moves before a plain ground is none.
"""

import itertools

import cv2
import numpy as np

VERSION = "corners 1"
_WIDTH = 320  # pictures are compared at this width at most
_CORNERS, _FEWEST, _SPREAD = 200, 8, 0.35


def steps(frames: np.ndarray) -> np.ndarray:
    """(T - 1, 3) float64 of (T, h, w, 3) uint8: shift x and y in pixels of these frames and turn in
    radians, from each frame to the next; zeros where no camera can be told."""
    height, width = frames.shape[1:3]
    scale = min(1.0, _WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = [
        cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        for frame in frames
    ]
    found = [_step(one, other) for one, other in itertools.pairwise(grey)]
    moved = np.array(found, float).reshape(-1, 3)
    moved[:, :2] /= scale
    return moved


def jerk(frames: np.ndarray) -> float | None:
    """RMS of the second difference of the camera's steps, in per cent of the width per frame cubed. None
    where the clip has under four frames or no camera movement was found."""
    moved = steps(frames)
    if len(moved) < 3 or not moved.any():
        return None
    # Turns count by how far they move the sides of the picture.
    path = moved * np.array([1.0, 1.0, frames.shape[2] / 2]) * (100 / frames.shape[2])
    return float(np.sqrt((np.diff(path, n=2, axis=0) ** 2).sum(axis=1).mean()))


def _step(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    corners = cv2.goodFeaturesToTrack(one, _CORNERS, 0.01, 5)
    if corners is None or len(corners) < _FEWEST:
        return 0.0, 0.0, 0.0
    there, seen, _ = cv2.calcOpticalFlowPyrLK(one, other, corners, np.empty_like(corners))
    kept = seen.ravel() == 1
    here, there = corners[kept], there[kept]
    if len(here) < _FEWEST:
        return 0.0, 0.0, 0.0
    cv2.setRNGSeed(7)
    matrix, agree = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=1.0)
    if matrix is None or int(agree.sum()) < max(_FEWEST, len(here) // 2):
        return 0.0, 0.0, 0.0
    spread = np.ptp(here[agree.ravel() == 1].reshape(-1, 2), axis=0) / np.array(one.shape[::-1])
    if spread.min() < _SPREAD:
        return 0.0, 0.0, 0.0
    middle = np.array([one.shape[1] / 2, one.shape[0] / 2, 1.0])
    shift = matrix @ middle - middle[:2]
    return float(shift[0]), float(shift[1]), float(np.arctan2(matrix[1, 0], matrix[0, 0]))
