"""What became of a published clip: taken down, consent withdrawn, relabelled; and the one way to change it.

Promises: `PublicationStatus` is the verifier's StatusSource over this installation's database. A
decision of a reviewer (the newest StatusChange) comes first; without one, a consent that was
revoked and on which the clip relied makes it "withdrawn" at that very moment, with no further
step; then the record's own published flag. `change` writes the row and the log entry in one
transaction. Nothing said here names a person, a consent or a reviewer. Left out: copies on other
sites, and the purge of a CDN (pages say max-age 300).
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from byline.audit import log
from byline.audit.base.errors import BylineError
from byline.generation.models import GenerationRequest
from byline.platform.models import StatusChange
from byline.provenance.models import Record
from byline.provenance.status import ClipStatus
from byline.safety.models import Consent

GONE = frozenset({"taken_down", "withdrawn"})  # no picture, no manifest; a page says since when and why
OPEN = frozenset({"published", "relabelled"})


class NoSuchRecord(BylineError):
    code = "no_such_record"
    status = 404
    help = "Give the id in the clip's address, /credentials/<id>/."


class PublicationStatus:
    """Answers by public record id; None for an id that no record has. `of` is what strangers may hear."""

    def status(self, record_id: str) -> ClipStatus | None:
        try:
            public_id = UUID(str(record_id))
        except ValueError:
            return None
        record = Record.objects.filter(pk=public_id).only("published", "created").first()
        if record is None:
            return None
        decided = StatusChange.objects.filter(record=public_id).first()
        if not record.published:
            return ClipStatus("unpublished", _iso(decided.since if decided else record.created), "")
        if decided is not None and decided.state != StatusChange.State.PUBLISHED:
            reason = decided.statement or StatusChange.Reason(decided.reason).label
            return ClipStatus(decided.state, _iso(decided.since), reason)  # type: ignore[arg-type]
        request = GenerationRequest.objects.filter(result__record=str(public_id)).first()
        withdrawn = _withdrawn_at(request, after=decided.since if decided else None)
        if withdrawn is not None:
            return ClipStatus("withdrawn", _iso(withdrawn), StatusChange.Reason.CONSENT.label)
        since = request.published_at if request and request.published_at else record.created
        return ClipStatus("published", _iso(decided.since if decided else since), "")


def _withdrawn_at(request: GenerationRequest | None, *, after: datetime | None) -> datetime | None:
    """When a consent that the clip relied on was revoked; what a reviewer has dealt with since is past."""
    if request is None:
        return None
    named = []
    for reference in request.references:
        try:
            named.append(UUID(str(reference.get("consent", ""))))
        except ValueError:
            continue
    revoked = Consent.objects.filter(pk__in=named, revoked_at__isnull=False)
    if after is not None:
        revoked = revoked.filter(revoked_at__gt=after)
    return revoked.order_by("revoked_at").values_list("revoked_at", flat=True).first()


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def of(record_id: UUID | str) -> ClipStatus | None:
    """The state that the public may know; None for an unknown and for an unpublished record alike."""
    found = PublicationStatus().status(str(record_id))
    return None if found is None or found.state == "unpublished" else found


def change(
    record_id: UUID, state: str, *, reason: str, actor: str, statement: str = "", note: str = ""
) -> StatusChange:
    """Take a published clip down, relabel or unpublish it, or publish it again; logged with it.

    "unpublished" makes the clip look as if it had never been public; the other states say what happened.
    NoSuchRecord unless the clip is or was public: first publication re-reads the file and is elsewhere
    (`generation.submit.publish`). ValidationError for a state or reason that is none.
    """
    row = StatusChange(
        record=record_id, state=state, reason=reason, statement=statement, note=note, actor=actor
    )
    row.full_clean()
    with transaction.atomic():
        record = Record.objects.select_for_update().filter(pk=record_id).only("published").first()
        was_public = StatusChange.objects.filter(record=record_id).exists()
        if record is None or not (record.published or was_public):
            raise NoSuchRecord("no published clip has this id")
        Record.objects.filter(pk=record_id).update(published=state != StatusChange.State.UNPUBLISHED)
        row.save()
        log.append(
            "platform.status_changed",
            subject=f"record:{record_id}",
            actor=actor,
            payload={"record": str(record_id), "state": state, "reason": reason},
        )
    return row
