"""Putting a made picture into a given one: outside the mask nothing changes, not by one grey level. Pure.

A mask is uint8, 255 where things may change. The seam lies inside of it: the made picture fades in from the
mask's edge over `feather` pixels, after its colours were brought to those around the mask.
"""

from __future__ import annotations

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput

_RING = 7  # pixels around the mask whose colours both pictures should share
_MOST = 40.0  # grey levels that colours are moved at most; more is another scene, not another tint


def checked(mask: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The mask as uint8 (T, h, w) of 0 and 255, one for each frame, in their size. InvalidInput when it has
    another shape: it may have been painted at another size."""
    height, width = frames.shape[1:3]
    if mask.dtype != np.uint8 or mask.ndim not in (2, 3) or not same_shape(mask.shape[-2:], (height, width)):
        raise InvalidInput(
            "the mask does not fit the picture", help="One channel, the picture's shape, white may change."
        )
    if mask.ndim == 3 and len(mask) != len(frames):
        raise InvalidInput(
            "the mask has another number of frames than the clip", help="Send one, or as many."
        )
    sized = [
        cv2.resize(one, (width, height), interpolation=cv2.INTER_NEAREST)
        for one in (mask if mask.ndim == 3 else mask[None])
    ]
    hard = np.where(np.stack(sized) >= 128, 255, 0).astype(np.uint8)
    if not hard.any():
        raise InvalidInput("the mask is empty: nothing may change", help="Paint what may change in white.")
    return np.ascontiguousarray(np.broadcast_to(hard, frames.shape[:3]))


def same_shape(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two (height, width) have the same aspect, but for rounding."""
    if min(*first, *second) < 1:
        return False
    return abs(np.log(first[0] * second[1] / (first[1] * second[0]))) < 2 / min(*first, *second)


def alpha(mask: np.ndarray, feather: float) -> np.ndarray:
    """float32 (h, w): 0 outside the mask (h, w), rising over `feather` pixels from its edge inwards.

    The picture's border is no edge of the mask: what reaches it is changed right up to it."""
    if feather <= 0:
        return (mask >= 128).astype(np.float32)
    reach = int(np.ceil(feather)) + 1
    wide = cv2.copyMakeBorder(
        (mask >= 128).astype(np.uint8), reach, reach, reach, reach, cv2.BORDER_REPLICATE
    )
    depth = cv2.distanceTransform(wide, cv2.DIST_L2, 5)[reach:-reach, reach:-reach]
    rising = np.clip(depth / (feather + 1), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * rising), dtype=np.float32)


def composite(given: np.ndarray, made: np.ndarray, mask: np.ndarray, feather: float) -> np.ndarray:
    """`made` in `given`, both (h, w, 3), where `mask` (h, w) lets it; equal to `given` outside."""
    share = alpha(mask, feather)[..., None]
    mixed = given + share * (made.astype(np.float32) - given)
    return np.where(share > 0, np.clip(mixed + 0.5, 0, 255).astype(np.uint8), given)


def tinted(given: np.ndarray, made: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`made` in the tint that `given` has just outside the mask, (h, w, 3)."""
    kernel = np.ones((2 * _RING + 1, 2 * _RING + 1), np.uint8)
    ring = (cv2.dilate(mask, kernel) >= 128) & (mask < 128)
    if not ring.any():
        return made
    # The median: what stands on one side of the mask only is no tint.
    apart = np.median(given[ring].astype(np.float32) - made[ring], axis=0)
    shifted = made + np.clip(apart, -_MOST, _MOST)
    return np.clip(shifted + 0.5, 0, 255).astype(np.uint8)


def box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, width and height in per cent of the picture that hold every mask of (T, h, w)."""
    any_frame = mask.max(axis=0) >= 128
    rows, columns = np.flatnonzero(any_frame.any(axis=1)), np.flatnonzero(any_frame.any(axis=0))
    height, width = any_frame.shape
    left, top = 100 * columns[0] / width, 100 * rows[0] / height
    wide, tall = 100 * (columns[-1] + 1) / width - left, 100 * (rows[-1] + 1) / height - top
    return round(left, 2), round(top, 2), round(wide, 2), round(tall, 2)


def extended(frames: np.ndarray, aspect: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(T, h, w, 3) in the middle of a canvas of another aspect (width, height), edges drawn out, and the
    mask (h, w) of what was added. InvalidInput when nothing is added or more than four times the picture."""
    height, width = frames.shape[1:3]
    wide = max(width, round(height * aspect[0] / aspect[1]))
    tall = max(height, round(width * aspect[1] / aspect[0]))
    if (wide, tall) == (width, height):
        raise InvalidInput("the canvas has that shape already", help="Choose another aspect.")
    if wide * tall > 5 * width * height:
        raise InvalidInput(
            "the canvas would be more than five times the picture", help="Choose a nearer aspect."
        )
    left, top = (wide - width) // 2, (tall - height) // 2
    edges = (top, tall - height - top, left, wide - width - left)
    larger = np.stack([cv2.copyMakeBorder(frame, *edges, cv2.BORDER_REPLICATE) for frame in frames])
    mask = np.full((tall, wide), 255, np.uint8)
    mask[top : top + height, left : left + width] = 0
    return larger, mask
