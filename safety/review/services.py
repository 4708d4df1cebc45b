"""What people do with a case: take it, put it back, assign it, see it without the blur, decide it, appeal.

Promises: each step but putting back writes row and log entry in one transaction. A case is decided once, by
the person who holds it, who is neither the requester nor the one whose decision it is about; a decision has
an outcome, a reason that fits, a clause and a rationale, and what follows from it (`carry_out`) commits with
it or not at all. Who may call these functions at all is the caller's affair (platform: permissions).
"""

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from byline.audit import log
from byline.audit.base.errors import InvalidInput
from byline.safety import policy
from byline.safety.review import rules as rulebook
from byline.safety.review.cases import LONGEST, Source, State, find, open_case, settle
from byline.safety.review.errors import (
    AppealRefused,
    CaseLocked,
    CaseNotTaken,
    CaseSettled,
    DecisionInvalid,
    OwnCase,
)
from byline.safety.review.models import Case, Decision, KnownLimit, Look
from byline.safety.review.sampling import drawn

CarryOut = Callable[[Case, Decision], None]
# Outcomes that take something from somebody: they need words for the user and can be appealed.
RESTRICTS = frozenset({"reject", "take_down", "withdraw", "relabel", "refuse"})
LONGEST_RATIONALE = 1000


# ---------------------------------------------------------------- who has it


def _require_open(case: Case) -> None:
    if case.state != State.OPEN:
        raise CaseSettled(f"This case is {case.get_state_display()}.")


def require_impartial(case: Case, reviewer: str) -> None:
    """OwnCase for whom a case is about or against: they neither decide nor read it, as it may hold the words
    and the address of somebody who reported them."""
    if reviewer in case.excluded or (case.only and case.only != reviewer):
        raise OwnCase("You may not decide this case: it is about your own request, or your own decision.")


def _require_free(case: Case, reviewer: str) -> None:
    holder = case.held_by()
    if holder and holder != reviewer:
        raise CaseLocked("Another reviewer has this case at the moment.")


def take(case_id: uuid.UUID | str, reviewer: str) -> Case:
    """Lock a case for yourself; taking it again renews that. CaseLocked, CaseSettled, OwnCase."""
    with transaction.atomic():
        case = find(case_id, lock=True)
        _require_open(case)
        require_impartial(case, reviewer)
        _require_free(case, reviewer)
        _hold(case, reviewer, actor=reviewer)
    return case


def assign(case_id: uuid.UUID | str, reviewer: str, *, actor: str) -> Case:
    """Give a case to somebody, also one that another person holds. CaseSettled, OwnCase."""
    with transaction.atomic():
        case = find(case_id, lock=True)
        _require_open(case)
        require_impartial(case, reviewer)
        _hold(case, reviewer, actor=actor)
    return case


def _hold(case: Case, reviewer: str, *, actor: str) -> None:
    fresh = case.held_by() != reviewer
    case.assignee = reviewer
    case.locked_until = timezone.now() + timedelta(minutes=rulebook.load().lock_minutes)
    case.save(update_fields=["assignee", "locked_until"])
    if fresh:
        payload = {"by_other": actor != reviewer}
        log.append("safety.case_taken", subject=case.log_subject, actor=reviewer, payload=payload)


def put_back(case_id: uuid.UUID | str, reviewer: str) -> Case:
    """Let others have it. CaseLocked when it is not yours."""
    with transaction.atomic():
        case = find(case_id, lock=True)
        _require_open(case)
        require_impartial(case, reviewer)
        _require_free(case, reviewer)
        case.assignee, case.locked_until = "", None
        case.save(update_fields=["assignee", "locked_until"])
    return case


def unblur(case_id: uuid.UUID | str, reviewer: str) -> Look:
    """Choose to see the preview of a case that you hold as it is; logged. CaseNotTaken, CaseLocked."""
    with transaction.atomic():
        case = find(case_id, lock=True)
        _require_holder(case, reviewer)
        until = timezone.now() + timedelta(minutes=rulebook.load().unblur_minutes)
        look = Look.objects.create(case=case, reviewer=reviewer, until=until)
        log.append("safety.case_unblurred", subject=case.log_subject, actor=reviewer, payload={})
    return look


