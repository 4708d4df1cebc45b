"""Camera moves on finished frames: a window that travels over the picture. Pure.

A pose is {x, y, zoom, roll}: the window's centre as shares of the picture (0 is its middle, x to the
right, y downwards), the enlargement, and the camera's roll in degrees, clockwise. The window never leaves
the picture: where a pose would, it is enlarged until it does not, and the result says so. A pan to the
right moves what is seen to the left. Parallax is left out: this is a warp, and recorded as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput

MAX_KEYS = 32
_BOUNDS = {"t": (0.0, 1.0), "x": (-0.5, 0.5), "y": (-0.5, 0.5), "zoom": (1.0, 4.0), "roll": (-45.0, 45.0)}
_MAX_ZOOM = 6.0  # with what a roll or a far centre adds
_WORKING_WIDTH = 640  # small frames are enlarged first, so that a warp does not blur them


@dataclass(frozen=True)
class Pose:
    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0
    roll: float = 0.0


_PAN = 0.11  # of the picture, to each side; the zoom below leaves room for it
_CLOSE = 1.3
MOVES: dict[str, tuple[Pose, Pose]] = {
    "static": (Pose(), Pose()),
    "pan_left": (Pose(x=_PAN, zoom=_CLOSE), Pose(x=-_PAN, zoom=_CLOSE)),
    "pan_right": (Pose(x=-_PAN, zoom=_CLOSE), Pose(x=_PAN, zoom=_CLOSE)),
    "tilt_up": (Pose(y=_PAN, zoom=_CLOSE), Pose(y=-_PAN, zoom=_CLOSE)),
    "tilt_down": (Pose(y=-_PAN, zoom=_CLOSE), Pose(y=_PAN, zoom=_CLOSE)),
    "zoom_in": (Pose(), Pose(zoom=1.5)),
    "zoom_out": (Pose(zoom=1.5), Pose()),
    "roll_left": (Pose(zoom=1.45, roll=6.0), Pose(zoom=1.45, roll=-6.0)),
    "roll_right": (Pose(zoom=1.45, roll=-6.0), Pose(zoom=1.45, roll=6.0)),
}


def check_path(value: Any) -> list[dict[str, float]]:
    """A keyframed path as it is stored: t from 0 to 1 of the clip, rising; what a key leaves out is that of
    the key before. InvalidInput names the key."""
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_KEYS:
        raise InvalidInput(f"camera_path is a list of 2 to {MAX_KEYS} key frames.")
    keys: list[dict[str, float]] = []
    last = {"x": 0.0, "y": 0.0, "zoom": 1.0, "roll": 0.0}
    for number, given in enumerate(value, start=1):
        if not isinstance(given, Mapping) or "t" not in given or set(given) - set(_BOUNDS):
            raise InvalidInput(f"Key frame {number} of camera_path has t and some of x, y, zoom, roll.")
        for name, one in given.items():
            low, high = _BOUNDS[name]
            fits = isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
            if not fits or not low <= one <= high:
                raise InvalidInput(f"Key frame {number} of camera_path: {name} is {low:g} to {high:g}.")
        last = {**last, **{name: float(one) for name, one in given.items()}}
        if keys and last["t"] <= keys[-1]["t"]:
            raise InvalidInput(f"Key frame {number} of camera_path: t must rise.")
        keys.append(last)
    return keys


def on_path(keys: Sequence[Mapping[str, float]], t: float) -> Pose:
    """The pose at `t` (0..1), linear between key frames and still outside them."""
    times = [key["t"] for key in keys]
    return Pose(**{n: float(np.interp(t, times, [k[n] for k in keys])) for n in ("x", "y", "zoom", "roll")})


def in_move(name: str, t: float) -> Pose:
    """The pose of a named move at `t` (0..1). Speed is constant, so that cuts do not stop the camera."""
    first, last = MOVES[name]
    return Pose(**{n: getattr(first, n) * (1 - t) + getattr(last, n) * t for n in ("x", "y", "zoom", "roll")})


def needed_zoom(pose: Pose, width: int, height: int) -> float:
    """The smallest enlargement, not below the pose's own, at which the window stays within the picture."""
    angle = math.radians(abs(pose.roll))
    half_w = (width * math.cos(angle) + height * math.sin(angle)) / 2
    half_h = (width * math.sin(angle) + height * math.cos(angle)) / 2
    room_x, room_y = width * (0.5 - abs(pose.x)), height * (0.5 - abs(pose.y))
    if min(room_x, room_y) <= 0:
        return _MAX_ZOOM
    return min(_MAX_ZOOM, max(pose.zoom, half_w / room_x, half_h / room_y))


def look(frame: np.ndarray, pose: Pose) -> np.ndarray:
    """What the window shows, in the frame's own size; uint8 RGB (h, w, 3)."""
    height, width = frame.shape[:2]
    zoom = needed_zoom(pose, width, height)
    room = max(0.0, 0.5 - 0.5 / zoom)  # at the highest zoom a centre at the very edge is moved in
    x, y = (float(np.clip(c, -room, room)) if zoom == _MAX_ZOOM else c for c in (pose.x, pose.y))
    turn = math.radians(pose.roll)
    a, b = math.cos(turn) / zoom, math.sin(turn) / zoom
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    # Output pixel -> source pixel: the camera turns clockwise, so its window does, too.
    linear = np.array([[a, -b], [b, a]])
    centre = middle + np.array([x * width, y * height])
    matrix = np.column_stack([linear, centre - linear @ middle])
    return cv2.warpAffine(
        frame,
        matrix.astype(np.float32),
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def enlarged(shot: np.ndarray) -> np.ndarray:
    """The shot at a size at which a warp keeps edges crisp; large ones as they are."""
    from byline.generation.compose.interpolation import enlarge

    height, width = shot.shape[1:3]
    if width >= _WORKING_WIDTH:
        return shot
    factor = min(4.0, _WORKING_WIDTH / width)
    size = (round(width * factor / 2) * 2, round(height * factor / 2) * 2)
    return np.stack([enlarge(frame, size) for frame in shot])


def filmed(shot: np.ndarray, poses: Sequence[Pose]) -> np.ndarray:
    """The shot (T, h, w, 3) through the window, one pose a frame."""
    return np.stack([look(frame, pose) for frame, pose in zip(shot, poses, strict=True)])


def widest(poses: Sequence[Pose], width: int, height: int) -> float:
    """How much of the asked-for zoom had to be added at most, for the record; 0 where none."""
    return round(max(needed_zoom(pose, width, height) - pose.zoom for pose in poses), 3)
