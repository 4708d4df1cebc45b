"""Everything that a reviewer is shown about a case, side by side: what was asked, found and made.

Promises: texts come from the request's own row and are nowhere copied; a second rating shows what the first
showed and neither its decision nor what followed; previews are addresses of blurred pictures.
"""

from typing import Any

from byline.generation.models import GenerationRequest
from byline.platform import status
from byline.platform.review import previews, subjects
from byline.platform.review.subjects import Subject
from byline.safety.review import rules as rulebook
from byline.safety.review import services
from byline.safety.review.models import Case

_TEXTS = ("prompt", "voice_over", "negative_prompt", "title")


def of(case: Case, reviewer: str) -> dict[str, Any]:
    """JSON-able. `asked` is None where there is no request, `clip` where nothing was made."""
    subject = subjects.of_case(case)
    rating = case.is_rating
    return {
        "asked": _asked(subject.request),
        "found": _found(case, subject.request),
        "clip": None if rating else _clip(subject),
        "reports": [
            {
                "kind": report.kind,
                "says": rulebook.load().report_kinds.get(report.kind, report.kind),
                "message": report.message,
                "contact": report.contact if not rating else "",
                "country": report.country,
                "created": report.created.isoformat(),
            }
            for report in (case.original if rating and case.original else case).reports.all()
        ],
        "plea": case.plea,
        "first": None if rating else _first(case),
        "preview": previews.source(case) is not None,
        "blurred": not services.sees_clearly(case, reviewer),
    }


def _asked(row: GenerationRequest | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "texts": {name: getattr(row, name) for name in _TEXTS if getattr(row, name)},
        "references": [item.get("kind", "") for item in row.references],
        "brand": row.brand,
        "profile": row.profile,
        "seconds": row.seconds,
        "requested": row.created_at.isoformat(),
    }


def _found(case: Case, row: GenerationRequest | None) -> dict[str, Any]:
    checks, fired = [], []
    runs = row.runs.filter(current=True) if row else []
    if case.is_rating:  # what came later would tell how it was decided
        runs = [run for run in runs if run.stage == case.facts.get("stage")]
    for run in runs:
        fired += [_fired(item) for item in run.produces.get("fired", ())]
        for check in run.checks:
            words = {"unavailable": "not checked", "failed": "failed"}
            checks.append(
                {
                    "stage": run.stage,
                    "name": check["name"],
                    "result": words.get(check["status"], check["action"]),
                    "detail": check.get("detail", ""),
                    "category": check.get("category", ""),
                    "clause": check.get("clause", ""),
                    "score": check.get("score"),
                }
            )
    order = {"block": 0, "review": 1, "failed": 2, "not checked": 3}
    checks.sort(key=lambda item: order.get(item["result"], 4))
    return {"facts": case.facts, "checks": checks, "fired": fired}


def _fired(item: dict[str, Any]) -> dict[str, Any]:
    """The words that a rule or model of moderation took offence at, and in which text."""
    words = [item["reading"][start:end] for start, end in item["spans"]]
    return {"text": item["text"], "category": item["category"], "by": item["by"], "words": words}


def _clip(subject: Subject) -> dict[str, Any] | None:
    if subject.record is None:
        return None
    known = status.PublicationStatus().status(str(subject.record.pk))
    return {
        "record": str(subject.record.pk),
        "status": known.state if known else "",
        "since": known.since if known else "",
        "title": subject.record.public_facts().get("title", ""),
    }


def _first(case: Case) -> dict[str, Any] | None:
    """The decision that is appealed, without who made it."""
    if case.original is None:
        return None
    decision = case.original.decision
    return {
        "outcome": decision.outcome,
        "reason": decision.reason,
        "clause": decision.clause,
        "rationale": decision.rationale,
        "explanation": decision.explanation,
        "decided_at": decision.decided_at.isoformat(),
    }
