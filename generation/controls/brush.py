"""Motion brush: what lies under a painted mask moves one way, the rest stays. Pure.

The region is cut out of each frame, the hole behind it is filled from its surroundings (Telea 2004), and
the cut-out is laid down again further along, with a soft edge. It is recorded as that: the model is not
asked, so limbs do not walk and shadows stay behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput

DIRECTIONS = {"right": 0.0, "down": 90.0, "left": 180.0, "up": 270.0}
REACH = 0.35  # of the picture's width: how far amount 1 carries the region
_FILL_WIDTH = 320
_SOFT = 0.006  # of the width: radius of the edge


def check(value: Any) -> dict[str, Any]:
    """{"direction": degrees clockwise from the right, or a word, "amount": 0..1}, as it is stored."""
    if not isinstance(value, Mapping) or set(value) - {"amount"} != {"direction"}:
        raise InvalidInput("brush has a direction and perhaps an amount.")
    direction, amount = value["direction"], value.get("amount", 0.5)
    if isinstance(direction, str):
        if direction not in DIRECTIONS:
            raise InvalidInput("There is no such direction.", help=f"{', '.join(DIRECTIONS)}, or degrees.")
        direction = DIRECTIONS[direction]
    for name, one, low, high in (("direction", direction, 0, 360), ("amount", amount, 0.02, 1)):
        if isinstance(one, bool) or not isinstance(one, int | float) or not low <= one <= high:
            raise InvalidInput(f"brush.{name} is a number from {low:g} to {high:g}.")
    return {"direction": float(direction), "amount": float(amount)}


def travel(brush: Mapping[str, float], width: int) -> tuple[float, float]:
    """How far the region gets by the last frame, in pixels right and down."""
    angle, far = math.radians(brush["direction"]), brush["amount"] * REACH * width
    return far * math.cos(angle), far * math.sin(angle)


def moved(shot: np.ndarray, mask: np.ndarray, brush: Mapping[str, float]) -> np.ndarray:
    """The shot (T, h, w, 3) with the masked region on its way; `mask` (h', w') uint8, 255 inside, of any size
    but the shot's aspect. InvalidInput when it covers all or nothing at this size."""
    count, height, width = shot.shape[:3]
    fitted = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    inside = (fitted >= 128).astype(np.uint8)
    if not 0 < int(inside.sum()) < inside.size:
        raise InvalidInput("The brush covers nothing, or everything, at the size of the clip.")
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), max(0.6, _SOFT * width))
    right, down = travel(brush, width)
    done = []
    for number, frame in enumerate(shot):
        share = number / max(1, count - 1)
        shift = np.array([[1, 0, right * share], [0, 1, down * share]], np.float32)
        layer = cv2.warpAffine(frame, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
        weight = cv2.warpAffine(soft, shift, (width, height))[..., None]
        ground = _filled(frame, inside) if number else frame
        done.append((layer * weight + ground * (1 - weight) + 0.5).astype(np.uint8))
    return np.stack(done)


def _filled(frame: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The frame without the region. Filled at a small size: the filling has no detail anyway."""
    height, width = inside.shape
    hole = cv2.dilate(inside, np.ones((3, 3), np.uint8), iterations=max(1, round(_SOFT * width * 2)))
    scale = min(1.0, _FILL_WIDTH / width)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    gap = (cv2.resize(hole, size, interpolation=cv2.INTER_NEAREST) > 0).astype(np.uint8)
    filled = cv2.inpaint(np.ascontiguousarray(small), gap, 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None] > 0, filled, frame)
