"""Holds become cases, and finished clips are sampled, in the very transaction that changes the request.

A hold without a case cannot be committed: both are one transaction, whoever caused it (worker, shell, API).
A hold that ends in another way (cancelled, released from a shell) closes its case.
"""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_save

from byline.generation import sweeper
from byline.generation.models import GenerationRequest
from byline.generation.states import State
from byline.platform.review import notices, subjects
from byline.safety.review import cases
from byline.safety.review import rules as rulebook
from byline.safety.review.models import Case
from byline.safety.review.sampling import drawn

_SCREENING = frozenset({"screen"})  # stages that look at what was made
_HOLDS = (Case.Source.HOLD, Case.Source.SCREENING)


def connect() -> None:
    """Called when the app is ready."""
    sweeper.also(notices.deliver)
    post_save.connect(on_request, sender=GenerationRequest, dispatch_uid="byline.review")


def on_request(
    sender: type[GenerationRequest],
    instance: GenerationRequest,
    created: bool,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    """After every save of a request; only a change of state matters."""
    if created or (update_fields is not None and "state" not in update_fields):
        return
    if instance.state == State.HELD:
        _held(instance)
        return
    cases.close(instance.subject, _HOLDS, f"the request is {instance.state}")
    sampling = rulebook.load().sampling
    if instance.state == State.READY and drawn(
        sampling.seed, "allowed", str(instance.pk), sampling.allowed_percent
    ):
        cases.open_case(Case.Source.SAMPLE, instance.subject, excluded=[instance.requester])


def _held(row: GenerationRequest) -> None:
    source = Case.Source.SCREENING if row.stage in _SCREENING else Case.Source.HOLD
    cases.open_case(
        source,
        row.subject,
        category=row.error_category,
        excluded=[row.requester],
        facts=subjects.refusal(row),
    )
