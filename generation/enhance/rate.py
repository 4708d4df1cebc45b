"""Twice the frames in the same time, each new one moved along the flow between its neighbours."""

from collections.abc import Iterator

import numpy as np

from byline.generation.compose.interpolation import Shot


def double(frames: np.ndarray) -> Iterator[np.ndarray]:
    """2 T frames of (T, h, w, 3) uint8, one at a time. The last one is held: nothing follows it."""
    height, width = frames.shape[1:3]
    shot = Shot(frames, (width, height))
    for number in range(len(frames)):
        yield frames[number]
        yield shot.at(number + 0.5) if number + 1 < len(frames) else frames[number].copy()
