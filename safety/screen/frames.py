"""Looks at one shot with the detectors that come with Byline: is there anything to see, nudity, faces.

What needs a model of somebody else's (violence, weapons) or looks at the whole clip (text, no-go lists,
agreement with the prompt) has files of its own beside this one; the screening stage asks them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from byline.safety.checks import Check
from byline.safety.screen.faces import faces
from byline.safety.screen.gates import blank_or_frozen, flicker
from byline.safety.screen.guarded import guarded
from byline.safety.screen.nudity import nudity

NAMES = ("output.blank_or_frozen", "output.flicker", "output.nudity", "output.faces")
_MOST, _FEWEST, _PER_SECOND = 8, 3, 2
_SMALLEST, _LARGEST = 448, 640  # width for the detectors; small shots are enlarged


def screen(
    frames: Sequence[np.ndarray], fps: float, *, drawn_by_us: bool, consented: int = 0, most: int = _MOST
) -> tuple[Check, ...]:
    """Check one shot: (T, h, w, 3) uint8 RGB at `fps`, the detectors looking at up to `most` frames.

    `drawn_by_us`: the engine can only draw invented people. `consented`: how many faces the request's
    references cover.
    """
    if not len(frames):
        return tuple(Check(name, "failed", detail="the shot has no frames") for name in NAMES)
    sampled = sample(frames, fps, most)
    return (
        guarded(NAMES[0], lambda: blank_or_frozen(frames)),
        guarded(NAMES[1], lambda: flicker(frames, fps)),
        guarded(NAMES[2], lambda: nudity(sampled)),
        guarded(NAMES[3], lambda: faces(sampled, drawn_by_us=drawn_by_us, consented=consented)),
    )


def sample(frames: Sequence[np.ndarray], fps: float, most: int = _MOST) -> list[np.ndarray]:
    """A few frames over the shot, at a size that detectors work at."""
    seconds = len(frames) / fps
    count = min(len(frames), most, max(_FEWEST, math.ceil(seconds * _PER_SECOND)))
    return [_resized(frames[index]) for index in np.linspace(0, len(frames) - 1, count).round().astype(int)]


def _resized(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    wide = min(_LARGEST, max(_SMALLEST, width))
    if wide == width:
        return frame
    way = cv2.INTER_AREA if wide < width else cv2.INTER_CUBIC
    return cv2.resize(frame, (wide, round(height * wide / width)), interpolation=way)
