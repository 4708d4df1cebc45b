"""How alike two clips look: structural similarity (Wang et al. 2004) of small frames at equal times. Pure.

1 is the same clip; takes that differ in subject or place of things are below 0.5. It says nothing about
what is shown.
"""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from byline.generation.operations.measures import ssim

ALIKE = 0.8  # from here on two takes count as one
_FRAMES, _WIDTH, _HEIGHT = 4, 96, 54


def look(shots: Sequence[np.ndarray]) -> str:
    """A few small frames of the clip as text, for `alike`; `shots` are uint8 RGB (T, h, w, 3)."""
    lengths = np.cumsum([len(shot) for shot in shots])
    small = []
    for place in ((np.arange(_FRAMES) + 0.5) / _FRAMES * lengths[-1]).astype(int):
        number = int(np.searchsorted(lengths, place, side="right"))
        frame = shots[number][place - (lengths[number - 1] if number else 0)]
        small.append(cv2.resize(frame, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA))
    return base64.b64encode(np.stack(small).tobytes()).decode()


def alike(one: str, other: str) -> float:
    """Similarity of two looks, -1 to 1."""
    return float(np.mean([ssim(a, b) for a, b in zip(_frames(one), _frames(other), strict=True)]))


def _frames(text: str) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(text), np.uint8)
    return flat.reshape(_FRAMES, _HEIGHT, _WIDTH, 3)
