"""What a decision changes: a request goes on or ends, a clip is taken down, relabelled or comes back.

Promises: called inside the decision's transaction, so that a decision that cannot be carried out is not
recorded; each change is made by the one function that everybody else calls too (`generation.submit`,
`platform.status`), which logs it. Content that was refused for a reason that says so stays down.
"""

from collections.abc import Callable

from byline.audit.base.errors import BylineError
from byline.generation import submit
from byline.generation.models import GenerationRequest
from byline.generation.states import State
from byline.platform import status
from byline.platform.models import StatusChange
from byline.platform.review import declarations, notices, previews, relabel, staydown, subjects
from byline.platform.review.subjects import Subject
from byline.provenance.models import Record
from byline.safety.review import rules as rulebook
from byline.safety.review.errors import CannotBeDone
from byline.safety.review.models import Case, Decision


def carry_out(case: Case, decision: Decision) -> None:
    """Do what was decided, and queue who hears of it. CannotBeDone, or what the change itself raises; then
    nothing is recorded."""
    subject = subjects.of_case(case)
    try:
        _EFFECTS[decision.outcome](case, decision, subject)
    except BylineError as error:
        if isinstance(error, CannotBeDone) or error.status >= 500:
            raise
        raise CannotBeDone(str(error), help=error.help) from error
    notices.queue(decision)


def _nothing(case: Case, decision: Decision, subject: Subject) -> None:
    """The clip, the report or the first decision stays as it is."""


def _release(case: Case, decision: Decision, subject: Subject) -> None:
    submit.release(_request(subject).pk, decision.reviewer, decision.rationale)


def _reject(case: Case, decision: Decision, subject: Subject) -> None:
    row = _request(subject)
    previews.keep(case)
    submit.reject(
        row.pk, decision.reviewer, decision.rationale, clause=decision.clause, told=decision.explanation
    )
    _stay_down(case, decision, subject)


def _take_down(case: Case, decision: Decision, subject: Subject) -> None:
    _change(decision, subject, StatusChange.State.TAKEN_DOWN.value)
    _stay_down(case, decision, subject)


def _relabel(case: Case, decision: Decision, subject: Subject) -> None:
    record = _record(subject)
    _change(decision, subject, StatusChange.State.RELABELLED.value)
    relabel.resign(record, decision.public_statement, actor=decision.reviewer)


def _withdraw(case: Case, decision: Decision, subject: Subject) -> None:
    """A sampled clip that should not have been allowed: private ones end, published ones are taken down."""
    if _request(subject).state == State.PUBLISHED:
        _take_down(case, decision, subject)
    else:
        _reject(case, decision, subject)


def _overturn(case: Case, decision: Decision, subject: Subject) -> None:
    """Undo the decision that was appealed."""
    first = case.original.decision if case.original else None
    if first is not None and first.outcome == "keep":
        if case.kind == "label":
            if not decision.public_statement:
                raise CannotBeDone(
                    "The corrected label is missing.", help="Give the sentence that the page will show."
                )
            _relabel(case, decision, subject)
        else:
            _take_down(case, decision, subject)
        return
    row = subject.request
    if row is not None and row.state == State.REJECTED:
        submit.readmit(row.pk, decision.reviewer, decision.rationale, decision=decision.entry)
    elif first is not None and first.outcome in {"take_down", "relabel", "withdraw", "overturn"}:
        status.change(
            _record(subject).pk,
            StatusChange.State.PUBLISHED.value,
            reason=StatusChange.Reason.MISTAKE.value,
            statement=decision.public_statement,
            note=decision.rationale,
            actor=decision.reviewer,
        )
    else:
        raise CannotBeDone("There is nothing to undo.")
    staydown.lift(subject, decision.reviewer)


_EFFECTS: dict[str, Callable[[Case, Decision, Subject], None]] = {
    "release": _release,
    "reject": _reject,
    "keep": _nothing,
    "take_down": _take_down,
    "relabel": _relabel,
    "confirm": _nothing,
    "withdraw": _withdraw,
    "uphold": _nothing,
    "overturn": _overturn,
    "accept": lambda case, decision, subject: declarations.settle(case, True),
    "refuse": lambda case, decision, subject: declarations.settle(case, False),
}


def _request(subject: Subject) -> GenerationRequest:
    if subject.request is None:
        raise CannotBeDone("The request that this case is about no longer exists.")
    return subject.request


def _record(subject: Subject) -> Record:
    if subject.record is None:
        raise CannotBeDone("This case is about no clip of ours.", help="Keep it, and answer the person.")
    return subject.record


def _change(decision: Decision, subject: Subject, to: str) -> None:
    reason = rulebook.load().reasons[decision.reason]
    status.change(
        _record(subject).pk,
        to,
        reason=reason.status,
        statement=decision.public_statement,
        note=decision.rationale,
        actor=decision.reviewer,
    )


def _stay_down(case: Case, decision: Decision, subject: Subject) -> None:
    if rulebook.load().reasons[decision.reason].stay_down:
        staydown.add(case, decision, subject)
