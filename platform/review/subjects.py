"""What a case is about, found again: the request, the published record, or neither."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from byline.generation.models import GenerationRequest
from byline.provenance.models import Record
from byline.safety.review.models import Case


@dataclass(frozen=True)
class Subject:
    """`request` None: the clip's request is gone, or there never was one. `record` None: nothing finished."""

    request: GenerationRequest | None = None
    record: Record | None = None

    @property
    def names(self) -> list[str]:
        """Both names under which cases may be about it."""
        found = [self.request.subject] if self.request else []
        return [*found, f"record:{self.record.pk}"] if self.record else found

    @property
    def requester(self) -> str:
        return self.request.requester if self.request else ""


def find(name: str) -> Subject:
    """From "request:<uuid>" or "record:<uuid>"; an empty Subject for anything else."""
    kind, _, text = name.partition(":")
    try:
        key = UUID(text)
    except ValueError:
        return Subject()
    if kind == "request":
        return of_request(GenerationRequest.objects.filter(pk=key).first())
    if kind == "record":
        record = Record.objects.filter(pk=key).first()
        request = GenerationRequest.objects.filter(result__record=str(key)).first()
        return Subject(request, record)
    return Subject()


def of_request(request: GenerationRequest | None) -> Subject:
    record = (request.result or {}).get("record") if request else None
    return Subject(request, Record.objects.filter(pk=record).first() if record else None)


def of_case(case: Case) -> Subject:
    return find(case.subject)


def refusal(row: GenerationRequest) -> dict[str, Any]:
    """What a case keeps of a request that is held or was refused."""
    return {
        "stage": row.stage,
        "code": row.error_code,
        "reasons": list(row.held_for),
        "clause": row.error_clause,
    }
