"""The C2PA Soft Binding Resolution API over this installation's published records: the logic.

Promises (C2PA Soft Binding Resolution API 1.0.0): a soft binding leads to the identifier of the
manifest that declares it, and an identifier to the manifest store as it was signed. Only clips that
are public right now answer; a clip that was never published, unpublished, taken down or whose
consent was withdrawn answers exactly like an id that does not exist. A mark id that was not made
with our keys is refused before any record is looked up. `value` is the base64 of the value in
our `c2pa.soft-binding` assertion; the same value as the manifest has it, and base64 of the
raw bytes, are understood, too. Left out: look-ups by fingerprint value; send the file instead
(`/matches/byContent`), since a likeness needs more than one hash to be no accident.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from byline.audit.base import keyring
from byline.audit.base.errors import InvalidInput
from byline.platform import status
from byline.platform.models import ManifestId
from byline.provenance import ids, reading
from byline.provenance.marks import markers
from byline.provenance.marks.algorithms import ALGORITHMS, Media, payload_of
from byline.provenance.models import Record
from byline.provenance.trust import TrustBundle

_TECHNIQUES: dict[Media, str] = {"video": "picture mark", "audio": "speech mark"}
FINGERPRINTS = {
    "io.byline.fingerprint.phash.1": "fingerprint",
    "io.byline.fingerprint.sound.1": "sound fingerprint",
}
LIKENESS = frozenset(FINGERPRINTS.values())
# C2PA 2.4 section 8.1: urn:c2pa:UUID, with an optional issuer and version; older: vendor:urn:uuid:UUID.
_MANIFEST_ID = re.compile(
    r"(urn:c2pa:|[A-Za-z0-9._-]{1,64}:urn:uuid:|urn:uuid:)[0-9a-fA-F-]{36}(:[A-Za-z0-9._-]{0,64}){0,2}"
)
_MOST = 100


class BadQuery(InvalidInput):
    code = "bad_soft_binding_query"
    help = "Give alg and a base64 value; see /services/supportedAlgorithms."


@dataclass(frozen=True)
class Match:
    """One manifest; `score` (0 to 100) only where likeness, not an exact id, led to it."""

    manifest_id: str
    score: int | None = None

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"manifestId": self.manifest_id}
        return found if self.score is None else found | {"similarityScore": self.score}


def watermarks() -> dict[str, str]:
    """alg -> technique of every mark that clips of this installation may carry."""
    return {alg: _TECHNIQUES[medium] for alg, medium in markers.algs().items()}


def supported() -> dict[str, Any]:
    """What `/services/supportedAlgorithms` answers."""
    return {
        "watermarks": [{"alg": name} for name in watermarks()],
        "fingerprints": [{"alg": name} for name in FINGERPRINTS],
    }


def by_binding(alg: str, value: str) -> list[Match]:
    """Manifests that declare this mark; none for an algorithm not ours. BadQuery for a malformed value."""
    if alg not in watermarks():
        return []
    number = _number(alg, value)
    if ALGORITHMS[alg].media == "video":
        try:
            ids.open_mark_id(number, keyring.read_all("id"))
        except (ids.ForgedMark, ids.BadMarkId):
            return []
        row = Record.objects.filter(published=True, mark_id=number).first()
    else:
        row = Record.objects.filter(published=True, audio_id=number).first()
    return _matches(str(row.pk), None) if row else []


def by_report(report: dict[str, Any], alg: str | None = None) -> list[Match]:
    """Manifests to which a verification of the content led. A mark that was moved here leads to none."""
    record = report.get("record")
    if not record or report.get("verdict") in {"transplanted", "no_record", "unreadable"}:
        return []
    marks = watermarks()
    wanted = {**marks, **FINGERPRINTS}
    techniques = set(wanted.values()) if alg is None else {wanted.get(alg)}
    found = [f for f in report.get("findings", []) if f["technique"] in techniques]
    if any(f["technique"] in marks.values() and f["details"].get("record") == record for f in found):
        return _matches(record, None)
    likeness = next(
        (f for f in found if f["technique"] in LIKENESS and f["status"] in {"found", "passed"}), None
    )
    if likeness is None:
        return []
    matched, of = likeness["details"].get("matched"), likeness["details"].get("of")
    known = isinstance(matched, int) and isinstance(of, int) and of > 0
    return _matches(record, max(0, min(100, round(100 * matched / of))) if known else None)


def store(manifest_id: str, *, active_only: bool = False) -> bytes | None:
    """The manifest store of a public clip, None for every other id. BadQuery for a malformed one."""
    if not _MANIFEST_ID.fullmatch(manifest_id):
        raise BadQuery("this is no C2PA manifest identifier", help="It looks like urn:c2pa: and a UUID.")
    known = ManifestId.objects.filter(label=manifest_id).first()
    if known is None and _index_published():
        known = ManifestId.objects.filter(label=manifest_id).first()
    if known is None:
        return None
    state = status.of(known.record)
    row = Record.objects.filter(pk=known.record, published=True).first()
    if row is None or state is None or state.state not in status.OPEN:
        return None
    data = bytes(row.manifest)
    return active_manifest(data) if active_only else data


def active_manifest(data: bytes) -> bytes:
    """The store with its active manifest alone: C2PA 2.4 section 11.1.4, the last superbox is the active one.

    ValueError when the bytes are no JUMBF superbox (ISO 19566-5).
    """
    outer, end = _box(data, 0)
    children, at = [], outer
    while at < end:
        start, at = at, _box(data, at)[1]
        children.append(data[start:at])
    if len(children) < 2:
        raise ValueError("the store holds no manifest")
    body = children[0] + children[-1]
    return (len(body) + 8).to_bytes(4, "big") + data[outer - 4 : outer] + body


def _box(data: bytes, at: int) -> tuple[int, int]:
    """(start of the content, end) of the box at an offset."""
    size = int.from_bytes(data[at : at + 4], "big")
    if size < 8 or at + size > len(data):
        raise ValueError("the store is cut")
    return at + 8, at + size


def _matches(record_id: str, score: int | None) -> list[Match]:
    state = status.of(record_id)
    if state is None or state.state not in status.OPEN:
        return []
    known = ManifestId.objects.filter(pk=record_id).first()
    if known is None:
        _index_published()
        known = ManifestId.objects.filter(pk=record_id).first()
    return [Match(known.label, score)] if known else []


def _index_published() -> int:
    """Learn the identifiers of records that were published since the last look; how many were new."""
    rows = Record.objects.filter(published=True).exclude(pk__in=ManifestId.objects.values("record"))
    new = 0
    for row in rows.only("manifest")[:_MOST]:
        label = reading.read_store(bytes(row.manifest), TrustBundle.empty()).label
        # A record whose manifest cannot be read gets a label that nobody can ask for: it is not tried again.
        try:
            with transaction.atomic():
                ManifestId.objects.create(record=row.pk, label=label or f"unreadable:{row.pk}")
        except IntegrityError:  # another request was faster
            continue
        new += 1
    return new


def _number(alg: str, value: str) -> int:
    """The id in a query's value: as the manifest has it, base64 of that, or base64 of the raw bytes."""
    plain = payload_of(alg, value)
    if plain is not None:
        return plain
    try:
        raw = base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadQuery("value is not base64") from error
    if len(raw) * 2 == ALGORITHMS[alg].digits:
        return int.from_bytes(raw, "big")
    decoded = payload_of(alg, raw.decode("ascii", "replace"))
    if decoded is None:
        raise BadQuery("value is not one of this algorithm")
    return decoded
