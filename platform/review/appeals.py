"""Who is told what was decided about their clip or their report, and who may appeal it.

Promises: a requester sees the statement of reasons of every decision about their request, a machine's
included, and may appeal the one that stands once; a reporter sees what became of their report and may
appeal a refusal once. Nobody learns who reported or who decided.
"""

from dataclasses import dataclass, replace

from django.contrib.auth import get_user_model
from django.utils import timezone

from byline.generation.models import GenerationRequest
from byline.generation.states import State
from byline.platform.review import subjects
from byline.safety.review import rules as rulebook
from byline.safety.review import services, statements
from byline.safety.review.errors import AppealRefused
from byline.safety.review.models import REVIEW, Case, Decision, Report
from byline.safety.review.statements import Statement

BY_REVIEWER = "rejected_by_reviewer"  # the error code that submit.reject leaves
_SILENT = {"confirm", "accept"}  # nobody asked for these and nothing changed


@dataclass(frozen=True)
class Standing:
    """One decision as its user sees it. `decision` None: a machine's. `appeal`: theirs, if there is one."""

    statement: Statement
    decision: Decision | None
    appeal: Case | None

    @property
    def appealable(self) -> bool:
        until = self.statement.appeal_until
        return (
            self.statement.restricts and self.appeal is None and until is not None and until > timezone.now()
        )


def is_reviewer(name: str) -> bool:
    """Whether this is an active account that may review."""
    user = get_user_model().objects.filter(username=name, is_active=True).first()
    return user is not None and user.has_perm(f"byline_safety.{REVIEW}")


def of_request(row: GenerationRequest) -> list[Standing]:
    """Every decision about a request and the clip made from it, the newest first."""
    names = subjects.of_request(row).names
    made = Decision.objects.filter(case__subject__in=names).select_related("case", "case__original")
    found = [
        Standing(statements.of_decision(item), item, _appeal_of(item.case))
        for item in made
        if concerns_requester(item)
    ]
    if row.state == State.REJECTED and row.error_code != BY_REVIEWER:
        found.append(_by_machine(row))
    return sorted(found, key=lambda item: item.statement.decided_at, reverse=True)


def concerns_requester(decision: Decision) -> bool:
    """Whether the requester is told: a report that was dismissed, also on appeal, is between us and whoever
    sent it, and a rating that only measures concerns nobody."""
    if decision.case.is_rating or decision.outcome in _SILENT:
        return False
    first = decision.case.original
    dismissed = first is not None and first.source == Case.Source.REPORT and first.decision.outcome == "keep"
    return decision.outcome != "keep" and (not dismissed or decision.outcome == "overturn")


def _appeal_of(case: Case) -> Case | None:
    return case.later.filter(source=Case.Source.APPEAL).first()


def _by_machine(row: GenerationRequest) -> Standing:
    statement = statements.of_machine(
        reference=f"request {row.pk}",
        decided_at=row.settled_at or row.updated_at,
        clause=row.error_clause,
        message=row.error_message,
        help=row.error_help,
        stage=row.stage,
    )
    appealed = Case.objects.filter(source=Case.Source.APPEAL, original__isnull=True, subject=row.subject)
    return Standing(statement, None, appealed.first())


def appeal_request(row: GenerationRequest, appellant: str, plea: str) -> Case:
    """Appeal the newest decision that restricts this request. AppealRefused, InvalidInput."""
    standing = next((item for item in of_request(row) if item.statement.restricts), None)
    if standing is None:
        raise AppealRefused("Nothing was decided against this request.")
    if standing.decision is not None:
        case = standing.decision.case
        return services.appeal(
            case,
            case.subject,
            appellant=appellant,
            plea=plea,
            decided_at=standing.statement.decided_at,
            excluded=[row.requester],
        )
    return services.appeal(
        None,
        row.subject,
        appellant=appellant,
        plea=plea,
        decided_at=standing.statement.decided_at,
        category=row.error_category,
        excluded=[row.requester],
        facts=subjects.refusal(row),
    )


def of_report(report: Report) -> Standing | None:
    """What became of a report; None while nobody has decided. The words meant for the uploader stay out, and
    so does the number of the log's entry, which would tell strangers how much is made here."""
    decision = Decision.objects.filter(case=report.case_id).select_related("case").first()
    if decision is None:
        return None
    statement = replace(statements.of_decision(decision), reference=f"case {decision.case_id}")
    if decision.outcome == "keep":
        statement = replace(statement, restricts=True)
    else:
        reason = rulebook.load().reasons.get(decision.reason)
        label = f"{reason.label}." if reason else ""
        statement = replace(statement, restricts=False, explanation=label, appeal_until=None)
    return Standing(statement, decision, _appeal_of(decision.case))


def appeal_report(report: Report, plea: str) -> Case:
    """Appeal the refusal of a report. AppealRefused, InvalidInput."""
    standing = of_report(report)
    if standing is None or standing.decision is None:
        raise AppealRefused("Nobody has decided about this report yet.")
    if standing.decision.outcome != "keep":
        raise AppealRefused("Your report was followed; there is nothing to appeal.")
    requester = subjects.of_case(report.case).requester
    return services.appeal(
        report.case,
        report.case.subject,
        appellant=f"reporter:{report.pk}",
        plea=plea,
        decided_at=standing.statement.decided_at,
        excluded=[requester],
    )
