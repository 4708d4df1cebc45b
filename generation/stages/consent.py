"""consent: no voice or face is imitated without an active consent for exactly this use."""

from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict

HELP = "Record the person's consent for this file and purpose, or remove the reference."


def consent(request: Any, artefact: Artefact) -> Outcome:
    """Check the references; the purpose is the policy profile that the clip is made under."""
    from byline.safety.consent import CODE, Reference, check

    found = check([Reference.from_mapping(item) for item in request.references], purpose=request.profile)
    if found.status == "available" and found.action == "allow":
        return Outcome(Verdict.ALLOW, checks=(found,))
    return Outcome(
        Verdict.REJECT,
        checks=(found,),
        code=CODE,
        category=found.category,
        clause=found.clause,
        message="A reference is not covered by an active consent.",
        help=HELP,
    )
