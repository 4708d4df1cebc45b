"""Quality gates: is there anything to see, does it move, and does it flash dangerously?

Blank and frozen shots are blocked, as nobody wants them; flashing is held, as some do. A flash is what
WCAG 2.2 success criterion 2.3.1 calls a general flash: a pair of opposing changes of relative luminance
by 0.1 or more, the darker below 0.8, over a quarter of the picture; over three within a second can
cause seizures. Red flashes are not told apart. Thresholds and rates: docs/screening.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from byline.safety.checks import Check

BLANK_SPREAD = 10.0  # levels between the darkest and the lightest small part, in any channel
FROZEN_CHANGE = 3.0  # levels that some small part must differ by at some time
FLASH_STEP, FLASH_DARK, FLASH_AREA, FLASHES_ALLOWED = 0.1, 0.8, 0.25, 3
_LOOKED_AT = 48


def blank_or_frozen(frames: Sequence[np.ndarray]) -> Check:
    """Block a shot that is one plain colour for most of its time, or in which nothing ever moves."""
    picked = np.linspace(0, len(frames) - 1, min(len(frames), _LOOKED_AT)).round().astype(int)
    small = [_small(frames[index]) for index in picked]
    spread = np.array([np.ptp(picture, axis=(0, 1)).max() for picture in small])
    blank = float((spread < BLANK_SPREAD).mean())
    # The largest change of any small part, after averaging away the noise of single pixels.
    change = max((float(cv2.absdiff(one, small[0]).max()) for one in small[1:]), default=0.0)
    evidence = {"blank_share": round(blank, 3), "largest_change": round(change, 2), "frames": len(small)}
    if blank > 0.5:
        return _bad("blank", "the picture is blank", evidence)
    if change < FROZEN_CHANGE:
        return _bad("frozen", "the picture never changes", evidence)
    return Check("output.blank_or_frozen", "available", evidence=evidence)


def _small(frame: np.ndarray) -> np.ndarray:
    """Small and smooth, so that neither noise nor grain counts; in colour, as lightness can be equal."""
    small = cv2.resize(np.ascontiguousarray(frame), (64, 36), interpolation=cv2.INTER_AREA)
    return cv2.blur(small.astype(np.float32), (3, 3))


def _bad(category: str, detail: str, evidence: dict[str, Any]) -> Check:
    return Check("output.blank_or_frozen", "available", "block", detail, category, evidence=evidence)


def flicker(frames: Sequence[np.ndarray], fps: float) -> Check:
    """Hold a shot with more than three general flashes in any second."""
    light = np.stack([_luminance(frame) for frame in frames])
    flashes = np.stack([_flashes(series) for series in light.reshape(len(light), -1).T])  # (places, T)
    window = max(1, round(fps))
    most = 0.0
    for start in range(max(1, len(light) - window + 1)):
        within = flashes[:, start : start + window].sum(axis=1)
        # As many as a quarter of the picture shows.
        most = max(most, float(np.quantile(within, 1 - FLASH_AREA)))
    evidence = {"flashes_per_second": round(most, 1), "frames": len(light)}
    if most > FLASHES_ALLOWED:
        detail = "the picture flashes more than three times a second"
        return Check("output.flicker", "available", "review", detail, "flicker", evidence=evidence)
    return Check("output.flicker", "available", evidence=evidence)


def _luminance(frame: np.ndarray) -> np.ndarray:
    """Relative luminance (WCAG 2.2), 0 to 1, of 9 x 16 parts of the picture."""
    small = cv2.resize(np.ascontiguousarray(frame), (16, 9), interpolation=cv2.INTER_AREA) / 255.0
    linear = np.where(small <= 0.04045, small / 12.92, ((small + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _flashes(series: np.ndarray) -> np.ndarray:
    """(T,) 0.5, half a flash, at each frame that completes a change by FLASH_STEP against the one before."""
    found = np.zeros(len(series))
    low = high = float(series[0])
    way = 0  # of the last change that counted
    for number, value in enumerate(series.tolist()):
        low, high = min(low, value), max(high, value)
        up = value - low >= FLASH_STEP and low < FLASH_DARK
        down = high - value >= FLASH_STEP and value < FLASH_DARK
        if up and way <= 0:
            found[number] = 0.5
            way, low, high = 1, value, value
        elif down and way >= 0:
            found[number] = 0.5
            way, low, high = -1, value, value
        elif way > 0:
            low = high  # only a fall from the top counts next
        elif way < 0:
            high = low
    return found
