"""Scores of the texts of one request, before any policy is asked: rules, heads and guards on every view.

Promises: nothing here depends on a policy but the length up to which texts are read, so that several
policies can decide on the same scores; a guard or encoder that does not work is named and gives no
score. Findings hold positions, never words.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from byline.safety import encoder, heads, language, rules
from byline.safety.guards.base import Guard
from byline.safety.names import Span
from byline.safety.policy_model import Decision
from byline.safety.reading import COMBINED, TOGETHER, Reading, left_out, read, spoken
from byline.safety.views import View

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """One score: `by` is a rule id, "head", a guard or a list, `where` the text's name, `view` its reading.

    `spans` are positions in that view. `fixed` is the action of a list, which no score moves.
    """

    category: str
    score: float
    by: str
    where: str
    view: str
    steps: tuple[str, ...] = ()
    hard: bool = False
    spans: tuple[Span, ...] = field(default=(), repr=False)
    fixed: Decision | None = None


@dataclass(frozen=True)
class Scored:
    """What rules, heads and guards say about the texts, before any policy is asked."""

    reading: Reading
    by_rules: tuple[Finding, ...]
    by_heads: tuple[Finding, ...]
    heads_failed: str
    by_guards: Mapping[str, tuple[Finding, ...]]
    guards_failed: Mapping[str, str]
    languages: frozenset[str]  # what the guards that worked can read


def score(texts: Mapping[str, str], longest: int, with_guards: Mapping[str, Guard]) -> Scored:
    """Scores of every text of at most `longest` characters, for one or several policies to decide on."""
    reading = read(texts, longest)
    by_heads: list[Finding] = []
    failed = ""
    try:
        by_heads = list(_by_heads(reading))
    except encoder.EncoderUnavailable as error:
        logger.error("moderation model unavailable: %s", error)
        failed = str(error)
    by_guards: dict[str, tuple[Finding, ...]] = {}
    guards_failed: dict[str, str] = {}
    languages: frozenset[str] = frozenset()
    for name, guard in with_guards.items():
        try:
            by_guards[name] = tuple(_by_guard(name, guard, reading))
            languages |= guard.info.languages
        except Exception as error:  # noqa: BLE001  whatever a guard's library raises, the request is held
            # The type alone: messages of tokenizers quote the text.
            logger.error("guard %s failed: %s", name, type(error).__name__)
            guards_failed[name] = f"the guard {name} did not work ({type(error).__name__})"
    return Scored(
        reading,
        tuple(_by_rules(reading, by_heads)),
        tuple(by_heads),
        failed,
        by_guards,
        guards_failed,
        languages,
    )


def each_view(reading: Reading) -> Iterator[tuple[str, View]]:
    """(name of the text, view) of everything that is scored."""
    for name, text_views in reading.views.items():
        for view in text_views:
            yield name, view


def _by_rules(reading: Reading, by_heads: Sequence[Finding]) -> Iterator[Finding]:
    likeness: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for found in by_heads:
        likeness[found.where, found.view][found.category] = found.score
    for name, view in each_view(reading):
        yield from rules_on(view.text, name, view, likeness.get((name, view.name)))
    # Hard conjunctions whose halves stand in different texts: one sentence cut over two fields. What
    # lies within one text was judged there, with the excuses of that text.
    joined = reading.joined
    for hit in rules.evaluate(joined.text, skip=("pii",)) if len(joined.ends) > 1 else ():
        if hit.hard and len(joined.parts(*hit.spans)) > 1:
            yield Finding(hit.category, hit.score, hit.rule, TOGETHER, COMBINED, (), True, hit.spans)


def rules_on(
    text: str, name: str, view: View, scores: Mapping[str, float] | None = None
) -> Iterator[Finding]:
    """What the rules find in `text`, told as a finding in that view of the text called `name`; `scores` are
    those of the heads."""
    for hit in rules.evaluate(text, skip=tuple(left_out(name)), spoken=spoken(name), scores=scores):
        yield Finding(hit.category, hit.score, hit.rule, name, view.name, view.steps, hit.hard, hit.spans)


def _by_heads(reading: Reading) -> Iterator[Finding]:
    """All views of all texts in one batch; what the encoder cannot read goes to moderation.language."""
    each = list(_legible(reading))
    for (name, view), scores in zip(each, _batch_scores([v.text for _, v in each]), strict=True):
        for category, value in scores.items():
            if category not in left_out(name):
                yield Finding(category, value, "head", name, view.name, view.steps)


def _legible(reading: Reading) -> Iterator[tuple[str, View]]:
    """Views made of words that the encoder knows. What is left of a disguise is noise to it, and the
    normalised view is read in its place."""
    for name, text_views in reading.views.items():
        for view in text_views:
            english = language.reading(view.text) in {"english", "none"}
            if language.legible(view.text) or (english and view is text_views[-1]):
                yield name, view


def head_scores(text: str) -> dict[str, float]:
    """The highest score of each category over the windows of a text. EncoderUnavailable."""
    return _batch_scores([text])[0]


def _batch_scores(texts: Sequence[str]) -> list[dict[str, float]]:
    """The highest score of each category over the windows of every text; all windows in one batch."""
    cut = encoder.shared().batch(texts)
    scores = iter(heads.shared().scores([window for windows in cut for window in windows]) if cut else ())
    each = [[next(scores) for _ in windows] for windows in cut]
    return [{c: max(s[c] for s in part) for c in part[0]} for part in each]


def _by_guard(name: str, guard: Guard, reading: Reading) -> Iterator[Finding]:
    each = list(each_view(reading))
    results = guard.score([view.text for _, view in each]) if each else ()
    for (where, view), scores in zip(each, results, strict=True):
        for category, value in scores.items():
            if category not in left_out(where):
                yield Finding(category, value, name, where, view.name, view.steps)
