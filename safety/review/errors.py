"""Why review says no. Each has a code, a status and a line on what to do."""

from byline.audit.base.errors import BylineError, InvalidInput


class CaseNotFound(BylineError):
    code = "case_not_found"
    status = 404
    help = "Check the id of the case; the queue lists what is open."


class CaseLocked(BylineError):
    code = "case_locked"
    status = 409
    help = "Wait until it is put back or its time runs out, or ask whoever assigns cases."


class CaseSettled(BylineError):
    code = "case_settled"
    status = 409
    help = "It was decided or closed meanwhile; a decision is never changed. The user can appeal once."


class CaseNotTaken(BylineError):
    code = "case_not_taken"
    status = 409
    help = "Take the case first, and decide it within the time that its page shows."


class OwnCase(BylineError):
    """Nobody judges their own request, their own decision, or an appeal against it."""

    code = "own_case"
    status = 403
    help = "Another reviewer has to take it."


class DecisionInvalid(InvalidInput):
    code = "decision_invalid"
    help = "Give outcome, fitting reason, clause and rationale, and words for the user where it restricts."


class CannotBeDone(BylineError):
    """The decision was understood and what it asks for cannot happen; nothing was recorded."""

    code = "cannot_be_done"
    status = 409
    help = "Choose another outcome."


class AppealRefused(BylineError):
    code = "appeal_refused"
    status = 409
    help = "A decision can be appealed once, in time, and only where it says no."
