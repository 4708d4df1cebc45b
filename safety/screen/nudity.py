"""Nudity by NudeNet, weights in its wheel, on a few frames brought to one size.

Thresholds are set per part of the body, because NudeNet mistakes some for plain round shapes far more
often than others: on half of a set of benign clips and photographs, reported on the other half
(docs/screening.md). Its recall is not known here, as no test set may be kept; the check supports a
reviewer and the rules on the prompt, it does not replace them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from byline.safety.checks import Action, Check

# Part: scores from which a frame is reviewed and blocked.
THRESHOLDS: Mapping[str, tuple[float, float]] = {
    "FEMALE_GENITALIA_EXPOSED": (0.5, 0.8),
    "MALE_GENITALIA_EXPOSED": (0.5, 0.8),
    "FEMALE_BREAST_EXPOSED": (0.5, 0.8),
    "BUTTOCKS_EXPOSED": (0.6, 0.8),
    "ANUS_EXPOSED": (0.5, 0.8),
}
_ORDER: tuple[Action, ...] = ("allow", "review", "block")
_running = threading.Lock()  # the detector keeps state per call


@functools.cache
def _detector() -> Any:
    from nudenet import NudeDetector

    return NudeDetector()


def parts(picture: np.ndarray) -> dict[str, float]:
    """The highest score of each exposed part in one (h, w, 3) RGB picture."""
    # NudeNet expects the channel order that OpenCV reads, not ours.
    with _running:
        found = _detector().detect(np.ascontiguousarray(picture[..., ::-1]))
    best: dict[str, float] = {}
    for item in found:
        if item["class"] in THRESHOLDS:
            best[item["class"]] = max(best.get(item["class"], 0.0), float(item["score"]))
    return best


def nudity(sampled: Sequence[np.ndarray]) -> Check:
    """The strongest finding over the sampled frames decides."""
    worst, score, part, over = 0, 0.0, "", 0
    for picture in sampled:
        graded = [(_grade(name, value), value, name) for name, value in parts(picture).items()]
        grade, value, name = max(graded, default=(0, 0.0, ""))
        over += grade > 0
        if (grade, value) > (worst, score):
            worst, score, part = grade, value, name
    seen = worst > 0
    return Check(
        "output.nudity",
        "available",
        _ORDER[worst],
        "the picture may show nudity" if seen else "",
        "sexual" if seen else "",
        score=round(score, 3),
        evidence={"frames": len(sampled), "frames_over": over, "part": part.lower() if seen else ""},
    )


def _grade(part: str, score: float) -> int:
    """0 allowed, 1 reviewed, 2 blocked."""
    return sum(score >= threshold for threshold in THRESHOLDS[part])
