"""A steady camera: the path of the camera is smoothed and each frame put where the smooth path wants it.

The borders that this uncovers are cut off by enlarging the picture by as much as was needed, up to
MOST_ZOOM. Where no camera can be told from what moves before it (a ball in a plain sky), nothing is done.
"""

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from byline.generation.quality.camera import steps

VERSION = "smooth path 1"
MOST_ZOOM = 1.1
_SMOOTH_S = 0.5


def stabilise(frames: np.ndarray, fps: float) -> np.ndarray:
    """(T, h, w, 3) uint8 at `fps`, with the shake of the camera taken out; same shape."""
    moved = steps(frames)
    if len(frames) < 4 or not moved.any():
        return frames
    height, width = frames.shape[1:3]
    path = np.concatenate([np.zeros((1, 3)), np.cumsum(moved, axis=0)])
    smooth = gaussian_filter1d(path, max(1.0, _SMOOTH_S * fps), axis=0, mode="nearest")
    away = smooth - path
    room = (MOST_ZOOM - 1) / 2 * np.array([width, height])
    away[:, :2] = np.clip(away[:, :2], -room, room)
    away[:, 2] = np.clip(away[:, 2], -0.05, 0.05)
    shifts = np.abs(away[:, :2]).max(axis=0) / np.array([width, height])
    turn = float(np.abs(away[:, 2]).max()) * max(width / height, height / width)
    zoom = float(min(MOST_ZOOM + 0.05, 1 + 2 * shifts.max() + turn))
    return np.stack([_placed(frame, off, zoom) for frame, off in zip(frames, away, strict=True)])


def _placed(frame: np.ndarray, away: np.ndarray, zoom: float) -> np.ndarray:
    """Moved by `away` (x, y in pixels, turn in radians) and enlarged from the middle."""
    height, width = frame.shape[:2]
    middle = width / 2, height / 2
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, -float(np.degrees(away[2])), zoom))
    matrix[:, 2] = matrix[:, 2] + away[:2] * zoom
    moved = cv2.warpAffine(
        frame, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)
