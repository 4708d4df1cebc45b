"""The stored clip before it is shown to anybody: verified again from its bytes.

Promises: `verify_stored` returns only when the file is the one that was made (sha256) and mark,
manifest and log proof read back from its bytes; what the row says is not asked. Leaves out who
may publish (platform) and the page it appears on.
"""

from pathlib import Path
from typing import Any

from byline.audit.base import keyring
from byline.generation import store
from byline.generation.models import GenerationRequest
from byline.provenance import ids
from byline.provenance.models import Record


def mark_id(row: GenerationRequest) -> int:
    """The 64-bit id that the picture of this request carries. ValueError before it was reserved."""
    if row.serial is None:
        raise ValueError("the request has no serial yet")
    return ids.new_mark_id(row.serial, keyring.read("id"))


def read_back_file(path: Path, row: GenerationRequest, *, audio_marked: bool) -> dict[str, Any]:
    """Evidence of finding this request's marks, manifest and proof in the bytes. ReadBackFailed."""
    from byline.provenance.readback import read_back
    from byline.provenance.trust import TrustBundle

    return read_back(
        path,
        mark_id=mark_id(row),
        audio_id=row.audio_id if audio_marked else None,
        trust=TrustBundle.from_installation(),
    )


def verify_stored(row: GenerationRequest) -> dict[str, Any]:
    """Read the stored file of a ready request back. Raises FileDamaged or ReadBackFailed."""
    path = store.read_path(row.file_sha256)
    return read_back_file(path, row, audio_marked=row.result["audio_marked"])


def publish_record(row: GenerationRequest) -> None:
    """Let the record of the clip be found by strangers who verify it."""
    Record.objects.filter(pk=row.result["record"]).update(published=True)
