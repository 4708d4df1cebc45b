"""What a new policy would change: section by section, and prompt by prompt.

Promises: texts are scored once and both policies decide on the same scores, so that a difference
comes from the policies alone; nothing is written. A change names the request by its id, the two
actions and the layer and category behind each; the texts stay with the caller.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from byline.safety.categories import CATEGORIES
from byline.safety.guards import Guard
from byline.safety.moderation import decide
from byline.safety.policy_model import NEVER, STRENGTH, Policy, Profile, Tightenings
from byline.safety.scoring import Scored, score


@dataclass(frozen=True)
class Case:
    """One prompt to try: an id that means something to the reader, and what `moderate` takes."""

    id: str
    texts: Mapping[str, str]
    profile: str
    brand: str = ""


@dataclass(frozen=True)
class Verdict:
    action: str
    reason: str = ""  # "violence in prompt (profile children)"


@dataclass(frozen=True)
class Change:
    case: Case
    before: Verdict
    after: Verdict

    @property
    def stricter(self) -> bool:
        return STRENGTH[self.after.action] > STRENGTH[self.before.action]


def changes(
    cases: Iterable[Case], old: Policy, new: Policy, *, on: dt.date, guards: Mapping[str, Guard]
) -> Iterator[Change | None]:
    """For each case the change of its outcome, or None where there is none: so that callers can count."""
    for case in cases:
        scored = score(case.texts, max(old.max_characters, new.max_characters), guards)
        before, after = (_verdict(case, scored, policy, on) for policy in (old, new))
        yield Change(case, before, after) if before.action != after.action else None


def _verdict(case: Case, scored: Scored, policy: Policy, on: dt.date) -> Verdict:
    if case.profile not in policy.profiles:
        return Verdict("block", f"the policy has no profile {case.profile}")
    result = decide(scored, policy, case.profile, brand=case.brand, on=on)
    if result.action == "allow":
        return Verdict("allow")
    worst = max(result.checks, key=lambda c: (STRENGTH[c.action], c.score or 0.0))
    return Verdict(result.action, f"{worst.detail} ({result.layer or worst.name})")


def sections(old: Policy, new: Policy) -> list[str]:
    """The differences of two policies in words, one line each; none for files that decide alike."""
    lines = _members("profile", old.profiles, new.profiles)
    for name in sorted(set(old.profiles) & set(new.profiles)):
        lines += _profile(old.profiles[name], new.profiles[name])
    for what, before, after in (
        ("jurisdiction", old.jurisdictions, new.jurisdictions),
        ("election", {e.name: e for e in old.elections}, {e.name: e for e in new.elections}),
        ("terms", {t.name: t for t in old.terms}, {t.name: t for t in new.terms}),
        ("brand", old.brands, new.brands),
        ("clause", old.clauses, new.clauses),
    ):
        lines += _members(what, before, after)
        lines += [f"{what} {n}: changed" for n in sorted(set(before) & set(after)) if before[n] != after[n]]
    if (old.people, old.people_names) != (new.people, new.people_names):
        lines.append(f"no-go list: changed, {len(old.people)} people before, {len(new.people)} now")
    if old.max_characters != new.max_characters:
        lines.append(f"max_characters: {old.max_characters} before, {new.max_characters} now")
    return lines


def _members(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    gone = [f"{what} {name}: removed" for name in sorted(set(old) - set(new))]
    return gone + [f"{what} {name}: new" for name in sorted(set(new) - set(old))]


def _profile(old: Profile, new: Profile) -> list[str]:
    lines = []
    for category in CATEGORIES:
        before, after = old.bands[category], new.bands[category]
        if before != after:
            text = f"{thresholds(old, category)} before, {thresholds(new, category)} now"
            lines.append(f"profile {old.name}, {category}: {text}")
    for reason in sorted(old.reasons):
        if old.reasons[reason] != new.reasons[reason]:
            lines.append(
                f"profile {old.name}, {reason}: {old.reasons[reason]} before, {new.reasons[reason]} now"
            )
    if old.may_be_unavailable != new.may_be_unavailable:
        lines.append(
            f"profile {old.name}, may_be_unavailable: {sorted(old.may_be_unavailable)} before, "
            f"{sorted(new.may_be_unavailable)} now"
        )
    return lines


def thresholds(profile: Profile, category: str) -> str:
    """ "review from 0.5, block from 0.9" of one category."""
    parts = [f"{b.action} from {b.low:g}" for b in profile.bands[category] if b.action != "allow"]
    return ", ".join(parts) or "allowed"


def tightened(tighten: Tightenings) -> list[str]:
    """The thresholds of a layer above the profiles, one line per category, with what it cites."""
    lines = []
    for category, item in tighten.items():
        pairs = (("review", item.review_from), ("block", item.block_from))
        parts = ", ".join(f"{action} from {at:g}" for action, at in pairs if at < NEVER)
        lines.append(f"{category}: {parts}" + (f" ({item.cites})" if item.cites else ""))
    return lines
