"""Moderate the texts of one request: rules, lists, heads and guards on every view, then the policy.

Promises: the maximum over all texts and views decides, and the result names the text, the view, the
rule, head, list or guard that gave it, and the layer of the policy that made it count; hard rules
block under every policy; a text that cannot be read (language, length) is never passed silently;
when the encoder or a guard does not work its check is "failed" and the action at least "review".
Evidence holds names, scores and counts, never the text; the words that fired are in explain.py,
for the author alone. Runs without torch unless a guard is configured. Leaves out pictures and audio.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from byline.safety import guards, language
from byline.safety.categories import TOO_LONG, UNSUPPORTED_LANGUAGE
from byline.safety.checks import Action, Check
from byline.safety.guards.base import Guard
from byline.safety.names import NameList, Span
from byline.safety.policy_model import STRENGTH, Circumstances, Decision, Policy, TermList
from byline.safety.reading import COMBINED, TOGETHER, WRITTEN, Reading, left_out, whole
from byline.safety.scoring import Finding, Scored, each_view, head_scores, rules_on, score
from byline.safety.views import View

# A named candidate in a picture, on the scale of byline.safety.heads: reviewed in every shipped profile.
_CANDIDATE = 0.9


@dataclass(frozen=True)
class Moderation:
    """The strongest action over all checks, with the category, clause, score, view and layer behind it.

    `notable` is every finding that was not simply allowed, with its decision, the strongest first.
    """

    action: Action
    checks: tuple[Check, ...]
    policy_version: str
    category: str = ""
    clause: str = ""
    help: str = ""
    score: float | None = None
    view: str = ""
    layer: str = ""
    notable: tuple[tuple[Decision, Finding], ...] = field(default=(), repr=False)
    scored: Scored | None = field(default=None, repr=False)


def moderate(
    texts: Mapping[str, str],
    policy: Policy,
    profile: str,
    *,
    brand: str = "",
    on: dt.date | None = None,
    with_guards: Mapping[str, Guard] | None = None,
) -> Moderation:
    """Judge the texts of one request, e.g. {"prompt": ..., "voice_over": ..., "negative_prompt": ...}.

    The texts of a storyboard's scenes are numbered, {"prompt.1": ..., "voice_over.1": ...,
    "prompt.2": ...}; a transcript is named "transcript", an uploaded script "script". `on` is the day
    that elections are looked up for, today by default; guards are the configured ones. Empty texts
    pass. Raises UnknownProfile and, for a guard that is configured wrongly, ConfigurationError;
    everything else is in the result.
    """
    policy.profile(profile)
    chosen = guards.configured() if with_guards is None else with_guards
    return decide(score(texts, policy.max_characters, chosen), policy, profile, brand=brand, on=on)


def decide(
    scored: Scored, policy: Policy, profile: str, *, brand: str = "", on: dt.date | None = None
) -> Moderation:
    """What the policy makes of the scores."""
    reading = scored.reading
    long = sorted(name for name, n in reading.lengths.items() if n > policy.max_characters)
    where, candidates = _circumstances(reading, policy, brand, on or dt.datetime.now(dt.UTC).date())
    judge = _Judge(policy, profile, where, frozenset(long))
    own = policy.brands[brand].own if brand in policy.brands else NameList()
    checks = [
        judge.check("moderation.rules", _own_brand_passes(scored.by_rules, reading, own)),
        judge.check("moderation.lists", [*candidates, *_by_lists(reading, policy, brand)]),
    ]
    if scored.heads_failed:
        checks.append(Check("moderation.model", "failed", "review", detail=scored.heads_failed))
    else:
        checks.append(judge.check("moderation.model", _own_brand_passes(scored.by_heads, reading, own)))
    checks += [judge.check(f"moderation.guard.{name}", found) for name, found in scored.by_guards.items()]
    checks += [
        Check(f"moderation.guard.{name}", "failed", "review", detail=detail)
        for name, detail in scored.guards_failed.items()
    ]
    checks.append(_readable(scored, long, policy, profile, where))
    worst = max(checks, key=lambda c: (STRENGTH[c.action], c.score or 0.0))
    if worst.action == "allow":
        return Moderation("allow", tuple(checks), policy.version, scored=scored)
    return Moderation(
        action=worst.action,
        checks=tuple(checks),
        policy_version=policy.version,
        category=worst.category,
        clause=worst.clause,
        help=policy.clauses[worst.category].help if worst.category else "",
        score=worst.score,
        view=str(worst.evidence.get("view", "")),
        layer=str(worst.evidence.get("layer", "")),
        notable=tuple(sorted(judge.notable, key=_severity, reverse=True)),
        scored=scored,
    )


def _severity(pair: tuple[Decision, Finding]) -> tuple[int, float]:
    return STRENGTH[pair[0].action], pair[1].score


def _places(names: NameList, reading: Reading) -> Iterator[tuple[int, str, View, Span]]:
    """Where names of a list stand: in a view of a text, or over the seam of two texts."""
    if not names:
        return
    for where, view in each_view(reading):
        for entry, span in names.find(view.text):
            yield entry, where, view, span
    for name, joined in ((COMBINED, reading.joined), (WRITTEN, reading.as_written)):
        for entry, span in names.find(joined.text):
            if len(joined.parts(span)) > 1:
                yield entry, TOGETHER, View(name, joined.text), span


def _circumstances(
    reading: Reading, policy: Policy, brand: str, on: dt.date
) -> tuple[Circumstances, list[Finding]]:
    named, found = set(), []
    for election in policy.running(on):
        for _, where, view, span in _places(election.candidates, reading):
            named.add(election.name)
            if "real_person" not in left_out(where):
                by = f"election.{election.name}"
                found.append(
                    Finding("real_person", _CANDIDATE, by, where, view.name, view.steps, spans=(span,))
                )
    return Circumstances(brand, on, frozenset(named)), found


def _by_lists(reading: Reading, policy: Policy, brand: str) -> Iterator[Finding]:
    for entry, where, view, span in _places(policy.people_names, reading):
        person = policy.people[entry]
        if person.anywhere or "real_person" not in left_out(where):
            # The entry's number, not the name: evidence is shown to more people than the list is.
            fixed = Decision(person.action, f"no-go list, entry {entry + 1}", person.why)
            yield _listed("real_person", "no_go", where, view, span, fixed)
    lists: list[tuple[str, TermList]] = [("", item) for item in policy.terms]
    if brand in policy.brands:
        lists += [(f" of brand {brand}", item) for item in policy.brands[brand].terms]
    for whose, item in lists:
        for _, where, view, span in _places(item.words, reading):
            if item.category not in left_out(where):
                fixed = Decision(item.action, f"terms {item.name}{whose}", item.why)
                yield _listed(item.category, f"terms.{item.name}", where, view, span, fixed)


def _listed(category: str, by: str, where: str, view: View, span: Span, fixed: Decision) -> Finding:
    return Finding(category, 1.0, by, where, view.name, view.steps, spans=(span,), fixed=fixed)


def _own_brand_passes(findings: Iterable[Finding], reading: Reading, own: NameList) -> list[Finding]:
    """Findings about brands are made anew without the brand's own names; everything else stays."""
    kept = list(findings)
    if not own:
        return kept
    for name, view in each_view(reading):
        blank = own.blank(view.text)
        if blank == view.text:
            continue
        mine = [
            f
            for f in kept
            if (f.where, f.view, f.category) == (name, view.name, "copyright_brand") and not f.hard
        ]
        if not mine:
            continue
        without = [f for f in kept if f not in mine]
        if mine[0].by == "head":
            value = head_scores(blank).get("copyright_brand", 0.0)
            kept = [*without, dataclasses.replace(mine[0], score=min(value, mine[0].score))]
        else:
            still = {f.by for f in rules_on(blank, name, view) if f.category == "copyright_brand"}
            kept = [*without, *(f for f in mine if f.by in still)]
    return kept


