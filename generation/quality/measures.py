"""Measures of one shot that need no reference: does it move, hold together, flicker, is it sharp.

All but sharpness are taken at a small size, on every frame up to MOST_FRAMES, so that they cost a fraction
of a second. The flow is DIS. A pop-in is a part of the picture that appears or vanishes at once: what the
flow cannot explain from one frame to the next, and can before and after.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from byline.generation.compose.interpolation import follow
from byline.generation.quality import camera

VERSION = "1"
NOT_CHECKED = "not checked"
MOST_FRAMES = 96
_WIDTH = 160
_POP_LEVELS, _POP_AREA = 40.0, 0.004  # grey levels, share of the picture


@dataclass(frozen=True)
class Measure:
    """`value` None means that it was not taken, and `why` says why. `about`: "prompt", "time", "picture" or
    "sound". `shots` are the values of the shots where there are several."""

    name: str
    about: str
    unit: str
    version: str
    value: float | None
    why: str = ""
    shots: tuple[float | None, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "name": self.name,
            "about": self.about,
            "unit": self.unit,
            "version": self.version,
        }
        if self.value is None:
            return {**said, "status": NOT_CHECKED, "why": self.why}
        values = {"shots": list(self.shots)} if len(self.shots) > 1 else {}
        return {**said, "status": "measured", "value": self.value, **values}


@dataclass(frozen=True)
class _Kind:
    about: str
    unit: str
    version: str
    over: Callable[[Sequence[float]], float]  # of the shots' values: the clip's


KINDS: Mapping[str, _Kind] = {
    "temporal_consistency": _Kind(
        "time", "correlation of neighbouring frames, 1 is a still", f"blocks {VERSION}", min
    ),
    "flicker": _Kind("time", "grey levels of the mean light, second difference", f"luma {VERSION}", max),
    "motion": _Kind("time", "per cent of the width per second, mean flow", f"DIS {VERSION}", min),
    "warp_error": _Kind("time", "grey levels left after following the flow", f"DIS {VERSION}", max),
    "pop_ins": _Kind("time", "parts that appear or vanish at once", f"DIS {VERSION}", sum),
    "camera_jerk": _Kind("time", "per cent of the width per frame cubed", camera.VERSION, max),
    "sharpness": _Kind(
        "picture", "variance of the Laplacian at the engine's size", f"laplace {VERSION}", min
    ),
}


def measure(shots: Sequence[np.ndarray], fps: float) -> tuple[Measure, ...]:
    """The measures of a clip's shots, (T, h, w, 3) uint8 at `fps`, in the order of KINDS."""
    taken = [_shot(shot, fps) for shot in shots]
    found = []
    for name, kind in KINDS.items():
        values = tuple(one[name] for one in taken)
        known = [value for value in values if value is not None]
        whole = round(float(kind.over(known)), 4) if known else None
        why = "" if known else "no camera movement was found" if name == "camera_jerk" else "a single frame"
        rounded = tuple(None if value is None else round(value, 4) for value in values)
        found.append(Measure(name, kind.about, kind.unit, kind.version, whole, why, rounded))
    return tuple(found)


def _shot(frames: np.ndarray, fps: float) -> dict[str, float | None]:
    frames = frames[:MOST_FRAMES]
    picked = frames[np.linspace(0, len(frames) - 1, min(8, len(frames))).round().astype(int)]
    sharp = [float(cv2.Laplacian(_grey(frame), cv2.CV_32F).var()) for frame in picked]
    found: dict[str, float | None] = dict.fromkeys(KINDS)
    found["sharpness"] = float(np.mean(sharp))
    if len(frames) < 2:
        return found
    height = max(16, round(_WIDTH * frames.shape[1] / frames.shape[2]))
    small = [cv2.resize(frame, (_WIDTH, height), interpolation=cv2.INTER_AREA) for frame in frames]
    grey = [_grey(frame) for frame in small]
    found["temporal_consistency"] = _consistency(small)
    found["flicker"] = _flicker(grey)
    found |= _moving(grey, fps)
    found["camera_jerk"] = camera.jerk(frames)
    return found


def _grey(frame: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def _consistency(frames: Sequence[np.ndarray]) -> float:
    """Lowest correlation of two neighbouring frames' blocks of colour."""
    blocks = np.stack([cv2.resize(f, (16, 9), interpolation=cv2.INTER_AREA).ravel() for f in frames]).astype(
        float
    )
    away = blocks - blocks.mean(axis=1, keepdims=True)
    length = np.maximum(np.linalg.norm(away, axis=1), 1e-6)
    like = (away[1:] * away[:-1]).sum(axis=1) / (length[1:] * length[:-1])
    still = np.abs(blocks[1:] - blocks[:-1]).max(axis=1) < 1.0  # two plain frames correlate with nothing
    return float(np.where(still, 1.0, like).min())


def _flicker(grey: Sequence[np.ndarray]) -> float:
    """Mean absolute second difference of the light of the whole picture; a fade has none."""
    light = np.array([float(frame.mean()) for frame in grey])
    return float(np.abs(np.diff(light, n=2)).mean()) if len(light) > 2 else 0.0


def _moving(grey: Sequence[np.ndarray], fps: float) -> dict[str, float | None]:
    """Motion, warp error and pop-ins from one flow per pair of frames."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    lengths, left, unexplained = [], [], []
    for here, there in itertools.pairwise(grey):
        flow = finder.calc(here, there, np.zeros((*here.shape, 2), np.float32))
        lengths.append(float(np.linalg.norm(flow, axis=2).mean()))
        residual = cv2.absdiff(follow(there, flow), here)
        left.append(float(residual.mean()))
        unexplained.append(cv2.blur(residual, (5, 5)))
    return {
        "motion": float(np.mean(lengths)) * fps * 100 / _WIDTH,
        "warp_error": float(np.mean(left)),
        "pop_ins": float(_pop_ins(unexplained)),
    }


def _pop_ins(unexplained: Sequence[np.ndarray]) -> int:
    """Parts that one step does not explain although the steps before and after explain theirs."""
    if len(unexplained) < 3:
        return 0
    count, least = 0, _POP_AREA * unexplained[0].size
    for before, now, after in zip(unexplained, unexplained[1:], unexplained[2:], strict=False):
        calm = cv2.max(before, after) < _POP_LEVELS / 2
        parts = ((now > _POP_LEVELS) & calm).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(parts)
        count += int((stats[1:, cv2.CC_STAT_AREA] >= least).sum())
    return count
