"""The statement of reasons that a user gets, in plain words.

Promise: it has every field of Regulation (EU) 2022/2065, Article 17(3): what was restricted, where and for
how long (a); the facts, and whether a report or our own look led to it (b); whether machines found it or
decided it (c); the legal or contractual ground and why it applies (d, e); and every way to object (f). A
machine's decision is never presented as a person's. It names no reviewer and no reporter.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from byline.safety.review import rules as rulebook
from byline.safety.review.models import Case, Decision
from byline.safety.review.services import appeal_until, takes_away

_DONE = {
    "release": "Your request was released and goes on.",
    "reject": "Your request was refused: no clip is made from it, or the one that was made stays private.",
    "keep": "Nothing was changed.",
    "take_down": "The clip was taken down. Its page says so and shows neither picture nor credentials.",
    "relabel": "The clip stays, with a corrected label on its page.",
    "confirm": "The clip stays as it is.",
    "withdraw": "The clip was withdrawn and is not shown.",
    "uphold": "The first decision stands.",
    "overturn": "The first decision was wrong and is undone.",
    "accept": "The declaration is accepted.",
    "refuse": "The declaration is not accepted.",
}
_FOUND = {
    "hold": "Our own check before anything was made asked for a person to look at it.",
    "screening": "Our own check of the result asked for a person to look at it.",
    "report": "Somebody reported it.",
    "sample": "It was in a random sample of allowed clips that people look at again.",
    "declaration": "What was declared and what we found in the file did not agree.",
}
OUTSIDE = (
    "You can turn to a certified out-of-court body (Regulation (EU) 2022/2065, Article 21).",
    "You can go to court.",
)


@dataclass(frozen=True)
class Statement:
    """`automated` says whether a machine alone decided; `appeal_until` None: no appeal here any more."""

    reference: str
    decided_at: datetime
    restricts: bool
    what: str
    scope: str
    duration: str
    facts: str
    found_by_machine: bool
    automated: bool
    ground: str
    ground_is: str
    explanation: str
    appeal_until: datetime | None
    redress: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "decided_at": self.decided_at.isoformat(),
            "appeal_until": self.appeal_until.isoformat() if self.appeal_until else None,
            "redress": list(self.redress),
        }

    def text(self) -> str:
        """For a reader, one paragraph per field."""
        who = "a program, without a person" if self.automated else "a person"
        found = "a program" if self.found_by_machine else "a person"
        parts = [
            f"What was decided: {self.what} {self.scope} {self.duration}".strip(),
            f"What it rests on: {self.facts}",
            f"Found by {found}; decided by {who} on {self.decided_at:%d %B %Y, %H:%M} UTC.",
            f"Ground ({self.ground_is}): {self.ground}",
            f"Why it applies: {self.explanation}",
            "What you can do: " + " ".join(self.redress),
            f"Reference: {self.reference}",
        ]
        return "\n\n".join(parts) + "\n"


def of_decision(decision: Decision) -> Statement:
    """The statement about a person's decision."""
    case: Case = decision.case
    rules = rulebook.load()
    reason = rules.reasons.get(decision.reason)
    first = case.original if case.source == Case.Source.APPEAL else case
    came = first.source if first else "hold"
    against = takes_away(case, decision.outcome)
    restricts = against or decision.outcome == "uphold"
    appealable = against or case.source != Case.Source.APPEAL
    until = appeal_until(decision.decided_at) if appealable else None
    label = reason.label if reason else decision.reason
    facts = _FOUND.get(came, "")
    if case.source == Case.Source.APPEAL:
        facts = f"{facts} You, or somebody else, appealed, and another person looked at it anew."
    return Statement(
        reference=f"case {case.pk}, log entry {decision.entry}",
        decided_at=decision.decided_at,
        restricts=restricts,
        what=_what(case, decision.outcome, against),
        scope="It holds everywhere." if restricts else "",
        duration="It holds until it is changed by an appeal or an authority." if restricts else "",
        facts=facts,
        found_by_machine=came in {"hold", "screening", "declaration"},
        automated=False,
        ground=decision.clause,
        ground_is="law" if reason and reason.law else "our policy",
        explanation=f"{label}. {decision.explanation}".strip(),
        appeal_until=until,
        redress=_redress(until),
    )


def _what(case: Case, outcome: str, against: bool) -> str:
    """What happened, in one or two sentences."""
    if outcome != "overturn":
        return _DONE[outcome]
    if against:  # a report that had been dismissed is followed
        return _DONE["take_down"]
    refused = case.original is None or case.original.decision.outcome == "reject"
    return _DONE[outcome] + (" A new attempt with the same brief was started." if refused else "")


def of_machine(
    *, reference: str, decided_at: datetime, clause: str, message: str, help: str, stage: str
) -> Statement:
    """The statement about a refusal that the pipeline made by itself."""
    until = appeal_until(decided_at)
    return Statement(
        reference=reference,
        decided_at=decided_at,
        restricts=True,
        what=_DONE["reject"],
        scope="It holds everywhere.",
        duration="It holds for this request; you can change it and send it again at any time.",
        facts=f"The check “{stage}” said no to what you wrote or asked for.",
        found_by_machine=True,
        automated=True,
        ground=clause or "The policy of this site.",
        ground_is="our policy",
        explanation=message or "This is what the clause forbids.",
        appeal_until=until,
        redress=tuple(filter(None, (help, *_redress(until)))),
    )


def _redress(until: datetime | None) -> tuple[str, ...]:
    if until is None or until < timezone.now():
        return OUTSIDE
    return (
        f"You can appeal once, until {until:%d %B %Y}: somebody who had no part in it will decide.",
        *OUTSIDE,
    )
