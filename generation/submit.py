"""What a person can do with a request: submit, cancel, release or reject a hold, try again, publish.

The web, the command line and tests call these functions and nothing else. Each writes row and
audit entry in one transaction and wakes a worker after the commit. Who may call them is the
caller's affair (platform); bounds on input are in intake.py; moderation happens in the pipeline.
`publish` trusts bytes, not flags: it verifies the stored file again.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from byline.audit import log
from byline.audit.base import conf
from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import brands, intake, presentation, publication, rewrites, states, store, verdict
from byline.generation.compose import film_seconds, overlays
from byline.generation.controls import requests as controls
from byline.generation.films.rows import Film, FilmStep
from byline.generation.films.scenes import joined
from byline.generation.inputs import lasting, roles
from byline.generation.models import GenerationRequest
from byline.generation.states import State
from byline.generation.transitions import move
from byline.generation.wake import wake
from byline.safety import activation, policy

Wake = Callable[[uuid.UUID, str], None]


class RequestNotFound(BylineError):
    code = "request_not_found"
    status = 404
    help = "Check the id of the request."


class NotReady(BylineError):
    code = "not_ready"
    status = 409
    help = "A clip can be published once its state is ready."


def submit(
    *,
    prompt: str,
    requester: str,
    voice_over: str = "",
    negative_prompt: str = "",
    title: str = "",
    brand: str = "",
    seed: int | None = None,
    seconds: float = 6.0,
    profile: str | None = None,
    debias: bool = True,
    references: Sequence[Mapping[str, str]] = (),
    options: Mapping[str, Any] | None = None,
    operation: str = controls.DEFAULT,
    inputs: Mapping[str, Any] | None = None,
    take: tuple[uuid.UUID, int, int] | None = None,
    rewrite: uuid.UUID | str | None = None,
    edited_prompt: str = "",
    debias_reason: str = "",
    film: Film | None = None,
    scenes: Sequence[Mapping[str, Any]] = (),
    wake_worker: Wake = wake,
) -> GenerationRequest:
    """Accept a request: row in state `submitted` plus audit entry, then wake the light worker.

    `requester` names who asks, e.g. "user:7" or "cli". `seed` None draws one. `references` name
    voices or faces, checked against consents later. `options` are those of intake.py. `operation` is one
    of byline.generation.operations, and `inputs` maps its inputs to ids of what the requester uploaded
    (inputs/roles.py); a clip or song may settle the `seconds` (inputs/lasting.py). `take` is set by
    controls/takes.py. `rewrite` is the proposal (rewrites.propose) that the editor accepts, edits
    (`edited_prompt`) or refuses (`debias` False); the last two need `debias_reason`. A `film` comes with
    the `scenes` of a checked storyboard, in place of prompt, voice-over and seconds (films/authoring.py).
    Raises ProposalGone, ReasonNeeded, InvalidInput, or what an unknown profile or brand raises; nothing is
    written then.
    """
    if not requester:
        raise InvalidInput("A request needs a requester.")
    profile = profile or conf.get("PROFILE")
    rules = policy.load()
    rules.profile(profile)
    activation.require(rules)
    kit = brands.load(brand or brands.DEFAULT)
    overlays.require_drawable(" ".join(title.split()) if isinstance(title, str) else "", kit.bold_font)
    if film is None:
        spoken = {
            "prompt": intake.text("prompt", prompt, required=True),
            "voice_over": intake.text("voice_over", voice_over),
        }
        lasts = intake.seconds(seconds)
    else:
        spoken = joined(scenes)
        lasts = film_seconds([scene["seconds"] for scene in scenes], kit)
    row = GenerationRequest(
        **spoken,
        film=film,
        scenes=list(scenes),
        negative_prompt=intake.text("negative_prompt", negative_prompt),
        title=intake.text("title", title),
        requester=requester,
        brand=kit.name,
        seed=intake.seed(seed),
        seconds=lasts,
        profile=profile,
        debias=bool(debias),
        edited_prompt=intake.text("edited_prompt", edited_prompt),
        debias_reason=intake.text("reason", debias_reason),
        references=intake.references(references),
        operation=operation,
        take_set=take[0] if take else None,
        options=intake.options(options or {}),
    )
    row.inputs = roles.resolve(inputs or {}, operation, requester, row.options)
    row.seconds = lasting.seconds(row, kit)
    controls.require(row)
    presentation.require_labels(row.options, kit)
    with transaction.atomic():
        row.save(force_insert=True)
        log.append(
            "generation.submitted", subject=row.subject, actor=requester, payload=submission(row, take)
        )
        rewrites.answer(row, rewrite)
        transaction.on_commit(partial(wake_worker, row.pk, "light"))
    return row


def submission(row: GenerationRequest, take: tuple[uuid.UUID, int, int] | None = None) -> dict[str, Any]:
    """What the log says of a request that was made: commitments to its texts, and its plain facts."""
    texts = {
        field: row.commit(field, value) if (value := getattr(row, field)) else None
        for field in ("prompt", "voice_over", "negative_prompt", "title")
    }
    return texts | {
        "references": len(row.references),
        "brand": row.brand,
        "seconds": f"{row.seconds:g}",
        "seed": str(row.seed),
        "profile": row.profile,
        "debias": row.debias,
        **controls.logged(row),
        **({"take": f"{take[1]} of {take[2]}"} if take else {}),
    }


def _locked(request_id: uuid.UUID | str) -> GenerationRequest:
    """The row, locked. RequestNotFound also for what is no id."""
    try:
        return GenerationRequest.objects.select_for_update().get(pk=request_id)
    except (GenerationRequest.DoesNotExist, ValidationError) as error:
        raise RequestNotFound("There is no such request.") from error


def cancel(request_id: uuid.UUID | str, actor: str) -> GenerationRequest:
    """Stop a request: at once when no worker has it, otherwise at the worker's next look (within a
    heartbeat). Raises IllegalTransition when it has ended or is ready."""
    with transaction.atomic():
        row = _locked(request_id)
        states.check(row.state, State.CANCELLED)
        now = timezone.now()
        if row.lease_until is None or row.lease_until < now:
            move(
                row,
                State.CANCELLED,
                actor=actor,
                kind="generation.cancelled",
                payload={"stage": row.stage},
                # Fences off a worker that was only slow.
                attempt=row.attempt + 1,
                cancel_requested_by=actor,
                cancel_requested_at=now,
            )
            transaction.on_commit(partial(store.discard_work, row.pk))
        elif row.cancel_requested_at is None:
            row.cancel_requested_at, row.cancel_requested_by = now, actor
            row.save(update_fields=["cancel_requested_at", "cancel_requested_by", "updated_at"])
    row.refresh_from_db()
    return row


def release(
    request_id: uuid.UUID | str, actor: str, reason: str, *, wake_worker: Wake = wake
) -> GenerationRequest:
    """A reviewer lets a held request go on. The held stage runs again and passes only for the very
    reasons it was held for; anything new holds it again. Raises IllegalTransition, InvalidInput."""
    reason = intake.text("reason", reason, required=True)
    with transaction.atomic():
        row = _locked(request_id)
        if row.state != State.HELD:
            raise states.IllegalTransition(f"A request that is {row.state} cannot be released.")
        to = states.AFTER_RELEASE[State(row.held_in)]
        entry = {"stage": row.stage, "reasons": row.held_for, "actor": actor, "reason": reason}
        releases = [*row.releases, {**entry, "at": timezone.now().isoformat()}]
        payload = {
            "stage": row.stage,
            "reasons": row.held_for,
            "reason": row.commit(f"release:{len(releases)}", reason),
        }
        move(
            row,
            to,
            actor=actor,
            kind="generation.released",
            payload=payload,
            releases=releases,
            **dict.fromkeys(("held_in", "error_code", "error_message", "error_help"), ""),
            **dict.fromkeys(("error_category", "error_clause"), ""),
            held_for=[],
            settled_at=None,
            woken_at=None,
        )
        transaction.on_commit(partial(wake_worker, row.pk, states.queue_of(to) or "light"))
    row.refresh_from_db()
    return row


def reject(
    request_id: uuid.UUID | str, actor: str, reason: str, *, clause: str, told: str
) -> GenerationRequest:
    """A reviewer refuses a held request, or a ready clip that a sample showed to be wrong; `told` are the
    words for the editor. Raises IllegalTransition, InvalidInput."""
    reason = intake.text("reason", reason, required=True)
    with transaction.atomic():
        row = _locked(request_id)
        if row.state not in {State.HELD, State.READY}:
            raise states.IllegalTransition(f"A request that is {row.state} cannot be refused.")
        payload = {
            "stage": row.stage,
            "reasons": row.held_for,
            "clause": clause,
            "reason": row.commit("reject", reason),
        }
        move(
            row,
            State.REJECTED,
            actor=actor,
            kind="generation.rejected",
            payload=payload,
            error_code="rejected_by_reviewer",
            error_message=told or "A reviewer refused this request.",
            error_help="Read the statement of reasons; you can appeal once.",
            error_clause=clause[:200],
        )
        transaction.on_commit(partial(store.discard_work, row.pk))
    return row


def readmit(
    request_id: uuid.UUID | str, actor: str, reason: str, *, decision: int, wake_worker: Wake = wake
) -> GenerationRequest:
    """A new attempt at a refused request whose appeal was right. The refusal stays as it is; the new row has
    the same brief and lifts exactly what the old one was refused for. `decision` is the log entry that says
    so. IllegalTransition for a request that was not refused, or not for something a person can lift."""
    reason = intake.text("reason", reason, required=True)
    with transaction.atomic():
        old = _locked(request_id)
        if old.state != State.REJECTED:
            raise states.IllegalTransition(f"A request that is {old.state} was not refused.")
        if not liftable(old):
            raise states.IllegalTransition(
                "This refusal cannot be lifted by a reviewer.",
                help="Consent is given by the person concerned; the policy's hard rules have no exception.",
            )
        lifted = {"stage": old.stage, "reasons": old.held_for, "actor": actor, "reason": reason}
        copied = [
            "prompt",
            "voice_over",
            "negative_prompt",
            "title",
            "references",
            "requester",
            "brand",
            "seed",
        ]
        copied += ("seconds", "profile", "debias", "edited_prompt", "debias_reason", "options")
        copied += ("operation", "inputs")
        copied += ("film", "scenes")
        row = GenerationRequest(**{name: getattr(old, name) for name in copied})
        row.releases = [*old.releases, {**lifted, "at": timezone.now().isoformat()}]
        row.save(force_insert=True)
        log.append("generation.submitted", subject=row.subject, actor=row.requester, payload=submission(row))
        log.append(
            "generation.readmitted",
            subject=row.subject,
            actor=actor,
            payload={
                "refused": str(old.pk),
                "stage": old.stage,
                "reasons": old.held_for,
                "decision": decision,
            },
        )
        transaction.on_commit(partial(wake_worker, row.pk, "light"))
    return row


def liftable(row: GenerationRequest) -> bool:
    """Whether a person may lift what this request was refused for."""
    checks = {reason.partition(":")[0] for reason in row.held_for}
    return not ({row.error_category} | checks) & verdict.NEVER_LIFTED


def publish(request_id: uuid.UUID | str, actor: str) -> GenerationRequest:
    """Publish a ready clip after verifying the stored bytes again, and its record with it.

    Raises NotReady, or FileDamaged / ReadBackFailed when the bytes do not verify; nothing changes
    then.
    """
    with transaction.atomic():
        row = _locked(request_id)
        if row.state != State.READY:
            raise NotReady(f"A clip that is {row.state} cannot be published.")
        approved = FilmStep.objects.filter(request=row, state=FilmStep.State.APPROVED)
        if row.film_id and not approved.exists():
            raise NotReady("Nobody has approved this film.", help="Approve its step assemble first.")
    # Seconds of work, so outside the transaction; the state is checked again below.
    publication.verify_stored(row)
    with transaction.atomic():
        row = _locked(request_id)
        publication.publish_record(row)
        move(
            row,
            State.PUBLISHED,
            actor=actor,
            kind="generation.published",
            payload={"sha256": row.file_sha256, "record": row.result["record"]},
            published_at=timezone.now(),
        )
    return row