def sees_clearly(case: Case, reviewer: str) -> bool:
    """Whether this person chose, not long ago, to see this case without the blur."""
    return case.looks.filter(reviewer=reviewer, until__gt=timezone.now()).exists()


def _require_holder(case: Case, reviewer: str) -> None:
    _require_open(case)
    require_impartial(case, reviewer)
    _require_free(case, reviewer)
    if case.held_by() != reviewer:
        raise CaseNotTaken("You do not hold this case.")


# ---------------------------------------------------------------- the decision


def outcomes(case: Case) -> tuple[str, ...]:
    """What may be decided."""
    return rulebook.OUTCOMES[case.rated_as]


def clauses() -> dict[str, str]:
    """Number -> text of every ground there is: the policy's clauses and those of the review rules."""
    found = {clause.number: clause.text for clause in policy.load().clauses.values()}
    return {**found, **rulebook.load().clauses}


def decide(
    case_id: uuid.UUID | str,
    reviewer: str,
    *,
    outcome: str,
    reason: str,
    clause: str,
    rationale: str,
    carry_out: CarryOut,
    explanation: str = "",
    public_statement: str = "",
    tags: Collection[str] = (),
) -> Decision:
    """Decide a case that you hold. `clause` is a number of `clauses()`; `rationale` is for the file,
    `explanation` for the user, `public_statement` for everybody.

    DecisionInvalid says what is missing; CaseLocked, CaseNotTaken, CaseSettled, OwnCase who or when is wrong.
    Whatever `carry_out` raises undoes all of it. A second rating is recorded and not carried out.
    """
    with transaction.atomic():
        case = find(case_id, lock=True)
        _require_holder(case, reviewer)
        texts = {"rationale": rationale, "explanation": explanation, "public_statement": public_statement}
        texts = {name: " ".join(str(text).split()) for name, text in texts.items()}
        named = _check(case, outcome, reason, clause, texts, tags)
        decision = Decision(
            case=case,
            outcome=outcome,
            reason=reason,
            clause=f"{clause} {named}"[:300],
            policy_version=policy.load().version,
            tags=sorted(set(tags)),
            reviewer=reviewer,
            **texts,
        )
        decision.entry = log.append(
            "safety.case_decided", subject=case.log_subject, actor=reviewer, payload=_payload(case, decision)
        ).pk
        decision.save()
        settle(case, State.DECIDED)
        case.save()
        if not case.is_rating:
            for tag in decision.tags if case.subject else ():
                KnownLimit.objects.get_or_create(subject=case.subject, tag=tag, defaults={"case": case})
            carry_out(case, decision)
            _draw_ratings(case, decision)
    return decision


def _check(
    case: Case, outcome: str, reason: str, clause: str, texts: Mapping[str, str], tags: Collection[str]
) -> str:
    """The text of the clause. DecisionInvalid names the first thing that does not fit."""
    rules = rulebook.load()
    if outcome not in outcomes(case):
        raise DecisionInvalid(f"The outcome is one of {', '.join(outcomes(case))}.")
    if reason not in rules.reasons or outcome not in rules.reasons[reason].outcomes:
        fitting = [name for name, item in rules.reasons.items() if outcome in item.outcomes]
        raise DecisionInvalid(f"For {outcome} the reason is one of {', '.join(fitting)}.")
    known = clauses()
    if clause not in known:
        raise DecisionInvalid(f"The clause is one of {', '.join(known)}.")
    if not texts["rationale"]:
        raise DecisionInvalid("A decision needs a rationale.")
    told = takes_away(case, outcome) or outcome == "uphold"
    if told and not case.is_rating and not texts["explanation"]:
        raise DecisionInvalid("A decision that restricts somebody explains itself to them.")
    if outcome == "relabel" and not case.is_rating and not texts["public_statement"]:
        raise DecisionInvalid("A relabelled clip needs the public sentence that its page will show.")
    longest = {"rationale": LONGEST_RATIONALE, "explanation": LONGEST, "public_statement": 300}
    for name, most in longest.items():
        if len(texts[name]) > most:
            raise DecisionInvalid(f"{name} has at most {most} characters.")
    if unknown := sorted(set(tags) - set(rules.tags)):
        raise DecisionInvalid(f"There is no tag {', '.join(unknown)}.")
    return known[clause]


