"""Moderate the texts of one request: rules and heads on every view, then the policy.

Promises: the maximum over all texts and views decides, and the result names the text, the view and
the rule or head that gave it; hard rules block under every policy; a text that cannot be read
(language, length) is never passed silently; when the encoder does not work the check is "failed"
and the action at least "review". Evidence holds names, scores and counts, never the text.
Runs without torch. Leaves out pictures and audio: byline.safety.screen.
"""

from __future__ import annotations

import bisect
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from byline.safety import encoder, heads, language, rules
from byline.safety.categories import TOO_LONG, UNSUPPORTED_LANGUAGE
from byline.safety.checks import Action, Check
from byline.safety.policy import Policy
from byline.safety.views import View, views

logger = logging.getLogger(__name__)

_STRENGTH: Mapping[Action, int] = {"allow": 0, "review": 1, "block": 2}
# What is only heard or read mentions people and works; it does not depict them.
SPOKEN = frozenset({"voice_over", "title", "captions", "script", "transcript"})
_NOT_DEPICTED = frozenset({"real_person", "copyright_brand"})
# A negative prompt lists what must not appear ("nudity, blood"), so naming it is no offence.
NEGATIVE = "negative_prompt"
_UNWANTED = frozenset({"sexual", "violence", "copyright_brand", "real_person"})


@dataclass(frozen=True)
class Finding:
    """One score: `by` is a rule id or "head", `where` the text's name, `view` its reading."""

    category: str
    score: float
    by: str
    where: str
    view: str
    steps: tuple[str, ...] = ()
    hard: bool = False


@dataclass(frozen=True)
class Moderation:
    """The strongest action over all checks, with the category, clause, score and view behind it."""

    action: Action
    checks: tuple[Check, ...]
    policy_version: str
    category: str = ""
    clause: str = ""
    help: str = ""
    score: float | None = None
    view: str = ""
    findings: tuple[Finding, ...] = field(default=(), repr=False)


def moderate(texts: Mapping[str, str], policy: Policy, profile: str) -> Moderation:
    """Judge the texts of one request, e.g. {"prompt": ..., "voice_over": ..., "negative_prompt": ...}.

    Empty texts pass. Raises UnknownProfile; everything else is in the result.
    """
    policy.profile(profile)
    readable = {n: t for n, t in texts.items() if t.strip() and len(t) <= policy.max_characters}
    long = [n for n, t in texts.items() if len(t) > policy.max_characters]
    read = {name: views(text) for name, text in readable.items()}
    by_rules = _rules(read)
    checks = [_check("moderation.rules", by_rules, policy, profile)]
    by_heads: list[Finding] = []
    try:
        by_heads = _heads(read)
    except encoder.EncoderUnavailable as error:
        logger.error("moderation model unavailable: %s", error)
        checks.append(Check("moderation.model", "failed", "review", detail=str(error)))
    else:
        checks.append(_check("moderation.model", by_heads, policy, profile))
    checks.append(_readable(read, long, policy, profile))
    findings = tuple(by_rules + by_heads)
    worst = max(checks, key=lambda c: (_STRENGTH[c.action], c.score or 0.0))
    if worst.action == "allow":
        return Moderation("allow", tuple(checks), policy.version, findings=findings)
    return Moderation(
        action=worst.action,
        checks=tuple(checks),
        policy_version=policy.version,
        category=worst.category,
        clause=worst.clause,
        help=policy.clauses[worst.category].help if worst.category else "",
        score=worst.score,
        view=str(worst.evidence.get("view", "")),
        findings=findings,
    )


def _left_out(name: str) -> frozenset[str]:
    if name == NEGATIVE:
        return _UNWANTED
    return _NOT_DEPICTED if name in SPOKEN else frozenset()


def _rules(read: Mapping[str, tuple[View, ...]]) -> list[Finding]:
    found = []
    for name, readings in read.items():
        for view in readings:
            for hit in rules.evaluate(view.text, skip=tuple(_left_out(name)), spoken=name in SPOKEN):
                found.append(
                    Finding(hit.category, hit.score, hit.rule, name, view.name, view.steps, hit.hard)
                )
    found += _across(read)
    return found


def _across(read: Mapping[str, tuple[View, ...]]) -> list[Finding]:
    """Hard conjunctions whose halves stand in different texts: one sentence cut over two fields.

    What lies within one text was judged there, with the excuses of that text.
    """
    joined, ends = "", []
    for name, readings in read.items():
        if readings and name != NEGATIVE:
            joined += readings[-1].text + " . "
            ends.append(len(joined))
    found = []
    for hit in rules.evaluate(joined, skip=("pii",)) if len(ends) > 1 else ():
        fields = {bisect.bisect_right(ends, start) for start, _ in hit.spans}
        if hit.hard and len(fields) > 1:
            found.append(Finding(hit.category, hit.score, hit.rule, "all", "combined", (), True))
    return found


def _heads(read: Mapping[str, tuple[View, ...]]) -> list[Finding]:
    model, scorer = encoder.shared(), heads.shared()
    found = []
    for name, readings in read.items():
        left_out = _left_out(name)
        for view in readings:
            if not _is_read(view) and not language.legible(view.text):
                continue  # moderation.language sends it to a person
            best: dict[str, float] = {}
            for window in model.windows(view.text):
                for category, score in scorer.scores(window).items():
                    if category not in left_out:
                        best[category] = max(best.get(category, 0.0), score)
            found += [Finding(c, s, "head", name, view.name, view.steps) for c, s in best.items()]
    return found


def _check(name: str, findings: list[Finding], policy: Policy, profile: str) -> Check:
    """The strongest finding decides; the evidence lists everything that was not simply allowed."""

    def action(finding: Finding) -> Action:
        return "block" if finding.hard else policy.decide(profile, finding.category, finding.score)

    fired = [(action(f), f) for f in findings]
    notable = sorted(
        (pair for pair in fired if pair[0] != "allow"),
        key=lambda pair: (_STRENGTH[pair[0]], pair[1].score),
        reverse=True,
    )
    if not notable:
        top = max((f.score for f in findings), default=0.0)
        return Check(name, "available", score=round(top, 3), evidence={"policy": policy.version})
    strongest, finding = notable[0]
    evidence: dict[str, Any] = {
        "policy": policy.version,
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
        strongest,
        detail=f"{finding.category} in {finding.where}",
        category=finding.category,
        clause=policy.clause(finding.category),
        score=round(finding.score, 3),
        evidence=evidence,
    )


def _is_read(view: View) -> bool:
    return language.reading(view.text) in {"english", "none"}


def _readable(read: Mapping[str, tuple[View, ...]], long: list[str], policy: Policy, profile: str) -> Check:
    """Whether the moderation could read every text at all."""
    name = "moderation.language"
    # The normalised view: look-alike letters alone must not make English text unreadable.
    unread = {n: language.reading(v[-1].text) for n, v in read.items() if v and not _is_read(v[-1])}
    for reason, where in ((TOO_LONG, long), (UNSUPPORTED_LANGUAGE, sorted(unread))):
        if where:
            return Check(
                name,
                "available",
                policy.decide(profile, reason, 1.0),
                detail=f"{reason} in {', '.join(where)}",
                category=reason,
                clause=policy.clause(reason),
                evidence={"policy": policy.version, "text": where[0], "read_as": unread.get(where[0], "")},
            )
    return Check(name, "available", evidence={"policy": policy.version})
