"""Which attributes are balanced, and to which shares: the setting `FAIRNESS`, for all brands or for one.

    "FAIRNESS": {"ATTRIBUTES": ["gender", "skin", "age"],
                 "TARGETS": {"gender": {"woman": 50, "man": 50}},
                 "BRANDS": {"kids-desk": {"TARGETS": {"age": {"young": 60, "middle-aged": 20, "older": 20}}}}}

Promises: shares are weights above 0 and are normalised; an attribute without a target is uniform. The
table that is filled is the product of the shares, so that no combination is starved behind even
margins. A group with share 0 is refused: leaving people out is not a target. The values are words
for pictures that are made up; they say nothing about real people.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError

# Values that a target may name. The empty value is a person of whom this is not said.
VALUES: Mapping[str, tuple[str, ...]] = {
    "gender": ("woman", "man", "nonbinary"),
    "skin": ("light-skinned", "brown-skinned", "dark-skinned"),
    "ethnicity": (
        "Black", "East Asian", "South Asian", "Southeast Asian", "Latin American", "Middle Eastern",
        "Indigenous", "white",
    ),
    "age": ("young", "middle-aged", "older"),
    "body": ("", "slim", "muscular", "plus-size"),
    "disability": ("", "hearing aid", "prosthetic arm", "white cane", "wheelchair"),
}  # fmt: skip
# Where nobody gave shares. Most people in a film are not described by body or disability; the shares of
# those who are follow WHO's estimate that one person in six lives with a significant disability (2022).
_DEFAULT_SHARES: Mapping[str, Mapping[str, float]] = {
    "gender": {"woman": 1, "man": 1},
    "body": {"": 7, "slim": 1, "muscular": 1, "plus-size": 1},
    "disability": {"": 20, "hearing aid": 1, "prosthetic arm": 1, "white cane": 1, "wheelchair": 1},
}
DEFAULT = ("gender", "skin", "age")
# Kinds of people whose noun says the age, and children, who are girls or boys.
TABLES = ("adult", "child", "youth", "senior")
_MAX_CELLS = 2000
_KEYS = {"ATTRIBUTES", "TARGETS", "BRANDS", "CLASSIFIER"}


@dataclass(frozen=True)
class Target:
    """One brand's attributes with their shares, each summing to 1 over its values."""

    shares: Mapping[str, Mapping[str, float]] = field(hash=False)

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(self.shares)

    @cached_property
    def sha256(self) -> str:
        """Names this target in the ledger and in reports."""
        text = json.dumps(
            {a: dict(sorted(s.items())) for a, s in sorted(self.shares.items())}, sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def shares_in(self, table: str) -> dict[str, Mapping[str, float]]:
        """The attributes that a table of people has, with their shares."""
        found = dict(self.shares)
        if table != "adult":
            found.pop("age", None)
        if table == "child" and "gender" in found:
            kept = {v: s for v, s in found["gender"].items() if v != "nonbinary"}
            total = sum(kept.values()) or 1.0
            found["gender"] = {v: s / total for v, s in kept.items()} or {"woman": 0.5, "man": 0.5}
        return found

    def cells(self, table: str) -> dict[str, float]:
        """Every cell "table/value/value/..." with its share, in the order of the attributes."""
        return self._tables[table]

    @cached_property
    def _tables(self) -> dict[str, dict[str, float]]:
        made = {}
        for table in TABLES:
            shares = self.shares_in(table)
            cells: dict[str, float] = {}
            for combination in itertools.product(*(s.items() for s in shares.values())):
                weight = 1.0
                for _, share in combination:
                    weight *= share
                cells["/".join((table, *(value for value, _ in combination)))] = weight
            made[table] = cells
        return made

    def read(self, cell: str) -> dict[str, str]:
        """{"gender": "woman", ...} of a cell. ValueError for a cell of another target."""
        table, *values = cell.split("/")
        return dict(zip(self.shares_in(table), values, strict=True))

    @cached_property
    def readings(self) -> Mapping[str, Mapping[str, str]]:
        """What `read` says of every cell of every table."""
        return {cell: self.read(cell) for table in TABLES for cell in self._tables[table]}


def uniform(attributes: tuple[str, ...] = DEFAULT) -> Target:
    """Even shares, but for body and disability, which are mostly left unsaid."""
    return Target({name: _normalised(_default(name)) for name in attributes})


def _default(name: str) -> Mapping[str, float]:
    return _DEFAULT_SHARES.get(name) or dict.fromkeys(VALUES[name], 1.0)


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {value: weight / total for value, weight in weights.items()}


def for_brand(brand: str = "") -> Target:
    """The target of one brand. ConfigurationError when the setting does not fit."""
    everywhere, brands = parse(conf.get("FAIRNESS"))
    return brands.get(brand, everywhere)


def parse(setting: Any) -> tuple[Target, dict[str, Target]]:
    """(for all brands, for those that differ). ConfigurationError names the entry that does not fit."""
    top = _mapping(setting, "FAIRNESS", _KEYS)
    everywhere = _target(top, (), {}, "FAIRNESS")
    named = {}
    for name, entry in _mapping(top.get("BRANDS", {}), "FAIRNESS, BRANDS", None).items():
        where = f"FAIRNESS, brand {name!r}"
        entry = _mapping(entry, where, {"ATTRIBUTES", "TARGETS"})
        named[str(name)] = _target(entry, everywhere.attributes, top.get("TARGETS", {}), where)
    return everywhere, named


def _target(
    entry: Mapping[str, Any], attributes: tuple[str, ...], inherited: Mapping[str, Any], where: str
) -> Target:
    chosen = entry.get("ATTRIBUTES", attributes or DEFAULT)
    if not isinstance(chosen, list | tuple) or not chosen or len(set(chosen)) != len(chosen):
        raise ConfigurationError(f"{where}: ATTRIBUTES must list attributes, each once")
    if unknown := [name for name in chosen if name not in VALUES]:
        raise ConfigurationError(f"{where}: unknown attributes {unknown}; known are {list(VALUES)}")
    if "gender" not in chosen:
        raise ConfigurationError(f"{where}: ATTRIBUTES must hold gender: most wordings are built on it")
    if {"skin", "ethnicity"} <= set(chosen):
        raise ConfigurationError(
            f"{where}: choose skin or ethnicity; drawn independently they would contradict each other"
        )
    own = _mapping(entry.get("TARGETS", {}), f"{where}, TARGETS", set(VALUES))
    targets = {**inherited, **own}
    if unused := sorted(set(own) - set(chosen)):
        raise ConfigurationError(f"{where}: TARGETS for {unused}, which ATTRIBUTES does not list")
    target = Target({name: _shares(name, targets.get(name), where) for name in chosen})
    if len(target.cells("adult")) > _MAX_CELLS:
        raise ConfigurationError(f"{where}: more than {_MAX_CELLS} combinations; choose fewer attributes")
    return target


def _shares(name: str, given: Any, where: str) -> dict[str, float]:
    if given is None:
        return _normalised(_default(name))
    given = _mapping(given, f"{where}, {name}", set(VALUES[name]))
    if len(given) < 2:
        raise ConfigurationError(f"{where}: {name} needs shares for two values or more")
    for value, weight in given.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 < weight < 1e9:
            raise ConfigurationError(f"{where}: the share of {value!r} must be a number above 0")
    if name in ("gender", "skin", "age") and (left := set(_default(name)) - set(given)):
        raise ConfigurationError(f"{where}: {name} gives {sorted(left)} no share; leaving out is no target")
    return _normalised({value: float(given[value]) for value in VALUES[name] if value in given})


def _mapping(value: Any, where: str, keys: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{where}: expected a dictionary")
    if keys is not None and (unknown := sorted(str(key) for key in value if key not in keys)):
        raise ConfigurationError(f"{where}: unknown {unknown}; known are {sorted(keys)}")
    return value
