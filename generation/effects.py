"""What stages may cause beyond their own outcome, each applied exactly once.

Stages name effects, the runner applies them in the transaction of the stage's outcome; the
unique key (request, stage, kind, key) makes a repetition harmless: the first result is handed out
again. A new kind is one function with `@effect("kind")`. An unknown kind is a defect and fails
the request; it is never skipped.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import connection

from byline.audit import log
from byline.generation import rewrites
from byline.generation.contracts import Effect
from byline.generation.models import AUDIO_BITS, EffectApplied, GenerationRequest
from byline.generation.publication import mark_id
from byline.provenance.models import Record

Apply = Callable[[GenerationRequest, Mapping[str, Any]], Mapping[str, Any]]
_kinds: dict[str, Apply] = {}
SERIAL_SEQUENCE = "byline_generation_serial"


def effect(kind: str) -> Callable[[Apply], Apply]:
    """Register the function that applies a kind. ValueError for a second one."""

    def register(apply: Apply) -> Apply:
        if _kinds.setdefault(kind, apply) is not apply:
            raise ValueError(f"effect {kind!r} is registered twice")
        return apply

    return register


def apply_once(row: GenerationRequest, stage: str, effects: Iterable[Effect]) -> dict[str, Any]:
    """Apply what has not been applied; results by kind. The caller holds the row's lock."""
    results: dict[str, Any] = {}
    for item in effects:
        names = {"request": row, "stage": stage, "kind": item.kind, "key": item.key}
        done = EffectApplied.objects.filter(**names).first()
        if done is None:
            result = dict(_kinds[item.kind](row, item.payload))
            done = EffectApplied.objects.create(**names, result=result)
        results[item.kind] = done.result
    return results


@effect("quota_draw")
def _quota_draw(row: GenerationRequest, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Draw for the open people of {"prompt"} from the brand's ledger; the final prompt is the result."""
    return rewrites.draw_for(row, payload["prompt"])


@effect("reserve_ids")
def _reserve_ids(row: GenerationRequest, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the request its serial (picture mark) and audio id (voice mark), for ever."""
    with connection.cursor() as cursor:
        cursor.execute("select nextval(%s)", [SERIAL_SEQUENCE])
        row.serial = cursor.fetchone()[0]
    # Random, so that ids tell nothing about how much was made; 0 would be an empty mark. The
    # unique constraint is the guarantee, this look-up only spares it work.
    row.audio_id = secrets.randbelow(2**AUDIO_BITS - 1) + 1
    while GenerationRequest.objects.filter(audio_id=row.audio_id).exists():
        row.audio_id = secrets.randbelow(2**AUDIO_BITS - 1) + 1
    row.save(update_fields=["serial", "audio_id", "updated_at"])
    return {"serial": row.serial, "audio_id": row.audio_id}


@effect("append")
def _append(row: GenerationRequest, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Append {"kind", "payload"} to the audit log; the entry's number is the result."""
    entry = log.append(
        payload["kind"], subject=row.subject, actor="system:pipeline", payload=dict(payload["payload"])
    )
    return {"entry": entry.pk}


@effect("provenance_record")
def _provenance_record(row: GenerationRequest, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Create the record by which a stripped copy is recovered; unpublished, so no stranger sees it."""
    record = Record.objects.create(
        pk=payload["record"],
        mark_id=mark_id(row),
        audio_id=row.audio_id if payload["audio_marked"] else None,
        sha256=payload["sha256"],
        content_digest=payload["digest"],
        manifest=payload["manifest"],
        proof=payload["proof"],
        fingerprints=payload["hashes"],
        sound=payload["sound"],
    )
    return {"record": str(record.pk)}
