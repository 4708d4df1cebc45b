"""A mark that somebody burned into a recording: edges that stay where they are while the picture changes.

Over frames of different shots, or of one moving shot, the picture's own edges average out; those of a logo or
of letters laid over it stay (the median gradient of Dekel et al. 2017, "On the effectiveness of visible
watermarks"). Promises: an answer only where the picture changes enough for the question to make sense,
"not checked" otherwise. A broadcaster's own logo and a lower third are found like a stranger's: bring
recordings without them. Rates on drawn clips: bench/curation.py. Leaves out marks that move or fade, and
those too faint to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
WIDTH = 320
LEAST_FRAMES = 5
MOST_FRAMES = 40
_EDGE = 14.0  # levels of the median gradient that count as an edge
_STEADY = 1.5  # median gradient over its median deviation
_LEAST_CHANGE = 6.0  # levels by which half of the picture must vary over the frames
_MOST_STILL = 0.05  # share of the picture; with more steady edges than this the camera stands still
_LEAST_AREA = 60  # px at 320 wide, after closing the gaps between letters
_LEAST_EDGES = 40


@dataclass(frozen=True)
class Overlay:
    """`box` is left, top, width, height as shares of the picture, of the largest find."""

    result: Literal["found", "none", "not checked"]
    box: tuple[float, float, float, float] | None = None


def find(frames: Sequence[Frame]) -> Overlay:
    """Look for a static mark in (h, w, 3) frames that show different things."""
    if len(frames) < LEAST_FRAMES:
        return Overlay("not checked")
    picked = np.unique(np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).round().astype(int))
    height = max(16, round(WIDTH * frames[0].shape[0] / frames[0].shape[1]))
    gradients, light = [], []
    for k in picked:
        small = cv2.resize(np.ascontiguousarray(frames[k]), (WIDTH, height), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
        light.append(grey)
        gradients.append(
            np.stack([cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)], -1) / 4
        )
    if np.median(np.stack(light).std(0)) < _LEAST_CHANGE:
        return Overlay("not checked")
    stack = np.stack(gradients)
    median = np.median(stack, 0)
    spread = np.median(np.abs(stack - median).sum(-1), 0)
    strength = np.abs(median).sum(-1)
    steady = (strength > _EDGE) & (strength > _STEADY * spread)
    steady[:2] = steady[-2:] = False  # the frame's own border
    steady[:, :2] = steady[:, -2:] = False
    if steady.mean() > _MOST_STILL:
        return Overlay("not checked")
    closed = cv2.morphologyEx(steady.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    best = None
    for label in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[label])
        edges = int(steady[labels == label].sum())
        if area >= _LEAST_AREA and edges >= _LEAST_EDGES and (best is None or edges > best[0]):
            best = (edges, (x / WIDTH, y / height, w / WIDTH, h / height))
    return Overlay("found", best[1]) if best else Overlay("none")
