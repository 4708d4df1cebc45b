"""Reads the sections of a policy about places, elections, people, terms and brands.

Promises: every entry is complete and can take effect, or PolicyInvalid names it: an unknown
category or profile, a threshold that no profile would ever notice ("unreachable"), an election
that ended before it began or belongs to a place that is not listed, a name too short to search
for. Add-ons of jurisdictions are files of their own, shipped in policies/jurisdictions/ or beside
the policy; one that an already stricter profile covers is no error, because the law it cites
still wants to be shown.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from byline.safety.categories import CATEGORIES
from byline.safety.names import NameList, compile_names
from byline.safety.policy_model import (
    NEVER,
    STRENGTH,
    BrandRules,
    Election,
    Jurisdiction,
    NoGo,
    PolicyInvalid,
    Profile,
    TermList,
    Tightening,
    Tightenings,
)

JURISDICTIONS = Path(__file__).parent / "policies" / "jurisdictions"
_PLACE = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_ACTIONS = ["review", "block"]
_PEOPLE = {"name", "aliases"}
# Every score the embedded tier can give is on this grid closely enough to tell whether a layer acts.
_GRID = tuple(i / 200 for i in range(201))


def expect_keys(value: Any, where: str, required: set[str], optional: Collection[str] = ()) -> None:
    """PolicyInvalid unless `value` is a mapping with these keys and no others."""
    if not isinstance(value, dict):
        raise PolicyInvalid(f"{where}: a mapping is needed")
    missing, unknown = required - set(value), set(map(str, value)) - required - set(optional)
    if missing or unknown:
        raise PolicyInvalid(f"{where}: missing {sorted(missing)}, unknown {sorted(unknown)}")


def jurisdiction_names(raw: Any) -> list[str]:
    """The names in the section `jurisdictions`, checked before any file is opened."""
    names = raw.get("jurisdictions", []) if isinstance(raw, dict) else []
    if not isinstance(names, list) or not all(isinstance(n, str) and _PLACE.fullmatch(n) for n in names):
        raise PolicyInvalid("jurisdictions: a list of names such as eu or us-california is needed")
    if len(set(names)) != len(names):
        raise PolicyInvalid("jurisdictions: a name stands twice")
    return names


def jurisdiction_file(name: str, beside: Path) -> Path:
    """Where the add-on is: `jurisdictions/<name>.yaml` beside the policy, else the shipped one."""
    own = beside / "jurisdictions" / f"{name}.yaml"
    return own if own.is_file() else JURISDICTIONS / f"{name}.yaml"


def parse(
    raw: Mapping[str, Any], profiles: Mapping[str, Profile], places: Mapping[str, Any]
) -> dict[str, Any]:
    """The keyword arguments of Policy that these sections give."""
    names = jurisdiction_names(raw)
    if missing := sorted(set(names) - set(places)):
        raise PolicyInvalid(f"jurisdictions: nothing was read for {', '.join(missing)}")
    people = _list(raw, "no_go_people")
    return {
        "jurisdictions": {name: _jurisdiction(name, places[name]) for name in names},
        "elections": _elections(_list(raw, "elections"), names, profiles),
        "people": tuple(_no_go(f"no_go_people[{i}]", entry) for i, entry in enumerate(people, 1)),
        "people_names": _people("no_go_people", people),
        "terms": _terms("terms", _list(raw, "terms")),
        "brands": _brands(raw.get("brands") or {}, profiles),
    }


def _list(raw: Mapping[str, Any], section: str) -> list[Any]:
    value = raw.get(section) or []
    if not isinstance(value, list):
        raise PolicyInvalid(f"{section}: a list is needed")
    return value


def _jurisdiction(name: str, raw: Any) -> Jurisdiction:
    where = f"jurisdiction {name}"
    expect_keys(raw, where, {"title", "source", "tighten"})
    tighten = _tightenings(f"{where}.tighten", raw["tighten"], None)
    if uncited := sorted(category for category, item in tighten.items() if not item.cites):
        raise PolicyInvalid(f"{where}: no clause is cited for {', '.join(uncited)}")
    return Jurisdiction(name, str(raw["title"]), str(raw["source"]), tighten)


def _tightenings(where: str, raw: Any, profiles: Collection[Profile] | None) -> Tightenings:
    """`profiles`: those the layer lies upon; a threshold that none of them notices is refused."""
    if not isinstance(raw, dict) or not raw:
        raise PolicyInvalid(f"{where}: thresholds per category are needed")
    out = {}
    for category, entry in raw.items():
        at = f"{where}.{category}"
        if category not in CATEGORIES:
            raise PolicyInvalid(f"{where}: unknown category {category!r}")
        expect_keys(entry, at, set(), {"review_from", "block_from", "cites"})
        review, block = (_threshold(f"{at}.{key}", entry.get(key)) for key in ("review_from", "block_from"))
        if review == block == NEVER:
            raise PolicyInvalid(f"{at}: an action is missing; give review_from or block_from")
        if block <= review < NEVER:
            raise PolicyInvalid(f"{at}: unreachable: everything from {block} is blocked, nothing is reviewed")
        item = Tightening(review, block, str(entry.get("cites", "")).strip())
        if profiles is not None and not any(_noticed(item, category, profile) for profile in profiles):
            raise PolicyInvalid(f"{at}: unreachable: every profile it applies to is as strict already")
        out[category] = item
    return out


def _noticed(item: Tightening, category: str, profile: Profile) -> bool:
    return any(STRENGTH[item.action(s)] > STRENGTH[profile.action(category, s)] for s in _GRID)


def _threshold(where: str, value: Any) -> float:
    if value is None:
        return NEVER
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise PolicyInvalid(f"{where}: a score above 0 and up to 1 is needed")
    return float(value)


def _elections(
    entries: list[Any], places: Collection[str], profiles: Mapping[str, Profile]
) -> tuple[Election, ...]:
    out = []
    for i, entry in enumerate(entries, 1):
        where = f"elections[{i}]"
        required = {"name", "jurisdiction", "from", "to"}
        expect_keys(entry, where, required, {"candidates", "of_candidates", "of_everyone"})
        first, last = entry["from"], entry["to"]
        if type(first) is not dt.date or type(last) is not dt.date or first > last:
            raise PolicyInvalid(f"{where}: from and to are dates such as 2026-12-01, the earlier one first")
        if entry["jurisdiction"] not in places:
            raise PolicyInvalid(f"{where}: unreachable: {entry['jurisdiction']!r} is not in jurisdictions")
        if not ({"of_candidates", "of_everyone"} & set(entry)):
            raise PolicyInvalid(f"{where}: an action is missing; give of_candidates or of_everyone")
        people = _list(entry, "candidates")
        if ("of_candidates" in entry) != bool(people):
            raise PolicyInvalid(f"{where}: candidates and of_candidates go together")
        layers = {
            key: _tightenings(f"{where}.{key}", entry[key], profiles.values()) if key in entry else {}
            for key in ("of_candidates", "of_everyone")
        }
        for person in people:
            expect_keys(person, f"{where}.candidates", {"name"}, {"aliases"})
        out.append(
            Election(
                name=_text(entry["name"], f"{where}.name"),
                jurisdiction=entry["jurisdiction"],
                first=first,
                last=last,
                candidates=_people(f"{where}.candidates", people),
                **layers,
            )
        )
    if len({e.name for e in out}) != len(out):
        raise PolicyInvalid("elections: two have the same name")
    return tuple(out)


def _no_go(where: str, entry: Any) -> NoGo:
    expect_keys(entry, where, {"name"}, {"aliases", "action", "why", "where"})
    action, reach = entry.get("action", "block"), entry.get("where", "anywhere")
    if action not in _ACTIONS:
        raise PolicyInvalid(f"{where}.action: review or block is needed, not {action!r}")
    if reach not in ["anywhere", "depicted"]:
        raise PolicyInvalid(f"{where}.where: anywhere or depicted is needed, not {reach!r}")
    return NoGo(action, str(entry.get("why", "")).strip(), reach == "anywhere")


def _people(where: str, entries: list[Any]) -> NameList:
    for i, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("aliases", []), list):
            raise PolicyInvalid(f"{where}[{i}]: a name and a list of aliases are needed")
    spellings = [[entry["name"], *entry.get("aliases", [])] for entry in entries]
    return _names(where, spellings)


def _names(where: str, entries: list[list[Any]]) -> NameList:
    if not all(isinstance(spelling, str) for entry in entries for spelling in entry):
        raise PolicyInvalid(f"{where}: names and terms are texts")
    try:
        return compile_names(entries)
    except ValueError as error:
        raise PolicyInvalid(f"{where}: {error}") from error


def _terms(where: str, entries: list[Any]) -> tuple[TermList, ...]:
    out = []
    for i, entry in enumerate(entries, 1):
        at = f"{where}[{i}]"
        expect_keys(entry, at, {"name", "words"}, {"category", "action", "why"})
        category, action = entry.get("category", "copyright_brand"), entry.get("action", "review")
        if category not in list(CATEGORIES):
            raise PolicyInvalid(f"{at}: unknown category {category!r}")
        if action not in _ACTIONS:
            raise PolicyInvalid(f"{at}.action: review or block is needed, not {action!r}")
        words = _names(f"{at}.words", [[word] for word in _list(entry, "words")])
        if not words:
            raise PolicyInvalid(f"{at}.words: at least one is needed")
        name = _text(entry["name"], f"{at}.name")
        out.append(TermList(name, category, action, str(entry.get("why", "")).strip(), words))
    if len({t.name for t in out}) != len(out):
        raise PolicyInvalid(f"{where}: two lists have the same name")
    return tuple(out)


def _brands(raw: Any, profiles: Mapping[str, Profile]) -> dict[str, BrandRules]:
    if not isinstance(raw, dict):
        raise PolicyInvalid("brands: a mapping of brand names is needed")
    out = {}
    for name, entry in raw.items():
        where = f"brands.{name}"
        expect_keys(entry, where, set(), {"profile", "own", "competitors", "terms", "tighten"})
        profile = entry.get("profile", "")
        if profile and profile not in list(profiles):
            raise PolicyInvalid(f"{where}.profile: there is no profile {profile!r}")
        terms = _list(entry, "terms")
        if competitors := _list(entry, "competitors"):
            why = "A competitor of this brand."
            terms = [{"name": "competitors", "words": competitors, "why": why}, *terms]
        tighten = entry.get("tighten")
        out[str(name)] = BrandRules(
            name=str(name),
            profile=profile,
            own=_names(f"{where}.own", [[word] for word in _list(entry, "own")]),
            terms=_terms(f"{where}.terms", terms),
            tighten={} if tighten is None else _tightenings(f"{where}.tighten", tighten, profiles.values()),
        )
    return out


def _text(value: Any, where: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= 80:
        raise PolicyInvalid(f"{where}: a short text is needed")
    return text