class _Judge:
    """Asks the policy about findings, one check at a time, and keeps what was not simply allowed."""

    def __init__(self, policy: Policy, profile: str, where: Circumstances, long: frozenset[str]) -> None:
        self.policy, self.profile, self.where, self.long = policy, profile, where, long
        self.notable: list[tuple[Decision, Finding]] = []

    def decision(self, finding: Finding) -> Decision:
        if finding.hard:
            return Decision("block", "hard rule")
        if finding.fixed is not None:
            return finding.fixed
        return self.policy.decide(self.profile, finding.category, finding.score, self.where)

    def check(self, name: str, findings: Iterable[Finding]) -> Check:
        """The strongest finding decides; the evidence lists everything that was not simply allowed."""
        counted = [f for f in findings if f.where not in self.long]
        notable = [(d, f) for f in counted if (d := self.decision(f)).action != "allow"]
        notable.sort(key=_severity, reverse=True)
        self.notable += notable
        if not notable:
            top = max((f.score for f in counted), default=0.0)
            return Check(name, "available", score=round(top, 3), evidence={"policy": self.policy.version})
        decision, finding = notable[0]
        evidence: dict[str, Any] = {
            "policy": self.policy.version,
            "layer": decision.layer,
            "cites": decision.cites,
            "by": finding.by,
            "text": finding.where,
            "view": finding.view,
            "steps": list(finding.steps),
            "hard": finding.hard,
            "also": sorted({f"{f.category}:{f.by}" for _, f in notable[1:]})[:20],
        }
        return Check(
            name,
            "available",
            decision.action,
            detail=f"{finding.category} in {finding.where}",
            category=finding.category,
            clause=self.policy.clause(finding.category),
            score=round(finding.score, 3),
            evidence=evidence,
        )


def _readable(scored: Scored, long: list[str], policy: Policy, profile: str, at: Circumstances) -> Check:
    """Whether the moderation could read every text at all."""
    name = "moderation.language"
    unread = {}
    for text, text_views in scored.reading.views.items():
        # The normalised view: a disguise alone must not make English text unreadable. But it takes marks
        # off letters, and a language that is known by them is known before.
        last = text_views[-1]
        read_as = language.reading(last.text)
        if "marks" in last.steps and (plain := language.reading(text_views[0].text)) in language.codes():
            read_as = plain
        if not whole(text) and read_as not in {"english", "none"} | scored.languages:
            unread[text] = read_as
    for reason, where in ((TOO_LONG, long), (UNSUPPORTED_LANGUAGE, sorted(unread))):
        if where:
            decision = policy.decide(profile, reason, 1.0, at)
            return Check(
                name,
                "available",
                decision.action,
                detail=f"{reason} in {', '.join(where)}",
                category=reason,
                clause=policy.clause(reason),
                evidence={
                    "policy": policy.version,
                    "layer": decision.layer,
                    "text": where[0],
                    "read_as": unread.get(where[0], ""),
                },
            )
    return Check(name, "available", evidence={"policy": policy.version})
