"""By when a case must be decided, and who says so. Pure.

Promises: every duty that may apply is kept with its source, and the nearest one counts: a reporter who does
not say where they are gets the shortest of all. Left out: whether a duty applies in law.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from byline.safety.review.rules import Rules


@dataclass(frozen=True)
class Clock:
    """One duty on one case."""

    regime: str
    duty: str
    due: datetime
    source: str

    def as_dict(self) -> dict[str, str]:
        return {
            "regime": self.regime,
            "duty": self.duty,
            "due": self.due.isoformat(),
            "source": self.source,
        }


def clocks(
    rules: Rules, source: str, start: datetime, *, kind: str = "", country: str = ""
) -> tuple[Clock, ...]:
    """The duties on a case from `source` that began at `start`, the nearest first. `kind` and `country`
    are those of a report, "" where it has none or did not say."""
    found = [
        Clock(regime.name, regime.duty, start + timedelta(hours=regime.hours), regime.source)
        for regime in rules.regimes
        if source in regime.sources
        and (not regime.kinds or kind in regime.kinds)
        and (not regime.country or not country or country == regime.country)
    ]
    return tuple(sorted(found, key=lambda clock: (clock.due, clock.regime)))


def merged(held: Iterable[dict[str, Any]], more: Iterable[Clock]) -> list[dict[str, Any]]:
    """Clocks of a case that another report joined: of each regime the earlier one, the nearest first."""
    nearest: dict[str, dict[str, Any]] = {}
    for item in [*held, *(clock.as_dict() for clock in more)]:
        known = nearest.get(item["regime"])
        if known is None or datetime.fromisoformat(item["due"]) < datetime.fromisoformat(known["due"]):
            nearest[item["regime"]] = item
    return sorted(nearest.values(), key=lambda item: (datetime.fromisoformat(item["due"]), item["regime"]))
