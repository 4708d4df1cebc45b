"""The duties and the vocabulary of review as data: regimes with their hours, reasons, clauses, tags.

Promises: `load` returns a set that is complete and fits together (every regime in force exists, every
outcome, source and kind named is one that there is) or raises RulesInvalid naming the place. Cached by the
file's bytes, so that a changed file holds at the next look and an unchanged one costs a stat and a read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError

SHIPPED = Path(__file__).parent / "rules.yaml"
SOURCES = ("hold", "screening", "report", "appeal", "declaration", "sample", "second", "repeat")
# What a person may decide, by where the case comes from. Second ratings take those of their first.
OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "hold": ("release", "reject"),
    "screening": ("release", "reject"),
    "report": ("keep", "take_down", "relabel"),
    "sample": ("confirm", "withdraw"),
    "appeal": ("uphold", "overturn"),
    "declaration": ("accept", "refuse"),
}
_ALL_OUTCOMES = frozenset(name for names in OUTCOMES.values() for name in names)


class RulesInvalid(ConfigurationError):
    code = "review_rules_invalid"
    help = "Correct the file (setting REVIEW_FILE); the message names the place."


@dataclass(frozen=True)
class Regime:
    """One duty with its hours. `kinds` empty: reports of any kind. `country` empty: everywhere."""

    name: str
    duty: str
    hours: float
    sources: frozenset[str]
    source: str
    url: str = ""
    country: str = ""
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reason:
    """Why a decision is made. `status` is the public code of a takedown that follows, "" where none can."""

    label: str
    outcomes: frozenset[str]
    status: str = ""
    stay_down: bool = False
    law: bool = False


@dataclass(frozen=True)
class Tag:
    label: str
    notice: str


@dataclass(frozen=True)
class Sampling:
    seed: str
    allowed_percent: float
    second_percent: float
    repeat_percent: float
    repeat_after_days: float


@dataclass(frozen=True)
class Rules:
    version: str
    lock_minutes: float
    unblur_minutes: float
    appeal_days: float
    contact_days: float
    words_days: float
    sampling: Sampling
    regimes: tuple[Regime, ...]  # those in force
    priorities: Mapping[str, Any]
    clauses: Mapping[str, str]
    reasons: Mapping[str, Reason]
    report_kinds: Mapping[str, str]
    countries: Mapping[str, str]
    tags: Mapping[str, Tag] = field(default_factory=dict)

    def priority(self, source: str, kind: str = "", category: str = "") -> int:
        """0 is first. The smallest number of what applies."""
        table = self.priorities
        found = [
            table[group][name]
            for group, name in (("sources", source), ("kinds", kind), ("categories", category))
            if name in table[group]
        ]
        return min([table["default"], *found])


def load(path: Path | None = None) -> Rules:
    """The rules of a file; without one, of REVIEW_FILE or those shipped. RulesInvalid."""
    file = Path(path or conf.get("REVIEW_FILE") or SHIPPED)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RulesInvalid(f"cannot read the review rules {file}") from error
    return _parsed(data, str(file))


@lru_cache(maxsize=4)
def _parsed(data: bytes, name: str) -> Rules:
    try:
        raw = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RulesInvalid(f"{name} is not valid YAML") from error
    try:
        return parse(raw)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        digest = hashlib.sha256(data).hexdigest()[:12]
        raise RulesInvalid(f"{name} ({digest}) does not have the shape it needs: {error}") from error


def parse(raw: Any) -> Rules:
    """Rules from parsed YAML. RulesInvalid, or KeyError/TypeError for a missing or misplaced key."""
    regimes = {
        name: Regime(
            name=name,
            duty=str(item["duty"]),
            hours=_positive(item["hours"], f"regimes.{name}.hours"),
            sources=_known(item["sources"], SOURCES, f"regimes.{name}.sources"),
            source=str(item["source"]),
            url=str(item.get("url", "")),
            country=str(item.get("country", "")),
            kinds=_known(item.get("kinds", ()), raw["report_kinds"], f"regimes.{name}.kinds"),
        )
        for name, item in raw["regimes"].items()
    }
    for name, regime in regimes.items():
        if regime.country:
            _known([regime.country], raw["countries"], f"regimes.{name}.country")
    in_force = [regimes[name] for name in raw["in_force"]]
    for source in SOURCES:
        if not any(source in item.sources and not item.kinds and not item.country for item in in_force):
            raise RulesInvalid(f"no regime in force sets a clock on every case from {source!r}")
    reasons = {
        name: Reason(
            label=str(item["label"]),
            outcomes=_known(item["outcomes"], _ALL_OUTCOMES, f"reasons.{name}.outcomes"),
            status=str(item.get("status", "")),
            stay_down=bool(item.get("stay_down", False)),
            law=bool(item.get("law", False)),
        )
        for name, item in raw["reasons"].items()
    }
    for outcome in sorted(_ALL_OUTCOMES):
        if not any(outcome in reason.outcomes for reason in reasons.values()):
            raise RulesInvalid(f"no reason fits the outcome {outcome!r}")
    for name, reason in reasons.items():
        if reason.outcomes & {"take_down", "withdraw", "relabel"} and not reason.status:
            raise RulesInvalid(f"reasons.{name} can take a clip down and has no status")
    priorities = raw["priorities"]
    _known(priorities["sources"], SOURCES, "priorities.sources")
    _known(priorities["kinds"], raw["report_kinds"], "priorities.kinds")
    for group, longest in (("report_kinds", 16), ("countries", 8), ("reasons", 32), ("tags", 32)):
        if long := [name for name in raw[group] if len(name) > longest]:
            raise RulesInvalid(f"{group} has a name of more than {longest} characters: {long[0]}")
    sampling = {name: value for name, value in raw["sampling"].items() if name != "seed"}
    for name in ("allowed_percent", "second_percent", "repeat_percent"):
        if not 0 <= float(sampling[name]) <= 100:
            raise RulesInvalid(f"sampling.{name} lies between 0 and 100")
    return Rules(
        version=str(raw["version"]),
        **{
            name: _positive(raw[name], name)
            for name in ("lock_minutes", "unblur_minutes", "appeal_days", "contact_days", "words_days")
        },
        sampling=Sampling(seed=str(raw["sampling"]["seed"]), **{k: float(v) for k, v in sampling.items()}),
        regimes=tuple(in_force),
        priorities=priorities,
        clauses={str(k): str(v) for k, v in raw["clauses"].items()},
        reasons=reasons,
        report_kinds={str(k): str(v) for k, v in raw["report_kinds"].items()},
        countries={str(k): str(v) for k, v in raw["countries"].items()},
        tags={str(k): Tag(str(v["label"]), str(v["notice"])) for k, v in raw["tags"].items()},
    )


def _positive(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise RulesInvalid(f"{place} is a number above 0")
    return float(value)


def _known(values: Any, known: Any, place: str) -> frozenset[str]:
    if unknown := sorted(set(values) - set(known)):
        raise RulesInvalid(f"{place} names {', '.join(map(str, unknown))}, which nobody knows")
    return frozenset(values)
