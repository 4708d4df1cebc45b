"""What may be asked for: bounds on every field of a request, before anything is stored.

It promises that a stored request can be carried out as far as types and sizes go; whether it may
be is decided by moderation and consent. Error messages name the field, never its text.
"""

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.generation import presentation
from byline.generation.controls import registry
from byline.generation.models import MAX_SECONDS, MAX_SEED
from byline.generation.sound import scoring

MAX_LENGTHS = {
    "prompt": 2000,
    "edited_prompt": 2000,
    "voice_over": 2000,
    "negative_prompt": 1000,
    "title": 200,
    "reason": 1000,
}
MAX_REFERENCES = 8
REFERENCE_KINDS = {"voice", "face"}
# option -> (type, lowest, highest); text options: (str, shortest, longest). Controls over the pictures have
# a register of their own: controls/registry.py.
_OPTIONS: dict[str, tuple[type, float, float]] = {
    "width": (int, 128, 1920),
    "height": (int, 96, 1920),
    "shots": (int, 1, 12),
    "rate": (int, 80, 400),  # speech, words per minute
    "pitch": (int, 0, 99),
    "language": (str, 2, 20),
    "engine": (str, 1, 64),
    "voice": (str, 1, 64),
    "music": (str, 1, 20),  # a mood, see sound/scoring.py
    "music_maker": (str, 1, 64),
    "effects": (str, 1, 100),
    "narration": (str, 64, 64),  # SHA-256 of an uploaded recording
    "restore": (str, 0, 60),  # steps for the recording, see sound/restoration.py
    "loudness": (float, -31.0, -12.0),  # LUFS
    **presentation.OPTIONS,
}


def text(field: str, value: Any, *, required: bool = False) -> str:
    """The text, stripped. InvalidInput when it is no text, too long, or cannot be stored as UTF-8."""
    if not isinstance(value, str):
        raise InvalidInput(f"{field} is text.")
    value = value.strip()
    if required and not value:
        raise InvalidInput(f"{field} is empty.")
    if len(value) > MAX_LENGTHS[field]:
        raise InvalidInput(f"{field} is longer than {MAX_LENGTHS[field]} characters.")
    # PostgreSQL stores no NUL, UTF-8 no lone surrogate.
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInput(f"{field} has characters that are no text.")
    return value


def seconds(value: Any) -> float:
    """Length of the clip in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput("seconds is a number.")
    if not 1 <= value <= MAX_SECONDS:
        raise InvalidInput(f"seconds is between 1 and {MAX_SECONDS}.")
    return float(value)


def seed(value: Any) -> int:
    """The seed; None draws one of 31 bits, short enough to be read out and typed again."""
    if value is None:
        return secrets.randbits(31)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEED:
        raise InvalidInput("seed is a whole number from 0 to 2^63 - 1.")
    return value


def references(value: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Files of voices and faces to imitate: {"kind", "subject", "sha256", "consent"}, all texts.

    Whether they may be used is decided by the consent stage.
    """
    if len(value) > MAX_REFERENCES:
        raise InvalidInput(f"A request has at most {MAX_REFERENCES} references.")
    checked = []
    for item in value:
        if not isinstance(item, Mapping) or set(item) - {"consent"} != {"kind", "subject", "sha256"}:
            raise InvalidInput("A reference has kind, subject, sha256 and the id of a consent.")
        if not all(isinstance(part, str) and 0 < len(part) <= 200 for part in item.values()):
            raise InvalidInput("The fields of a reference are short texts.")
        if item["kind"] not in REFERENCE_KINDS:
            raise InvalidInput(f"A reference is a {' or a '.join(sorted(REFERENCE_KINDS))}.")
        checked.append(dict(item))
    return checked


def options(value: Mapping[str, Any]) -> dict[str, Any]:
    """The technical options, as they are stored. InvalidInput for an unknown one or one out of its bounds."""
    if not isinstance(value, Mapping):
        raise InvalidInput("options is a mapping of names to values.")
    found = dict(value)
    for name, given in value.items():
        if name in registry.CONTROLS:
            found[name] = registry.check(name, given)
            continue
        if name not in _OPTIONS:
            raise InvalidInput(
                "There is an option that Byline does not know.",
                help=f"Options: {', '.join([*_OPTIONS, *registry.CONTROLS])}.",
            )
        kind, low, high = _OPTIONS[name]
        if isinstance(given, bool) or not isinstance(given, int | float if kind is float else kind):
            raise InvalidInput(f"Option {name} is of type {kind.__name__}.")
        size: Any = len(given) if isinstance(given, str) else given
        if not low <= size <= high:
            raise InvalidInput(f"Option {name} is between {low} and {high}.")
    _sizes(found)
    scoring.check(found)
    presentation.check(found)
    return found


def _sizes(found: dict[str, Any]) -> None:
    """Fill in what an aspect says, and refuse a size that it contradicts or that cannot be encoded."""
    if "aspect" in found:
        width, height = registry.ASPECTS[found["aspect"]]
        if "width" not in found and "height" not in found:
            found |= {"width": width, "height": height}
        given = found.get("width", 0) * height, found.get("height", 0) * width
        if abs(given[0] - given[1]) > 2 * max(width, height):
            raise InvalidInput("width and height are not of the aspect that is asked for.")
    for name in ("width", "height"):
        if found.get(name, 0) % 2:
            raise InvalidInput(f"Option {name} is even: H.264 with 4:2:0 colour has no odd sizes.")
    if found.get("width", 1280) * found.get("height", 720) > 1920 * 1080:
        raise InvalidInput("A picture has at most 1920 x 1080 pixels, upright or across.")
