"""Motion amount for a model that has no such condition: the shot shows less of its own motion. Pure.

The frames in between are moved along the optical flow (compose/interpolation.py), so that the shot keeps
its length and rate; 1 leaves it as it is. Amounts near 0 keep a little, or the shot would be a still.
"""

import numpy as np

from byline.generation.compose.interpolation import Shot

LEAST = 0.1  # of the shot's own motion


def retimed(shot: np.ndarray, motion: float) -> np.ndarray:
    """The shot (T, h, w, 3) with `motion` (0..1) of its motion, around its middle; same shape."""
    share = LEAST + (1 - LEAST) * motion
    if share >= 1 or len(shot) < 2:
        return shot
    height, width = shot.shape[1:3]
    source, last = Shot(shot, (width, height)), len(shot) - 1
    places = last * ((1 - share) / 2 + share * np.linspace(0, 1, len(shot)))
    return np.stack([source.at(float(place)) for place in places])
