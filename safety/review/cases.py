"""Cases as they come and go: opened with their clocks, joined, found, queued, closed; and reports.

Promises: row and log entry are one transaction; a second hold, sample or report about the same thing joins
the open case, whose clocks can only become shorter. Who may call these functions is the caller's affair.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from byline.audit import log
from byline.audit.base.errors import InvalidInput
from byline.safety.review import rules as rulebook
from byline.safety.review.clocks import Clock, clocks, merged
from byline.safety.review.errors import CaseNotFound
from byline.safety.review.models import Case, Report

Source, State = Case.Source, Case.State
LONGEST = 2000
_JOINED = frozenset({Source.HOLD, Source.SCREENING, Source.REPORT, Source.SAMPLE})


def find(case_id: uuid.UUID | str, *, lock: bool = False) -> Case:
    """The case; CaseNotFound also for what is no id."""
    rows = Case.objects.select_related(None)
    try:
        return (rows.select_for_update() if lock else rows).get(pk=case_id)
    except (Case.DoesNotExist, ValidationError) as error:
        raise CaseNotFound("There is no such case.") from error


def queue(reviewer: str = "", now: datetime | None = None) -> QuerySet[Case]:
    """Open cases, the most urgent first; with a reviewer, those that this person may take."""
    moment = now or timezone.now()
    rows = Case.objects.filter(state=State.OPEN, not_before__lte=moment).order_by(
        "priority", "due_at", "opened_at"
    )
    if reviewer:
        rows = rows.filter(Q(only="") | Q(only=reviewer)).exclude(excluded__contains=reviewer)
    return rows


def open_case(
    source: str,
    subject: str,
    *,
    actor: str = "system:review",
    category: str = "",
    kind: str = "",
    country: str = "",
    facts: Mapping[str, Any] | None = None,
    excluded: Collection[str] = (),
    original: Case | None = None,
    plea: str = "",
    only: str = "",
    not_before: datetime | None = None,
) -> Case:
    """A new open case with its clocks and priority, logged. A hold, report or sample about a subject that
    already has one open joins that case: the shorter clocks and the higher priority then hold for it."""
    rules = rulebook.load()
    source = str(source)  # the log takes no enumeration for a text
    now = timezone.now()
    ticking = clocks(rules, source, max(now, not_before or now), kind=kind, country=country)
    like = original.source if original and source in {Source.SECOND, Source.REPEAT} else source
    priority = rules.priority(like, kind, category)
    values = {
        "category": category,
        "kind": kind,
        "original": original,
        "facts": dict(facts or {}),
        "plea": plea,
        "excluded": sorted({*excluded} - {""}),
        "only": only,
        "priority": priority,
        "clocks": [clock.as_dict() for clock in ticking],
        "opened_at": now,
        "not_before": not_before or now,
        "due_at": ticking[0].due,
    }
    with transaction.atomic():
        if subject and source in _JOINED and (joined := _join(source, subject, kind, priority, ticking)):
            return joined
        try:
            with transaction.atomic():
                case = Case.objects.create(source=source, subject=subject, **values)
        except IntegrityError:
            joined = _join(source, subject, kind, priority, ticking) if source in _JOINED else None
            if joined is None:
                raise
            return joined
        log.append(
            "safety.case_opened",
            subject=case.log_subject,
            actor=actor,
            payload={
                "source": source,
                "about": subject,
                "category": category,
                "kind": kind,
                "due": case.due_at.isoformat(),
                "regimes": [clock.regime for clock in ticking],
                "original": str(original.pk) if original else "",
            },
        )
    return case


def _join(source: str, subject: str, kind: str, priority: int, ticking: Iterable[Clock]) -> Case | None:
    """The open case about this subject, with the shorter clocks; None when there is none."""
    case = Case.objects.select_for_update().filter(subject=subject, source=source, state=State.OPEN).first()
    if case is None:
        return None
    case.clocks = merged(case.clocks, ticking)
    case.due_at = datetime.fromisoformat(case.clocks[0]["due"])
    if priority < case.priority:
        case.priority, case.kind = priority, kind or case.kind
    case.save(update_fields=["clocks", "due_at", "priority", "kind"])
    return case


def close(subject: str, sources: Iterable[str], because: str) -> int:
    """Close open cases whose question has gone away (the request was cancelled); how many there were."""
    closed = 0
    with transaction.atomic():
        rows = Case.objects.select_for_update().filter(
            subject=subject, source__in=list(sources), state=State.OPEN
        )
        for case in rows:
            settle(case, State.CLOSED)
            case.closed_because = because
            case.save()
            payload = {"because": because}
            log.append("safety.case_closed", subject=case.log_subject, actor="system:review", payload=payload)
            closed += 1
    return closed


def settle(case: Case, state: str) -> None:
    """Mark it as no longer open; the caller saves."""
    case.state, case.settled_at = state, timezone.now()
    case.assignee, case.locked_until = "", None


# ---------------------------------------------------------------- reports


def report(
    subject: str,
    *,
    kind: str,
    message: str,
    contact: str = "",
    country: str = "",
    verdict: str = "",
    excluded: Collection[str] = (),
    category: str = "",
) -> Report:
    """Keep one report, on a case of its own or on the open one about the same subject. InvalidInput.

    What no longer serves is removed on the way: addresses and words of cases that were settled long ago.
    """
    rules = rulebook.load()
    message = message.strip()
    if kind not in rules.report_kinds or (country and country not in rules.countries):
        raise InvalidInput("There is no such kind of report, or country.")
    if not 1 <= len(message) <= LONGEST or len(contact) > 254 or len(verdict) > 32:
        raise InvalidInput("Say what is wrong, in at most 2,000 characters.")
    with transaction.atomic():
        case = open_case(
            Source.REPORT,
            subject,
            actor="system:public",
            kind=kind,
            country=country,
            category=category,
            excluded=excluded,
            facts={"verdict": verdict} if verdict else {},
        )
        row = Report.objects.create(
            case=case, kind=kind, message=message, contact=contact, country=country, verdict=verdict
        )
    now = timezone.now()
    for field, days in (("contact", rules.contact_days), ("message", rules.words_days)):
        settled = Report.objects.filter(case__settled_at__lt=now - timedelta(days=days)).exclude(
            **{field: ""}
        )
        settled.update(**{field: ""})
    return row
