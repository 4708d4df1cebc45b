"""The controls of a request, by name: what each takes, what it does and where it is carried out.

A control stands in a request's `options`. One that the operation or the engine does not have is refused
when the request is made (fitting.py); none is dropped. An operation's own values are listed here, too, and
named by its specification (OperationSpec.controls).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.generation.controls import brush, camera, fx, styles

ASPECTS = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (720, 720)}
METHODS = dict.fromkeys(("auto", "motion", "model"))  # of operations/between.py
BACKGROUNDS = dict.fromkeys(("green", "white", "black", "matte"))  # of operations/cutting.py
MAX_LORAS = 4


@dataclass(frozen=True)
class Control:
    """`check` returns the value as it is stored, or raises InvalidInput. `where`: "engine" (a value of the
    model; refused where it has none), "frames" (done to what was made), "engine or frames", "request",
    "operation" (one operation's own)."""

    name: str
    takes: str
    says: str
    where: str
    check: Callable[[Any], Any]


def number(name: str, low: float, high: float, *, whole: bool = False) -> Callable[[Any], Any]:
    """A check for a number from `low` to `high`."""

    def check(value: Any) -> Any:
        kind: Any = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value):
            raise InvalidInput(f"Option {name} is a {'whole ' if whole else ''}number.")
        if not low <= value <= high:
            raise InvalidInput(f"Option {name} is between {low:g} and {high:g}.")
        return value

    return check


def choice(name: str, allowed: Mapping[str, Any]) -> Callable[[Any], Any]:
    """A check for one of the given words."""

    def check(value: Any) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise InvalidInput(f"There is no such {name}.", help=f"Choose from: {', '.join(allowed)}.")
        return value

    return check


def _loras(value: Any) -> list[str]:
    fits = isinstance(value, list) and 1 <= len(value) <= MAX_LORAS
    if not fits or not all(isinstance(name, str) and 0 < len(name) <= 64 for name in value):
        raise InvalidInput(f"Option loras is a list of 1 to {MAX_LORAS} registered names.")
    return list(dict.fromkeys(value))


def _number(name: str, low: float, high: float, says: str, where: str, *, whole: bool = False) -> Control:
    takes = f"{'whole ' if whole else ''}number {low:g} to {high:g}"
    return Control(name, takes, says, where, number(name, low, high, whole=whole))


CONTROLS: dict[str, Control] = {
    control.name: control
    for control in (
        _number("steps", 1, 100, "Sampling steps.", "engine", whole=True),
        _number("guidance", 0, 20, "How strictly the words are followed.", "engine"),
        _number("guidance_end", 0, 20, "Guidance of the last frame; linear from `guidance` on.", "engine"),
        _number("strength", 0, 1, "How far the given picture or clip may be left.", "engine"),
        _number("fps", 8, 30, "Of the file, and of a model that knows.", "engine or frames", whole=True),
        _number("motion", 0, 1, "0 almost still, 1 all of the model's motion.", "engine or frames"),
        Control(
            "camera", "|".join(camera.MOVES), "One move in every shot.", "engine or frames",
            choice("camera move", camera.MOVES),
        ),
        Control(
            "camera_path", "list of {t, x, y, zoom, roll}", "Key frames over the whole clip.", "frames",
            camera.check_path,
        ),
        Control(
            "brush", "{direction, amount}", "The region of inputs.brush moves that way.", "frames",
            brush.check,
        ),
        Control(
            "style", "|".join(styles.STYLES), "Said to the model in fixed words.", "engine",
            choice("style", styles.STYLES),
        ),
        Control("fx", "name or name@version", "A look from the list of presets.", "frames", fx.check),
        Control("aspect", "|".join(ASPECTS), "Sets width and height.", "request", choice("aspect", ASPECTS)),
        Control("loras", "list of names", "Registered LoRA weights of this model.", "engine", _loras),
        _number("shot_min_seconds", 0.5, 60, "No shot is shorter.", "request"),
        _number("shot_max_seconds", 0.5, 60, "No shot is longer.", "request"),
        _number("factor", 2, 8, "How many times the frames of a clip.", "operation", whole=True),
        _number("missing_from", 0, 60, "Second from which frames are made again.", "operation"),
        _number("missing_to", 0, 60, "Second up to which frames are made again.", "operation"),
        _number("cut_min_seconds", 0.3, 30, "No cut follows another sooner.", "operation"),
        Control(
            "method", "|".join(METHODS), "Frames between others: moved, or made by the model.", "operation",
            choice("method", METHODS),
        ),
        Control(
            "background", "|".join(BACKGROUNDS), "Behind a subject that is cut out.", "operation",
            choice("background", BACKGROUNDS),
        ),
    )
}  # fmt: skip


def check(name: str, value: Any) -> Any:
    """The value of one control, as it is stored. InvalidInput."""
    return CONTROLS[name].check(value)
