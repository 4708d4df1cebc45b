"""Take an input in, find one's own, forget it; every change has its audit entry.

Promises: a row exists only for a file that was parsed and sealed, with a licence, a source and the owner's
declaration to hold the rights; another owner's input is answered like none at all. What nobody forgot is
forgotten INPUT_RETENTION_DAYS after it came. Log entries hold a salted commitment to the SHA-256: a
picture of a person is not to be found by it.
"""

import datetime as dt
import hashlib
import uuid
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from byline.audit import log
from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput
from byline.audit.commit import commitment
from byline.generation.inputs import keeping, parsing
from byline.generation.inputs.roles import UnknownInput
from byline.generation.models import UploadedInput

MAX_KEPT = 200  # of one owner at a time


class RightsMissing(InvalidInput):
    code = "rights_missing"
    help = "Say under which licence and from where you have the file, and declare that you may use it."


class TooManyInputs(InvalidInput):
    code = "too_many_inputs"
    status = 409
    help = "Delete inputs that you no longer need."


def add(path: Path, kind: str, *, owner: str, licence: str, source: str, declared: bool) -> UploadedInput:
    """Parse, seal and record one file. RightsMissing, InputRefused, TooManyInputs: nothing is kept then."""
    rights = {"licence": (licence, 200), "source": (source, 300)}
    for name, (text, longest) in rights.items():
        if not isinstance(text, str) or not text.strip() or len(text) > longest or not text.isprintable():
            raise RightsMissing(f"{name} is one line of 1 to {longest} characters")
    if declared is not True:
        raise RightsMissing("the declaration to hold the rights is missing")
    if kept(owner).count() >= MAX_KEPT:
        raise TooManyInputs(f"{MAX_KEPT} inputs are kept already")
    parsed = parsing.parse(path, kind)
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    shape = parsed.array.shape
    still = kind in ("picture", "mask")
    row = UploadedInput(
        id=uuid.uuid4(),
        owner=owner,
        kind=kind,
        sha256=digest,
        bytes=path.stat().st_size,
        width=0 if kind == "song" else shape[1 if still else 2],
        height=0 if kind == "song" else shape[0 if still else 1],
        frames=shape[0] if kind == "clip" else int(still),
        fps=parsed.rate if kind == "clip" else 0.0,
        seconds=0.0 if still else round(shape[0] / parsed.rate, 3),
        notes=list(parsed.notes),
        credentials=parsed.credentials,
        licence=licence.strip(),
        source=source.strip(),
        declared_at=timezone.now(),
    )
    keeping.write(row.pk, kind, parsed.array, parsed.rate)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            log.append(
                "generation.input_added",
                subject=f"input:{row.pk}",
                actor=owner,
                payload={
                    "kind": kind,
                    "sha256": committed(row),
                    "bytes": row.bytes,
                    "licence": row.licence,
                    "source": commitment(row.source, bytes(row.salt)),
                    "credentials": row.credentials,
                },
            )
    except BaseException:
        keeping.forget(row.pk)
        raise
    return row


def committed(row: UploadedInput) -> str:
    """The commitment to the file's SHA-256 that log entries hold."""
    return commitment(row.sha256, bytes(row.salt))


def kept(owner: str) -> QuerySet[UploadedInput]:
    """What this owner has here."""
    return UploadedInput.objects.filter(owner=owner, forgotten_at=None)


def forget(input_id: uuid.UUID | str, *, owner: str, why: str = "owner") -> None:
    """Remove the content for good; the row stays as a name. UnknownInput for one that is not the owner's.
    A request that has not used it yet fails with a clear error."""
    with transaction.atomic():
        row = kept(owner).select_for_update().filter(pk=input_id).first()
        if row is None:
            raise UnknownInput("There is no such input of yours.")
        row.forgotten_at = timezone.now()
        row.save(update_fields=["forgotten_at"])
        log.append(
            "generation.input_forgotten",
            subject=f"input:{row.pk}",
            actor=owner if why == "owner" else "system:retention",
            payload={"why": why},
        )
        transaction.on_commit(lambda: keeping.forget(row.pk))


def expire() -> int:
    """Forget what is older than INPUT_RETENTION_DAYS, and files that a killed process left; how many."""
    oldest = timezone.now() - dt.timedelta(days=float(conf.get("INPUT_RETENTION_DAYS")))
    due = UploadedInput.objects.filter(forgotten_at=None, created_at__lt=oldest)[:100]
    for row in due:
        forget(row.pk, owner=row.owner, why="retention")
    there = keeping.settled()
    known = UploadedInput.objects.filter(pk__in=there, forgotten_at=None).values_list("pk", flat=True)
    return len(due) + sum(keeping.forget(orphan) for orphan in there - set(known))
