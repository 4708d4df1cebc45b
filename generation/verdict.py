"""What an outcome amounts to: pass, hold or reject. Pure, and closed on every doubt.

The stage proposes, the checks may only make it stricter: no outcome, a check that broke, a check
that could not run and that the policy does not excuse, or a check that says "review" or "block"
beside a verdict that says "allow" never let a request through. A reviewer's release lifts exactly
the reasons it was given for. A reject is lifted only for a new attempt whose appeal was right, and never
for what NEVER_LIFTED names.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from byline.generation.contracts import Outcome, Verdict
from byline.safety.checks import Check

Excused = Callable[[str], bool]  # may the check of this name be unavailable?


# What no person can allow: a missing consent is given by whom it is about, the others by nobody.
NEVER_LIFTED = frozenset({"minors", "intimate_imagery", "consent"})  # categories, and checks by name
# A policy that nobody approved is no ground to decide on; the request goes on once the approved one is back.
UNAPPROVED_POLICY = "policy.active:failed"


@dataclass(frozen=True)
class Ruling:
    """What the runner does. `reasons` is what a release would have to lift, e.g. "output.nudity:review"."""

    action: Literal["pass", "hold", "reject"]
    reasons: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    code: str = ""
    category: str = ""
    clause: str = ""
    message: str = ""
    help: str = ""


HOLD_HELP = "A reviewer has to release or reject this request; follow it at its address."
NO_VERDICT = Ruling(
    "hold",
    reasons=("no_verdict",),
    code="no_verdict",
    message="A stage gave no verdict, so the request is held.",
    help=HOLD_HELP,
)


def rule(outcome: Any, *, excused: Excused, released: Collection[str] = ()) -> Ruling:
    """The ruling on one outcome. `outcome` is Any on purpose: None and nonsense are held, never allowed."""
    if not isinstance(outcome, Outcome) or not isinstance(outcome.verdict, Verdict):
        return _lift(NO_VERDICT, released)
    blocking = [c for c in outcome.checks if c.status == "available" and c.action == "block"]
    refused = outcome.verdict is Verdict.REJECT or bool(blocking)
    if refused:
        refusal = _refusal(outcome, blocking)
        named = {
            outcome.category,
            *(check.category for check in blocking),
            *(check.name for check in blocking),
        }
        if named & NEVER_LIFTED or not set(refusal.reasons) <= set(released):
            return refusal
    reasons = [reason for check in outcome.checks if (reason := _doubt(check, excused))]
    if refused and not blocking:
        reasons += refusal.reasons
    if outcome.verdict is Verdict.HOLD and not reasons:
        reasons.append(outcome.code or "hold")
    if not reasons:
        return Ruling("pass")
    return _lift(_hold(outcome, reasons), released)


def _doubt(check: Check, excused: Excused) -> str:
    """Why this check does not let the request through, or ""."""
    if check.status == "available":
        return "" if check.action == "allow" else f"{check.name}:{check.action}"
    if check.status == "unavailable":
        return "" if excused(check.name) else f"{check.name}:unavailable"
    return f"{check.name}:failed"  # also for a status nobody knows


def _refusal(outcome: Outcome, blocking: list[Check]) -> Ruling:
    first = blocking[0] if blocking else None
    return Ruling(
        "reject",
        reasons=tuple(f"{check.name}:block" for check in blocking) or (outcome.code or "reject",),
        code=outcome.code or "blocked",
        category=outcome.category or (first.category if first else ""),
        clause=outcome.clause or (first.clause if first else ""),
        message=outcome.message or (first.detail if first else "") or "The request was refused.",
        help=outcome.help or "Change the request and send it again, or read the clause that is named.",
    )


def _hold(outcome: Outcome, reasons: list[str]) -> Ruling:
    names = {reason.partition(":")[0] for reason in reasons}
    first = next((check for check in outcome.checks if check.name in names), None)
    if outcome.verdict is Verdict.HOLD:
        code, message = outcome.code or "held", outcome.message
    elif any(reason.endswith((":failed", ":unavailable")) for reason in reasons):
        code, message = "check_not_done", "A check could not be done and the policy does not excuse it."
    else:
        code, message = "held", first.detail if first else ""
    return Ruling(
        "hold",
        reasons=tuple(sorted(reasons)),
        code=code,
        category=outcome.category or (first.category if first else ""),
        clause=outcome.clause or (first.clause if first else ""),
        message=message or "The request is held for review.",
        help=outcome.help or HOLD_HELP,
    )


def _lift(ruling: Ruling, released: Collection[str]) -> Ruling:
    """Pass when every reason of the hold was released before; otherwise the hold as it is."""
    if set(ruling.reasons) <= set(released) and UNAPPROVED_POLICY not in ruling.reasons:
        return Ruling("pass", released=ruling.reasons)
    return ruling


def summary(checks: Collection[dict[str, Any]]) -> list[dict[str, str]]:
    """Checks for an audit entry: name and result, where a check that did not run is "not checked"."""
    words = {"unavailable": "not checked", "failed": "failed"}
    return [{"name": c["name"], "result": words.get(c["status"], c["action"])} for c in checks]
