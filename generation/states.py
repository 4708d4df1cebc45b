"""Which state may follow which: the one table every change of a request goes through.

It promises that a request never skips a gate: `ready` is reachable only from `finishing`, and
`finishing` only from `generating` (or from a release of a hold that happened there). Everything
that is not in the table raises. No I/O here; `transitions.py` applies the table to rows.
"""

from enum import StrEnum

from byline.audit.base.errors import BylineError


class State(StrEnum):
    SUBMITTED = "submitted"  # accepted, nothing looked at yet
    CHECKING = "checking"  # the light worker decides whether it may be made
    HELD = "held"  # a person has to decide
    REJECTED = "rejected"  # a gate said no
    QUEUED = "queued"  # allowed, waits for a GPU worker
    GENERATING = "generating"  # media are being made, screened, marked and encoded
    FINISHING = "finishing"  # logged, proved, signed, read back
    READY = "ready"  # the signed file verified from its bytes; private
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


class IllegalTransition(BylineError):
    code = "illegal_transition"
    status = 409
    help = "Reload the request: its state has changed or does not allow this."


S = State
NEXT: dict[State, frozenset[State]] = {
    S.SUBMITTED: frozenset({S.CHECKING, S.FAILED, S.CANCELLED}),
    S.CHECKING: frozenset({S.HELD, S.REJECTED, S.QUEUED, S.FAILED, S.CANCELLED}),
    # A release goes back to where the hold happened; the held stage runs again.
    S.HELD: frozenset({S.CHECKING, S.QUEUED, S.FINISHING, S.REJECTED, S.CANCELLED}),
    S.REJECTED: frozenset(),
    S.QUEUED: frozenset({S.GENERATING, S.FAILED, S.CANCELLED}),
    S.GENERATING: frozenset({S.HELD, S.REJECTED, S.FINISHING, S.FAILED, S.CANCELLED}),
    # Back to the queue only when the encoded file was lost before it was signed.
    S.FINISHING: frozenset({S.QUEUED, S.HELD, S.REJECTED, S.READY, S.FAILED, S.CANCELLED}),
    # A reviewer who looked at a random sample may refuse what every check had allowed.
    S.READY: frozenset({S.PUBLISHED, S.REJECTED}),
    S.PUBLISHED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}
# No way out of these.
TERMINAL = frozenset(state for state, following in NEXT.items() if not following)
# No worker does anything more by itself: pollers stop here.
AT_REST = TERMINAL | {S.HELD, S.READY}
ACTIVE = frozenset(State) - AT_REST
# The state in which stages of a queue run, and what claiming a request makes of its state.
CLAIM: dict[str, dict[State, State]] = {
    "light": {S.SUBMITTED: S.CHECKING, S.CHECKING: S.CHECKING, S.FINISHING: S.FINISHING},
    "gpu": {S.QUEUED: S.GENERATING, S.GENERATING: S.GENERATING},
}
# Where a release sends a request, by the state in which it was held.
AFTER_RELEASE = {S.CHECKING: S.CHECKING, S.GENERATING: S.QUEUED, S.FINISHING: S.FINISHING}


def check(current: str, following: str) -> State:
    """The following state, if the table allows it. Raises IllegalTransition (also for unknown names)."""
    try:
        here, there = State(current), State(following)
    except ValueError as error:
        raise IllegalTransition(f"{current!r} to {following!r}: no such state") from error
    if there not in NEXT[here]:
        raise IllegalTransition(f"A request that is {here} cannot become {there}.")
    return there


def queue_of(state: str) -> str | None:
    """The queue whose worker moves a request in this state on; None when it is at rest."""
    for queue, moves in CLAIM.items():
        if State(state) in moves:
            return queue
    return None
