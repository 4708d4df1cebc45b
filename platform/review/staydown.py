"""What was refused or taken down does not come back: its fingerprints go on the no-go lists, and off them
again when an appeal was right. The lists themselves are byline.safety.hashlists."""

from byline.generation.models import GenerationRequest
from byline.platform.review.subjects import Subject
from byline.safety import policy
from byline.safety.categories import CATEGORIES
from byline.safety.hashlists import lists
from byline.safety.review.models import Case, Decision

# A report names no category of the policy; these come nearest.
_BY_KIND = {
    "intimate": "intimate_imagery",
    "likeness": "real_person",
    "harm": "harassment",
    "rights": "copyright_brand",
}
_OTHERWISE = "deception"


def add(case: Case, decision: Decision, subject: Subject) -> int:
    """Keep the clip of a decision down; how many hashes were new. 0 when nothing was made of it yet."""
    prints = lists.of_record(subject.record.fingerprints) if subject.record else _screened(subject.request)
    if not prints:
        return 0
    return lists.add_rejected(
        prints,
        reference=_reference(subject),
        category=_category(case, decision),
        actor=decision.reviewer,
    )


def lift(subject: Subject, actor: str) -> int:
    """An appeal was right: what `add` listed for this clip is taken off again; how many hashes."""
    return lists.remove_rejected(_reference(subject), actor=actor)


def _reference(subject: Subject) -> str:
    return f"record:{subject.record.pk}" if subject.record else subject.names[0]


def _screened(row: GenerationRequest | None) -> list[dict[str, str]]:
    """The prints that screening took before it held the request."""
    run = row.runs.filter(stage="screen", current=True).first() if row else None
    return list(run.produces.get("fingerprints", [])) if run else []


def _category(case: Case, decision: Decision) -> str:
    """Of the case; else of the clause that was decided by; else what comes nearest to the report."""
    number = decision.clause.partition(" ")[0]
    by_clause = {clause.number: name for name, clause in policy.load().clauses.items()}
    for name in (case.category, by_clause.get(number, ""), _BY_KIND.get(case.kind, "")):
        if name in CATEGORIES:
            return name
    return _OTHERWISE