def takes_away(case: Case, outcome: str) -> bool:
    """Whether this outcome of this case takes something from the requester: also when a report that was
    dismissed is followed on appeal."""
    first = case.original
    followed = (
        case.source == Source.APPEAL
        and outcome == "overturn"
        and first is not None
        and first.source == Source.REPORT
        and first.decision.outcome == "keep"
    )
    return outcome in RESTRICTS or followed


def _payload(case: Case, decision: Decision) -> dict[str, Any]:
    return {
        "about": case.subject,
        "source": case.source,
        "original": str(case.original_id or ""),
        "outcome": decision.outcome,
        "reason": decision.reason,
        "clause": decision.clause,
        "policy_version": decision.policy_version,
        "rules_version": rulebook.load().version,
        "rationale": decision.commit("rationale"),
        "explanation": decision.commit("explanation") if decision.explanation else None,
        "tags": list(decision.tags),
        "in_time": decision.decided_at <= case.due_at,
    }


def _draw_ratings(case: Case, decision: Decision) -> None:
    """Now and then, by the seed, let somebody else rate the same case, or the same person once more."""
    if case.source in {Source.APPEAL, Source.DECLARATION}:
        return
    chosen = rulebook.load().sampling
    common: dict[str, Any] = {
        "category": case.category,
        "kind": case.kind,
        "facts": case.facts,
        "original": case,
        "actor": "system:review",
    }
    if drawn(chosen.seed, "second", str(case.pk), chosen.second_percent):
        parties = [*case.excluded, decision.reviewer]
        open_case(Source.SECOND, case.subject, excluded=parties, **common)
    if drawn(chosen.seed, "repeat", str(case.pk), chosen.repeat_percent):
        later = timezone.now() + timedelta(days=chosen.repeat_after_days)
        open_case(Source.REPEAT, case.subject, only=decision.reviewer, not_before=later, **common)


# ---------------------------------------------------------------- the appeal


def appeal(
    original: Case | None,
    subject: str,
    *,
    appellant: str,
    plea: str,
    decided_at: datetime,
    category: str = "",
    facts: Mapping[str, Any] | None = None,
    excluded: Collection[str] = (),
) -> Case:
    """Appeal a decision: that of a case or, without one, a machine's about `subject`. AppealRefused when it
    was appealed before, is itself an appeal's, or is too old; InvalidInput without words."""
    plea = plea.strip()
    if not 1 <= len(plea) <= LONGEST:
        raise InvalidInput(
            "An appeal needs your words, at most 2,000 characters.", help="Say what was overlooked."
        )
    final = original is not None and original.source == Source.APPEAL
    if original is not None and final and takes_away(original, original.decision.outcome):
        final = False  # it is the first decision against this person
    if original is not None and (final or original.is_rating):
        raise AppealRefused("The decision on an appeal is final here.", help="See the other ways it names.")
    if timezone.now() > appeal_until(decided_at):
        raise AppealRefused("The time to appeal this decision is over.")
    parties = [*excluded, appellant]
    if original is not None:
        parties += [*original.excluded, original.decision.reviewer]
    try:
        with transaction.atomic():
            return open_case(
                Source.APPEAL,
                subject,
                actor=appellant,
                category=category or (original.category if original else ""),
                kind=original.kind if original else "",
                facts=facts or (original.facts if original else {}),
                excluded=parties,
                original=original,
                plea=plea,
            )
    except IntegrityError as error:
        raise AppealRefused("This decision was appealed before.") from error


def appeal_until(decided_at: datetime) -> datetime:
    """The last moment of an appeal."""
    return decided_at + timedelta(days=rulebook.load().appeal_days)
