"""Putting the picture mark into frames: where it may be strong, and how it changes over time.

Promises: only luma moves; the energy over a frame is bounded by `psnr_db` and in smooth areas by
`flat_psnr_db`; the pattern never stands still. Two keyed tiles A and B share the energy as
cos(theta) A + sin(theta) B, and theta turns once in about PERIOD frames, so that no dirty window
hangs before a quiet scene and the mean over a clip shows no mark. Start, speed and direction of
the turn come from key and payload: outputs of one key cannot be averaged frame by frame either.
The numbers are shared with the torch path (video_torch.py).
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from byline.provenance.marks.base import Frame
from byline.provenance.marks.patterns import stream
from byline.provenance.marks.video_geometry import SHORT_CHIPS, TILE_CHIPS, Plane

PERIOD = (56, 64)  # frames for one turn: 2.5 s at 24 frames per second
HOLD = 12  # frames between two steps of the turn: a codec pays for every step
BUSY_GAIN, BUSY_CAP = 0.5, 6.0  # amplitude gained per grey level of texture, up to this level
TEXTURED_AREA = 0.15  # share of a frame that must be busy for the full energy
GRAINLESS, DRAWN_LESS = 0.02, 0.25  # gradient energy of a drawn area; amplitude it goes without
MASK_SHORT = 180  # lines on which the mask is computed
ZERO = 128  # what "no change" is in an unsigned plane
REUSE = 3  # frames that one computed change may serve
GLANCE, CUT = 16, 12.0  # every 16th pixel; mean change in grey levels that is a new scene


class Turn:
    """theta for every frame of one clip: radians, constant for HOLD frames."""

    def __init__(self, key: bytes, label: str, payload: int) -> None:
        words = np.frombuffer(stream(key, f"{label}: turn of {payload}", 12), "<u4") / 2.0**32
        period = PERIOD[0] + (PERIOD[1] - PERIOD[0]) * float(words[1])
        self._start = 2 * math.pi * float(words[0])
        self._step = math.copysign(2 * math.pi * HOLD / period, float(words[2]) - 0.5)

    def angles(self) -> Iterator[float]:
        number = 0
        while True:
            yield self._start + self._step * (number // HOLD)
            number += 1


class Painter:
    """Adds the mark to frames of one size.

    The change is computed once for REUSE frames; a cut in between starts it afresh, so that no scene
    is marked by the strengths of another one.
    """

    def __init__(
        self, tiles: NDArray[np.float32], height: int, width: int, levels: tuple[float, float]
    ) -> None:
        self._one, self._other = (spread(tile, height, width) for tile in tiles)
        self._offset = dither(height, width) + ZERO
        self._levels = levels
        self._angle = math.nan
        self._age = 0
        self._glance = np.empty(0, np.int16)
        self._change = np.empty((0, 0, 3), np.uint8)
        self.shape = height, width

    def add(self, frame: Frame, angle: float) -> Frame:
        glance = frame[::GLANCE, ::GLANCE, 1].astype(np.int16)
        self._age += 1
        stale = angle != self._angle or self._age >= REUSE
        if stale or np.abs(glance - self._glance).mean() > CUT:
            self._angle, self._age, self._glance = angle, 0, glance
            pattern = cv2.addWeighted(self._one, math.cos(angle), self._other, math.sin(angle), 0)
            gain = strength(frame, *self._levels)
            wide = cv2.resize(gain, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
            cv2.multiply(wide, pattern, dst=wide)
            cv2.add(wide, self._offset, dst=wide)
            self._change = np.asarray(cv2.cvtColor(cv2.convertScaleAbs(wide), cv2.COLOR_GRAY2RGB), np.uint8)
        return np.asarray(cv2.addWeighted(frame, 1, self._change, 1, -ZERO), np.uint8)


def spread(tile: NDArray[np.float32], height: int, width: int) -> Plane:
    """The tile repeated over (height, width), chips SHORT_CHIPS across the short side, unit RMS."""
    pitch = min(height, width) / SHORT_CHIPS
    rows, columns = (int(np.ceil(side / pitch / TILE_CHIPS)) + 1 for side in (height, width))
    chips = np.tile(tile, (rows, columns))
    offset = 0.5 / pitch - 0.5
    matrix = np.array([[1 / pitch, 0, offset], [0, 1 / pitch, offset]], np.float32)
    pattern = cv2.warpAffine(
        chips,
        matrix,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    unit = np.asarray(pattern, np.float32)
    return unit / rms(unit)


def dither(height: int, width: int) -> Plane:
    """Ordered 2 x 2 offsets before rounding: amplitudes of 1.4 and 1.6 must not become 1 and 2 by area."""
    cell = np.array([[-0.375, 0.125], [0.375, -0.125]], np.float32)
    return np.tile(cell, (-(-height // 2), -(-width // 2)))[:height, :width].copy()


def rms(plane: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(plane * plane)))


def strength(frame: Frame, high: float, flat: float) -> Plane:
    """Amplitude of the mark in grey levels, on a grid with a short side of about MASK_SHORT.

    What the eye forgives: by lightness and by texture. Texture raises it, a lone edge must not:
    mottle beside an edge is what the eye finds first. The smaller eigenvalue of the structure tensor
    is zero along a straight edge and large only where the picture is busy in every direction (Shi &
    Tomasi, CVPR 1994).
    """
    height, width = frame.shape[:2]
    step = max(1, round(min(height, width) / MASK_SHORT))
    small = cv2.resize(frame, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    dx, dy = cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=0.25)
    xx, yy, xy = (cv2.blur(product, (5, 5)) for product in (dx * dx, dy * dy, dx * dy))
    middle, radius = (xx + yy) / 2, np.sqrt((xx - yy) ** 2 / 4 + xy * xy)
    # lambda2 / sqrt(lambda1): curved outlines and letters have a little of the smaller eigenvalue too.
    corners = np.maximum(middle - radius, 0) / np.sqrt(middle + radius + 1e-3)
    # A line of text is busy too, but narrow: only areas that are busy for most of 25 cells gain.
    share = cv2.blur((corners > 1.0).astype(np.float32), (25, 25))
    busy = cv2.blur(cv2.erode(corners, np.ones((3, 3), np.uint8)), (5, 5))
    busy *= np.clip((share - 0.35) / 0.3, 0, 1)
    light = 1.0 + 0.15 * np.clip((100 - luma) / 100, -1, 1)  # the eye sees less in the shadows
    mask = light * (1.0 + BUSY_GAIN * np.minimum(busy, BUSY_CAP))
    # Captions on flat grounds are busy too: a frame earns the higher energy only by area.
    textured = min(float(np.mean(busy > 1.0)) / TEXTURED_AREA, 1.0)
    # Drawn areas without any grain show a mark most and need it least: nothing there hides it.
    drawn = float(np.mean(xx + yy < GRAINLESS))
    level = flat * (1 - drawn * DRAWN_LESS)
    energy = level + textured * (high - level)
    gain = min(level / rms(light), energy / rms(mask))
    return np.asarray(mask * gain, np.float32)
