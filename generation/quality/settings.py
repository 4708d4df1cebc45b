"""The thresholds of the setting QUALITY and their defaults; docs/quality.md says what they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError

MOST_RETRIES = 2


@dataclass(frozen=True)
class Thresholds:
    """`retry_below` and `review_below` are agreements, 0 to 1; `motion_floor` is in per cent of the picture's
    width per second. `retries` is how often a shot is made again, 2 at most."""

    retry_below: float = 0.5
    review_below: float = 0.2
    motion_floor: float = 0.5
    retries: int = MOST_RETRIES


def thresholds() -> Thresholds:
    """Those of this installation. ConfigurationError names the entry that does not fit."""
    setting: Any = conf.get("QUALITY")
    names = {field.name.upper(): field.name for field in fields(Thresholds)}
    if not isinstance(setting, Mapping) or set(setting) - set(names):
        raise ConfigurationError(f"QUALITY is a dictionary with some of {sorted(names)}")
    found = Thresholds(**{names[key]: value for key, value in setting.items()})
    for name in ("retry_below", "review_below"):
        value = getattr(found, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ConfigurationError(f"QUALITY: {name.upper()} is a number from 0 to 1")
    if not isinstance(found.motion_floor, int | float) or found.motion_floor < 0:
        raise ConfigurationError("QUALITY: MOTION_FLOOR is a number of 0 or more")
    if type(found.retries) is not int or not 0 <= found.retries <= MOST_RETRIES:
        raise ConfigurationError(f"QUALITY: RETRIES is 0 to {MOST_RETRIES}")
    return found
