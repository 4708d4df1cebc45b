"""What each technique can tell, where it ends, and how often it errs: one table for reports and docs.

Promises: every technique a report names has an entry; a rate always comes with what was counted,
its n (null for a proven bound) and the file it was taken from, and a technique without a rate says
"not measured". The figures are written by hand from bench/results after a full run, so a changed
detector cannot silently inherit an old figure. Needs no Django.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Technique:
    """`rates` are {"what", "value", "n", "source"}; an empty tuple means that nothing was measured."""

    name: str
    method: str
    tells: str
    limit: str
    rates: tuple[dict[str, Any], ...]

    @property
    def error_rate(self) -> str:
        """One line for people: each rate with its n, or "not measured"."""
        return "; ".join(map(_words, self.rates)) or NOT_MEASURED


@cache
def table() -> dict[str, Technique]:
    """Every technique by the name that findings use."""
    text = resources.files("byline.provenance").joinpath("technique_facts.json").read_text(encoding="utf-8")
    return {
        name: Technique(name, row["method"], row["tells"], row["limit"], tuple(row["rates"]))
        for name, row in json.loads(text).items()
    }


def _words(rate: dict[str, Any]) -> str:
    counted = f", n = {rate['n']}" if rate["n"] is not None else ""
    return f"{rate['what']}: {rate['value']}{counted} ({rate['source']})"
