"""Rules over term lists: the conjunctions that no statistical score may overrule.

Promises: rules and terms are data (data/rules.yaml), compiled and checked once; a rule fires when
every list of `all` matches, neighbours in that list at most `within` words apart, and no excuse
stands. Returns category, score and rule id, never the words. Which action follows a score is the
policy's business, except for hard rules: those block under every policy. Leaves out meaning: a
rule knows words and distance, the heads of byline.safety.heads know likeness.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from byline.audit.base.errors import ConfigurationError
from byline.safety import foreign, language, people, pii
from byline.safety.categories import CATEGORIES


class RulesInvalid(ConfigurationError):
    code = "rules_invalid"
    help = "Correct safety/data/rules.yaml; the message names the rule and the key."


@dataclass(frozen=True)
class Rule:
    id: str
    category: str
    score: float
    all: tuple[str, ...]
    within: int | None = None
    unless: tuple[str, ...] = ()
    not_excused_by: tuple[str, ...] = ()
    hard: bool = False
    head: str = ""  # a head of byline.safety.heads that must give the view at least `at` as well
    at: float = 0.0


@dataclass(frozen=True)
class Hit:
    """One rule that fired. `spans` are character positions in the view, for showing the author their
    own words; they are not logged."""

    rule: str
    category: str
    score: float
    hard: bool
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class RuleSet:
    terms: Mapping[str, re.Pattern[str]]
    rules: tuple[Rule, ...]


Span = tuple[int, int]
_PROVIDERS: dict[str, Callable[[str], list[Span]]] = {
    "@person": lambda text: [(p.start, p.end) for p in people.find(text)],
    "@public": lambda text: [(p.start, p.end) for p in people.find(text) if p.kind in {"public", "office"}],
}


def compile_rules(raw: Mapping[str, Any]) -> RuleSet:
    """Check and compile the parsed YAML. RulesInvalid names what is wrong."""
    terms: dict[str, re.Pattern[str]] = {}
    for name, fragments in raw["terms"].items():
        try:
            terms[name] = re.compile(r"(?<![\w])(?:" + "|".join(fragments) + r")(?![\w])", re.IGNORECASE)
        except (re.error, TypeError) as error:
            raise RulesInvalid(f"term list {name!r} does not compile: {error}") from error
    rules = []
    for entry in raw["rules"]:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
        try:
            rule = Rule(**values)
        except TypeError as error:
            raise RulesInvalid(f"rule {entry.get('id')!r}: {error}") from error
        unknown = [
            t
            for t in (*rule.all, *rule.unless, *rule.not_excused_by)
            if t not in terms and t not in _PROVIDERS
        ]
        if unknown or not rule.all:
            raise RulesInvalid(f"rule {rule.id!r} uses unknown term lists {unknown}")
        if {rule.category, rule.head or rule.category} - set(CATEGORIES) or not 0 < rule.score <= 1:
            raise RulesInvalid(f"rule {rule.id!r} has category {rule.category!r}, score {rule.score}")
        rules.append(rule)
    if len({r.id for r in rules}) != len(rules):
        raise RulesInvalid("two rules share an id")
    return RuleSet(terms, tuple(rules))


@functools.cache
def shipped() -> RuleSet:
    """The rules that come with Byline."""
    file = resources.files("byline.safety").joinpath("data/rules.yaml")
    return compile_rules(yaml.safe_load(file.read_text("utf-8")))


class _Text:
    """One view with its matches, each list searched once."""

    def __init__(self, text: str, terms: Mapping[str, re.Pattern[str]]) -> None:
        self.text = text
        self._terms = terms
        self._starts = [m.start() for m in re.finditer(r"\S+", text)]
        self._found: dict[str, list[Span]] = {}

    def spans(self, name: str) -> list[Span]:
        if name not in self._found:
            provider = _PROVIDERS.get(name)
            self._found[name] = (
                provider(self.text) if provider else [m.span() for m in self._terms[name].finditer(self.text)]
            )
        return self._found[name]

    def word(self, position: int) -> int:
        return bisect.bisect_right(self._starts, position)

    def gap(self, a: Span, b: Span) -> int:
        """Words between two spans; 0 when they touch or overlap."""
        if a[0] > b[0]:
            a, b = b, a
        return max(0, self.word(b[0]) - self.word(max(a[0], a[1] - 1)))


def evaluate(
    text: str,
    rules: RuleSet | None = None,
    *,
    skip: Sequence[str] = (),
    spoken: bool = False,
    scores: Mapping[str, float] | None = None,
) -> list[Hit]:
    """Every rule that fires on one view, in the order of the file, plus personal data and, in a text
    that is not English, the hints of byline.safety.foreign.

    `skip` names categories left out, e.g. a spoken text may mention people it does not depict. In a
    `spoken` text a report stays a report although it says "the images show": nothing withdraws the
    excuse, and the case goes to review. `scores` are those of the heads for this view; without them
    (the encoder failed) a rule that asks for one fires, but for a hard one: its case is held anyway.
    """
    chosen = rules or shipped()
    view = _Text(text, chosen.terms)
    hits = []
    for rule in chosen.rules:
        if rule.category in skip or not _likely(rule, scores) or _excused(view, rule, spoken):
            continue
        spans = _chain(view, rule)
        if spans:
            hits.append(Hit(rule.id, rule.category, rule.score, rule.hard, spans))
    if "pii" not in skip:
        hits += [Hit(f"pii.{d.kind}", "pii", d.score, False, ((d.start, d.end),)) for d in pii.find(text)]
    if language.reading(text) not in {"english", "none"}:
        hits += [
            Hit(h.by, h.category, h.score, False, ((h.start, h.end),))
            for h in foreign.find(text)
            if h.category not in skip
        ]
    return hits


def _likely(rule: Rule, scores: Mapping[str, float] | None) -> bool:
    if not rule.head:
        return True
    return not rule.hard if scores is None else scores.get(rule.head, 0.0) >= rule.at


def _excused(view: _Text, rule: Rule, spoken: bool) -> bool:
    if not any(view.spans(n) for n in rule.unless):
        return False
    return spoken or not any(view.spans(n) for n in rule.not_excused_by)


def _chain(view: _Text, rule: Rule) -> tuple[Span, ...]:
    """One match per list so that each lies within reach of the first list's; () when there is none.

    Two lists may not be satisfied by the very same words.
    """
    lists = []
    for name in rule.all:
        found = view.spans(name)
        if not found:
            return ()
        lists.append(found[:200])  # bounds the work on a text that repeats one word
    for anchor in lists[0]:
        chosen = [anchor]
        for candidates in lists[1:]:
            near = next(
                (
                    c
                    for c in candidates
                    if c not in chosen and (rule.within is None or view.gap(anchor, c) <= rule.within)
                ),
                None,
            )
            if near is None:
                break
            chosen.append(near)
        else:
            return tuple(chosen)
    return ()
