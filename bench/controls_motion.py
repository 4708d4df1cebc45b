"""Motion in finished frames, for bench/controls.py and the tests: of the camera, and of a region.

The camera is a similarity fitted to tracked corners (Lucas-Kanade, RANSAC), so it owes nothing to the code
that moves pictures. One large thing that moves before a plain ground looks like a camera to it. Optical
flow is DIS (Kroeger et al. 2016).
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

_WIDTH = 160


@dataclass(frozen=True)
class Ego:
    """The camera over a whole shot: shift in shares of the width and height (right and down are positive
    for the camera, not for what is seen), enlargement (1 is none), and roll in degrees, clockwise."""

    x: float
    y: float
    zoom: float
    roll: float

    def beyond(self, other: "Ego") -> "Ego":
        """What this motion has that another has not: both measured on the same contents."""
        return Ego(self.x - other.x, self.y - other.y, self.zoom / other.zoom, self.roll - other.roll)

    def move(self) -> str:
        """The enumerated camera move that this is, by its largest part; static when nothing is."""
        parts = {
            "pan_right" if self.x > 0 else "pan_left": abs(self.x) / 0.04,
            "tilt_down" if self.y > 0 else "tilt_up": abs(self.y) / 0.04,
            "zoom_in" if self.zoom > 1 else "zoom_out": abs(np.log(self.zoom)) / 0.08,
            "roll_right" if self.roll > 0 else "roll_left": abs(self.roll) / 2.5,
        }
        best = max(parts, key=lambda name: parts[name])
        return best if parts[best] >= 1 else "static"


def ego(shot: np.ndarray) -> Ego:
    """The camera's motion through a shot (T, h, w, 3) uint8, from each frame to the next, summed."""
    grey = [_small(frame) for frame in shot]
    height, width = grey[0].shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    x = y = turn = grown = 0.0
    for one, other in itertools.pairwise(grey):
        seen = _aligned(one, other)  # where a point of `one` is in `other`
        shift = seen @ middle - middle[:2]
        x, y = x - shift[0] / width, y - shift[1] / height
        grown += 0.5 * np.log(max(1e-6, np.linalg.det(seen[:, :2])))
        turn -= np.degrees(np.arctan2(seen[1, 0], seen[0, 0]))
    return Ego(float(x), float(y), float(np.exp(grown)), float(turn))


def mean_flow(shot: np.ndarray) -> float:
    """Mean length of the optical flow from frame to frame, in per cent of the width."""
    return float(np.mean([np.linalg.norm(f, axis=-1).mean() for f in _flows(shot)]) * 100 / _WIDTH)


def regional_flow(shot: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """(mean vector inside, mean length outside) of the flow over the first third of the shot, while the
    region is still where it was painted, in per cent of the width per frame."""
    flows = _flows(shot[: max(2, len(shot) // 3)])
    inside = cv2.resize(mask, flows[0].shape[1::-1], interpolation=cv2.INTER_AREA) >= 250
    outside = ~cv2.dilate(inside.astype(np.uint8), np.ones((13, 13), np.uint8)).astype(bool)
    within = np.mean([flow[inside].mean(axis=0) for flow in flows], axis=0)
    beyond = np.mean([np.linalg.norm(flow[outside], axis=-1).mean() for flow in flows])
    return within * 100 / _WIDTH, float(beyond) * 100 / _WIDTH


def _small(frame: np.ndarray) -> np.ndarray:
    height = round(frame.shape[0] * _WIDTH / frame.shape[1])
    small = cv2.resize(frame, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def _aligned(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The similarity, 2 x 3, from points of `one` to points of `other`; identity where none is found."""
    corners = cv2.goodFeaturesToTrack(one, 300, 0.005, 4)
    if corners is None:  # too little to see in it
        return np.eye(2, 3)
    there, seen, _ = cv2.calcOpticalFlowPyrLK(one, other, corners, np.empty_like(corners))
    kept = seen.ravel() == 1
    cv2.setRNGSeed(7)
    found, _ = cv2.estimateAffinePartial2D(
        corners[kept], there[kept], method=cv2.RANSAC, ransacReprojThreshold=0.6
    )
    return np.eye(2, 3) if found is None else np.asarray(found, dtype=np.float64)


def _flows(shot: np.ndarray) -> list[np.ndarray]:
    grey = [_small(frame) for frame in shot]
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    finder.setFinestScale(0)
    return [finder.calc(one, other, None) for one, other in itertools.pairwise(grey)]
