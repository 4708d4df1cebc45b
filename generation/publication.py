"""The stored clip before it is shown to anybody: verified again from its bytes.

Promises: `verify_stored` returns only when the file is the one that was made (sha256) and mark,
manifest and log proof read back from its bytes; what the row says is not asked. Leaves out who
may publish (platform) and the page it appears on.
"""

from typing import Any

from byline.audit.base import keyring
from byline.generation import store
from byline.generation.models import GenerationRequest
from byline.provenance import ids


def mark_id(row: GenerationRequest) -> int:
    """The 64-bit id that the picture of this request carries. ValueError before it was reserved."""
    if row.serial is None:
        raise ValueError("the request has no serial yet")
    return ids.new_mark_id(row.serial, keyring.read("id"))


def verify_stored(row: GenerationRequest) -> dict[str, Any]:
    """Evidence of reading the stored file back. Raises FileDamaged or ReadBackFailed."""
    from byline.provenance.readback import read_back
    from byline.provenance.trust import TrustBundle

    path = store.read_path(row.file_sha256)
    return read_back(
        path,
        mark_id=mark_id(row),
        audio_id=row.audio_id if row.voice_over else None,
        trust=TrustBundle.from_installation(),
    )


def publish_record(row: GenerationRequest) -> None:
    """Let the record of the clip be found by strangers who verify it."""
    from byline.provenance.records import Record

    Record.objects.filter(pk=row.result["record"]).update(published=True)
