"""Better pictures from the engine's shots, before they are composed: each step is asked for by name.

A request's option `enhance` names the steps, with commas between; none is done unless it is named. They
run in one order, whatever order they are named in: noise off first, because every later step would make
it louder, the brand's colours last. Steps that look at several frames change the shots; the others are
applied to a key frame when composition first needs it, so that no list of large frames is ever held.
`double` is the frame rate of the finished clip: composition moves the pictures along the flow anyway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.brands import Brand
from byline.generation.enhance import colour, noise, sharpness, stabilisation, upscaling

STEPS = ("denoise", "stabilise", "upscale2", "upscale4", "sharpen", "colour", "double")
MAX_FPS = 120
_NOTHING: Callable[[], None] = lambda: None  # noqa: E731


class UnknownEnhancement(InvalidInput):
    code = "unknown_enhancement"
    help = f"Name some of {', '.join(STEPS)}, with commas between, and one upscale at most."


@dataclass(frozen=True)
class Enhanced:
    """`shots`: (T, h, w, 3) uint8 each. `prepare` is for one key frame, None where nothing is left to do;
    what it gives back is `scale` times as wide. `steps`: {"step", "version", ...} in the order of the work,
    for the record."""

    shots: Sequence[np.ndarray]
    prepare: Callable[[np.ndarray], np.ndarray] | None
    steps: tuple[dict[str, Any], ...]
    scale: int = 1


def parse(text: str) -> tuple[str, ...]:
    """The steps that the option names, in the order of the work. UnknownEnhancement."""
    named = [part.strip() for part in text.split(",") if part.strip()]
    if set(named) - set(STEPS):
        raise UnknownEnhancement("There is an enhancement that Byline does not know.")
    if {"upscale2", "upscale4"} <= set(named):
        raise UnknownEnhancement("Pictures are upscaled once, by two or by four.")
    return tuple(step for step in STEPS if step in named)


def apply(
    shots: Sequence[np.ndarray],
    steps: Sequence[str],
    *,
    fps: float,
    brand: Brand,
    upscaler: str = "default",
    engine: str = "",
    check_cancelled: Callable[[], None] = _NOTHING,
) -> Enhanced:
    """Do what `steps` (from `parse`) names. `engine` made the shots: a learned upscaler may know no other.

    Raises ConfigurationError and MissingWeights of the upscaler, before anything is done.
    """
    each: list[Callable[[np.ndarray], np.ndarray]] = []
    done: list[dict[str, Any]] = []
    factor = 4 if "upscale4" in steps else 2 if "upscale2" in steps else 1
    plugin = upscaling.load(upscaler, engine) if factor > 1 else None
    grade = colour.for_brand(brand) if "colour" in steps else None
    if "denoise" in steps:
        found = [noise.level(shot) for shot in shots]
        shots = [
            _looked(check_cancelled, noise.denoise, shot, level)
            for shot, level in zip(shots, found, strict=True)
        ]
        found_noise = any(level >= noise.LEAST for level in found)
        levels = [round(level, 2) for level in found]
        done.append({"step": "denoise", "version": noise.VERSION, "levels": levels, "applied": found_noise})
    if "stabilise" in steps:
        steady = [_looked(check_cancelled, stabilisation.stabilise, shot, fps) for shot in shots]
        moved = any(one is not shot for one, shot in zip(steady, shots, strict=True))
        done.append({"step": "stabilise", "version": stabilisation.VERSION, "applied": moved})
        shots = steady
    if plugin is not None:
        each.append(lambda frame: plugin.upscale(frame, factor))
        done.append({"step": f"upscale{factor}", "version": plugin.version})
    if "sharpen" in steps:
        each.append(sharpness.sharpen)
        done.append({"step": "sharpen", "version": sharpness.VERSION})
    if grade is not None:
        each.append(grade)
        done.append({"step": "colour", "version": colour.VERSION, "brand": brand.name})
    if "double" in steps:
        done.append({"step": "double", "version": "flow 1"})

    def prepare(frame: np.ndarray) -> np.ndarray:
        for change in each:
            frame = change(frame)
        return frame

    return Enhanced(shots, prepare if each else None, tuple(done), factor)


def _looked(check: Callable[[], None], change: Callable[..., np.ndarray], *given: Any) -> np.ndarray:
    check()
    return change(*given)
