"""Which clips are worth learning from: do they move, are they sharp, are they pictures and not pages of text?

Each filter measures a clip's frames and compares with a floor of `Limits`; a clip that fails is left out and
counted under the filter's name. Motion is Farneback's optical flow (Farneback 2003, as in OpenCV): clips that
hardly move teach a model to stand still. Text is read by Tesseract, a program of its own; where it is not
installed the text filter is "not checked" for every clip, and the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]  # (h, w, 3) RGB
NOT_CHECKED = "not checked"
_FLOW_WIDTH = 192
_FLOW_PAIRS = 12
_SHARP_WIDTH = 480
_TEXT_FRAMES = 3
_LETTER = re.compile(r"\w")
# Names that picture agencies and apps burn into previews and reposts.
_AGENCIES = re.compile(
    r"shutter\s?stock|getty\s?images|i\s?stock|adobe\s?stock|alamy|deposit\s?photos|dreams\s?time|pond\s?5|123rf|"
    r"story\s?blocks|envato|tik\s?tok|@\w{3,30}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Limits:
    """`motion`: least share of the picture's width that its quickest tenth moves in a second. `sharpness`:
    least variance of the Laplacian at 480 px width. `letters`: most letters read in three frames together."""

    motion: float = 0.01
    sharpness: float = 12.0
    letters: int = 60


@dataclass(frozen=True)
class Measures:
    """What was measured on one clip. `letters` is None where no text was looked for."""

    motion: float
    sharpness: float
    letters: int | None

    def as_dict(self) -> dict[str, Any]:
        letters: Any = NOT_CHECKED if self.letters is None else self.letters
        return {"motion": round(self.motion, 4), "sharpness": round(self.sharpness, 2), "letters": letters}


def motion(frames: Sequence[Frame], fps: float) -> float:
    """Median over pairs of neighbours of the 90th percentile of flow, in widths a second."""
    at = np.unique(np.linspace(0, len(frames) - 2, min(_FLOW_PAIRS, len(frames) - 1)).round().astype(int))
    if len(frames) < 2:
        return 0.0
    moved = []
    for k in at:
        one, other = _grey(frames[k], _FLOW_WIDTH), _grey(frames[k + 1], _FLOW_WIDTH)
        flow = cv2.calcOpticalFlowFarneback(
            one, other, np.zeros((*one.shape, 2), np.float32), 0.5, 3, 15, 3, 5, 1.2, 0
        )
        moved.append(np.quantile(np.hypot(flow[..., 0], flow[..., 1]), 0.9))
    return float(np.median(moved)) * fps / _FLOW_WIDTH


def sharpness(frames: Sequence[Frame]) -> float:
    """Median over frames of the variance of the Laplacian."""
    picked = np.unique(np.linspace(0, len(frames) - 1, min(8, len(frames))).round().astype(int))
    return float(np.median([cv2.Laplacian(_grey(frames[k], _SHARP_WIDTH), cv2.CV_64F).var() for k in picked]))


def _grey(frame: Frame, width: int) -> NDArray[np.uint8]:
    height = max(2, round(frame.shape[0] * width / frame.shape[1]))
    small = cv2.resize(np.ascontiguousarray(frame), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def words(frames: Sequence[Frame]) -> list[str] | None:
    """The lines of text in some frames; None where no reader is installed or it broke."""
    from byline.safety.guards.base import GuardFailed
    from byline.safety.screen.ocr import Tesseract

    picked = np.unique(np.linspace(0, len(frames) - 1, min(_TEXT_FRAMES, len(frames))).round().astype(int))
    try:
        return Tesseract().read([frames[k] for k in picked])
    except (ImportError, GuardFailed):
        return None


def letters(lines: Sequence[str]) -> int:
    return sum(len(_LETTER.findall(line)) for line in lines)


def names_an_agency(lines: Sequence[str]) -> bool:
    """Whether the text in the picture is the mark of somebody who sells or reposts pictures."""
    return any(_AGENCIES.search(line) for line in lines)


def failed(measures: Measures, limits: Limits) -> str:
    """The first filter that leaves the clip out: "motion", "sharpness", "text", or "" for none."""
    if measures.motion < limits.motion:
        return "motion"
    if measures.sharpness < limits.sharpness:
        return "sharpness"
    if measures.letters is not None and measures.letters > limits.letters:
        return "text"
    return ""
