"""A made clip that begins, or goes on, with exactly the pixels that were given.

Where the model's own first frame shows the same thing, only what it missed is added and moved along with
the picture (`carried`); where it shows something else, the given picture is faded out (`faded`). Either
way the first frame is the given one, and the facts say by which of the two.
"""

from __future__ import annotations

import cv2
import numpy as np

from byline.generation.compose import interpolation
from byline.generation.operations.measures import follow, ssim

FADE_FRAMES = 8
_SAME = 0.5  # SSIM from which the model's first frame shows the same thing
_DOUBT = 20.0  # grey levels: where the moved frame differs so much, nothing is carried over
CARRIED, FADED = "detail carried along the motion", "cross-fade"


def anchored(
    frames: np.ndarray, picture: np.ndarray, fade: int = FADE_FRAMES, *, follows: bool = True
) -> tuple[np.ndarray, str]:
    """`frames` (T, h, w, 3) beginning with `picture` (h, w, 3), and how it was done.

    `follows` False: the second frame breaks with the first, so that there is no motion to carry it along."""
    if follows and ssim(frames[0], picture) >= _SAME:
        return carried(frames, picture, weights(len(frames), fade)), CARRIED
    return faded(frames, picture, weights(len(frames), fade)), FADED


def weights(count: int, fade: int) -> np.ndarray:
    """(count,) falling smoothly from 1 at the first frame to 0 at frame `fade`."""
    place = np.clip(np.arange(count) / max(1, fade), 0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * place))


def faded(frames: np.ndarray, picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`picture` over `frames`, each with its share."""
    made = frames.copy()
    for index in np.flatnonzero(share > 0):
        made[index] = cv2.addWeighted(picture, float(share[index]), frames[index], 1 - float(share[index]), 0)
    return made


def carried(frames: np.ndarray, picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What `picture` shows beyond frames[0] added to each frame with its share, moved along the flow from
    the first frame, and left out where that frame can no longer be found."""
    made = frames.copy()
    missed = picture.astype(np.float32) - frames[0]
    back: np.ndarray | None = None
    for index in range(1, int(np.flatnonzero(share > 0).max(initial=0)) + 1):
        back = _one_further(back, interpolation.flows(frames[index - 1], frames[index])[1])
        apart = cv2.absdiff(follow(frames[0], back), frames[index]).max(axis=2).astype(np.float32)
        sure = np.exp(-((cv2.GaussianBlur(apart, (0, 0), 1.5) / _DOUBT) ** 2))[..., None]
        value = frames[index] + float(share[index]) * sure * follow(missed, back)
        made[index] = np.clip(value + 0.5, 0, 255).astype(np.uint8)
    first = frames[0] + float(share[0]) * missed
    made[0] = picture if share[0] == 1 else np.clip(first + 0.5, 0, 255).astype(np.uint8)
    return made


def _one_further(back: np.ndarray | None, step: np.ndarray) -> np.ndarray:
    """The flow to the first frame, from the flow of the frame before and this frame's flow to that one."""
    return step if back is None else step + follow(back, step)
