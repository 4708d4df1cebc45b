"""How many shots a clip has when none may be shorter or longer than so many seconds. Pure."""

import math
from collections.abc import Mapping

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import EngineInfo

MAX_SHOTS = 12


def count(
    seconds: float, wanted: int | None, limits: Mapping[str, float], info: EngineInfo | None = None
) -> int:
    """The number of equal shots of a clip of `seconds` within shot_min_seconds and shot_max_seconds; `wanted`
    or, without one, as near to the engine's own length as the limits let it. InvalidInput when none fits."""
    low, high = limits.get("shot_min_seconds", 0.0), limits.get("shot_max_seconds", math.inf)
    if low > high:
        raise InvalidInput("shot_min_seconds is above shot_max_seconds.")
    fits = [n for n in range(1, MAX_SHOTS + 1) if low <= seconds / n <= high]
    if wanted is not None and wanted not in fits:
        raise InvalidInput(f"{wanted} shots in {seconds:g} s break the limits of a shot.")
    if not fits:
        raise InvalidInput(
            f"No number of equal shots up to {MAX_SHOTS} fills {seconds:g} s within the limits of a shot."
        )
    own = info.frames / info.fps if info else seconds
    return wanted or min(fits, key=lambda n: abs(math.log(seconds / n / own)))


def shown_seconds(seconds: float, brand: str) -> float:
    """How long shots are seen in a clip of `seconds`: without the brand's end card, where there is one."""
    from byline.generation import brands

    end = brands.load(brand).end_seconds
    return seconds - end if seconds >= 2 * end + 1 else seconds
