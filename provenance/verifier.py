"""What is known of a file: one service for the command, the API and the public page.

Promises: order manifest (in the file, beside it or given), blind marks, likeness and marks again on
the short list, audit proof, status; forensics are named as no part of the verdict. Trust comes from
the bundle alone; no network, no Django unless DatabaseRecords is passed; hostile media is decoded in
a jailed child. A damaged manifest is tampering, never "nothing found". A stripped copy is called
recovered only if its mark's id is authentic, the manifest on record verifies except for the file's
hash, its proof holds and the pictures agree; a mark on other content is called transplanted.
A public answer (`tell_all` false) is the same for a clip that was not published, an id that was
never issued and a file without a mark. Left out: forensic detectors (their own endpoint), identity
assertions, remote registries (registry_client of the platform).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from byline.provenance import decode, formats, lookup, manifest, proofs, reading, report_text
from byline.provenance.digest import Digest
from byline.provenance.fingerprints import FrameHash, Similarity
from byline.provenance.lookup import Evidence
from byline.provenance.reading import ManifestReading
from byline.provenance.records import RecordSource, StoredRecord
from byline.provenance.sound_fingerprints import SoundPrint, SoundSimilarity
from byline.provenance.status import ClipStatus, StatusSource
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

# The only failures that a manifest kept apart from its file may show (C2PA 2.4 section 15.12).
_HASH_OF_THE_FILE = {
    "assertion.bmffHash.mismatch",
    "assertion.dataHash.mismatch",
    "assertion.boxesHash.mismatch",
    "assertion.collectionHash.mismatch",
}
MAX_SIDECAR = 64 << 20


@dataclass(frozen=True)
class _Asked:
    """What one verification was given."""

    trust: TrustBundle
    records: RecordSource | None
    status: StatusSource | None
    file: dict[str, Any]
    tell_all: bool

    def report(self, verdict: Verdict, findings: list[Finding], note: str = "", **more: Any) -> Report:
        return Report(verdict, (*findings, report_text.FORENSICS), self.file, explanation=note, **more)


def verify(
    path: Path,
    *,
    trust: TrustBundle,
    records: RecordSource | None,
    status: StatusSource | None = None,
    sidecar: bytes | None = None,
    offline: bool = False,
    tell_all: bool = False,
) -> Report:
    """Verify one file. Never raises for what the file contains; OSError as the system gives it.

    `sidecar` is a manifest store kept beside the file; it counts where the file holds none itself.
    `tell_all` is for an operator on their own records: it names forged ids and unpublished clips.
    Nothing here uses the network in any case; `offline` is noted in the report.
    """
    found = formats.sniff(path)
    file: dict[str, Any] = {
        "name": path.name,
        "bytes": path.stat().st_size,
        "format": found.mime if found else None,
        "offline": offline,
    }
    if records is not None and status is not None and not tell_all:
        records = _Published(records, status)
    asked = _Asked(trust, records, status, file, tell_all)
    held = reading.read(path, trust)
    if sidecar is not None and held.presence in ("absent", "remote", "unsupported"):
        held = reading.read(path, trust, manifest=sidecar)
        if held.presence != "read":
            held = ManifestReading("damaged", detail="the manifest beside the file cannot be read")
        file["sidecar"] = True
    media, unreadable = _media(path, records, held)
    evidence = lookup.gather(media, records, tell_all=tell_all)
    if held.presence == "damaged":
        return _damaged(asked, held, evidence)
    if held.presence == "read":
        return _with_manifest(asked, path, held, evidence)
    if unreadable:
        return asked.report(Verdict.UNREADABLE, [Finding("file", "failed", unreadable)])
    return _without_manifest(asked, held, evidence)


def sidecar_of(path: Path) -> bytes | None:
    """The manifest store that stands where formats.sidecar_of says, None without one."""
    beside = formats.sidecar_of(path)
    if beside != path and beside.is_file() and beside.stat().st_size <= MAX_SIDECAR:
        return beside.read_bytes()
    return None


class _Published:
    """Records without those that the status source calls unpublished: they answer like unknown ids."""

    def __init__(self, records: RecordSource, status: StatusSource) -> None:
        self._records, self._status = records, status
        self.mark_keys, self.id_keys, self.detectors = records.mark_keys, records.id_keys, records.detectors

    def _kept(self, record: StoredRecord | None) -> StoredRecord | None:
        state = self._status.status(record.id) if record is not None else None
        return None if state is not None and state.state == "unpublished" else record

    def by_mark(self, mark_id: int) -> StoredRecord | None:
        return self._kept(self._records.by_mark(mark_id))

    def by_audio(self, audio_id: int) -> StoredRecord | None:
        return self._kept(self._records.by_audio(audio_id))

    def shortlist(self, query: list[FrameHash], limit: int = 100) -> list[StoredRecord]:
        return [record for record in self._records.shortlist(query, limit) if self._kept(record)]

    def similar(self, query: list[FrameHash]) -> tuple[StoredRecord, Similarity] | None:
        found = self._records.similar(query)
        return found if found is not None and self._kept(found[0]) else None

    def similar_sound(self, query: SoundPrint) -> tuple[StoredRecord, SoundSimilarity] | None:
        found = self._records.similar_sound(query)
        return found if found is not None and self._kept(found[0]) else None


def _media(
    path: Path, records: RecordSource | None, held: ManifestReading
) -> tuple[decode.DecodedMedia | None, str]:
    """(what was decoded, why not). Decoding is spared where nothing would look at it."""
    if records is None and held.presence in ("read", "damaged"):
        return None, ""
    try:
        return decode.decode_untrusted(path), ""
    except decode.Unreadable as error:
        return None, str(error)


def _ask_status(asked: _Asked, record_id: str | None) -> tuple[ClipStatus | None, list[Finding]]:
    if record_id is None:
        return None, []
    found = asked.status.status(record_id) if asked.status is not None else None
    if found is not None and found.state == "unpublished" and not asked.tell_all:
        found = None
    return found, [report_text.status_finding(found, record_id)]


# ---------------------------------------------------------------- a manifest is there


def _damaged(asked: _Asked, held: ManifestReading, evidence: Evidence) -> Report:
    findings = [
        Finding("manifest", "failed", held.detail),
        evidence.picture.finding,
        evidence.speech.finding,
    ]
    record = evidence.record.id if evidence.record else None
    state, said = _ask_status(asked, record)
    verdict, note = report_text.verdict_with_status(Verdict.TAMPERED, state)
    return asked.report(verdict, findings + said, note, record=record)


def _with_manifest(asked: _Asked, path: Path, held: ManifestReading, evidence: Evidence) -> Report:
    proof = proofs.check_file(held, path, asked.trust)
    contradictions = report_text.contradictions(held, evidence.picture, evidence.speech)
    if report_text.broken(held):
        verdict = Verdict.TAMPERED
    elif proof.outcome in ("broken", "transplanted") or contradictions:
        verdict = Verdict.TRANSPLANTED
    elif not held.signer_known or report_text.signer_problems(held):
        verdict = Verdict.UNKNOWN_SIGNER
    elif proof.outcome != "held":
        verdict = Verdict.UNPROVEN
    else:
        verdict = Verdict.INTACT
    findings = [
        *report_text.manifest_findings(held),
        evidence.picture.finding,
        evidence.speech.finding,
        *contradictions,
    ]
    record = evidence.record
    if record is not None:
        findings.append(lookup.compare_with(record, evidence.query)[1])
        findings.append(lookup.compare_sound_with(record, evidence.sound)[1])
    elif asked.records is not None:
        record, likeness = lookup.search(asked.records, evidence)
        findings.extend(likeness)
    findings.append(report_text.proof_finding(proof))
    # An intact manifest of a known signer names its own record, whether or not marks were looked for.
    named = _declared_record(held) if verdict is Verdict.INTACT else None
    state, said = _ask_status(asked, named or (evidence.record.id if evidence.record else None))
    findings += said
    notes = []
    if held.revoked:
        notes.append("The signer's certificate was revoked.")
    if any(ancestor.failures for ancestor in held.ancestors):
        notes.append("An earlier file that it was made from does not verify.")
    if verdict is Verdict.UNPROVEN and not asked.trust.log_vkey:
        notes.append("You supplied no log key.")
    verdict, about_status = report_text.verdict_with_status(verdict, state)
    note = " ".join(filter(None, [about_status, *notes]))
    return asked.report(
        verdict, findings, note, manifest=report_text.shown(held), record=record.id if record else None
    )


def _declared_record(held: ManifestReading) -> str | None:
    """The public id that a manifest of ours carries; None where it carries none."""
    data = held.assertion(manifest.AUDIT_LABEL)
    asset = str(data.get("asset", "")) if isinstance(data, dict) else ""
    try:
        return str(UUID(asset.removeprefix("urn:uuid:")))
    except ValueError:
        return None


# ---------------------------------------------------------------- no manifest that we can read


def _without_manifest(asked: _Asked, held: ManifestReading, evidence: Evidence) -> Report:
    absent = Finding("manifest", "not found" if held.presence == "absent" else "not checked", held.detail)
    findings = [absent, evidence.picture.finding, evidence.speech.finding]
    record, picture, speech = evidence.record, evidence.picture.record, evidence.speech.record
    if record is None:
        return _by_likeness(asked, findings, evidence)
    if picture and speech and picture.id != speech.id:
        findings.append(Finding("fingerprint", "not checked", "picture and speech lead to different records"))
        return asked.report(
            Verdict.TRANSPLANTED, findings, "Its pictures and its speech come from different clips."
        )
    stored = reading.read_store(record.manifest, asked.trust)
    problem = _record_problem(record, stored, asked.trust, evidence)
    if problem:
        findings.append(Finding("manifest on record", "failed", problem))
        return asked.report(Verdict.NO_RECORD, findings, "The record behind it is damaged.")
    text = "authentic; this copy's bytes differ from those that were signed"
    findings.append(Finding("manifest on record", "passed", text))
    findings += [report_text.signer_finding(stored), *report_text.revocation_findings(stored)]
    agreement, likeness = lookup.compare_with(record, evidence.query)
    heard, sound = lookup.compare_sound_with(record, evidence.sound)
    findings += [likeness, sound]
    proof = proofs.check(stored, _digest_on_record(stored, record), asked.trust)
    findings.append(report_text.proof_finding(proof, on_record=True))
    state, said = _ask_status(asked, record.id)
    findings += said
    verdict, note = _recovered(stored, agreement, heard)
    verdict, about_status = report_text.verdict_with_status(verdict, state)
    withdrawn = state is not None and state.state in ("withdrawn", "taken_down")
    # A withdrawn clip is named and dated; what its manifest said is no longer handed out.
    shown = None if withdrawn or verdict is Verdict.TRANSPLANTED else report_text.shown(stored)
    note = " ".join(filter(None, [about_status, note]))
    return asked.report(verdict, findings, note, manifest=shown, record=record.id)


def _recovered(
    stored: ManifestReading, agreement: Similarity | None, heard: SoundSimilarity | None
) -> tuple[Verdict, str]:
    """What an authentic mark with a good record comes to, by likeness and signer."""
    if agreement is not None and not agreement.similar:
        return Verdict.TRANSPLANTED, "The mark is authentic, but the pictures are not those of its record."
    if agreement is None and heard is not None and not heard.similar:
        return Verdict.TRANSPLANTED, "The mark is authentic, but the sound is not that of its record."
    note = "This does not show that it is unedited."
    if agreement is None and heard is None:
        note = "Only the mark was read; whether the content is unchanged could not be compared."
    elif heard is not None and not heard.similar:
        note = "The pictures agree with the record, the sound does not: it may have other words or music."
    if stored.signer_known and not stored.revoked:
        return Verdict.RECOVERED, note
    return Verdict.UNKNOWN_SIGNER, f"The manifest was recovered by our mark. {note}"


def _by_likeness(asked: _Asked, findings: list[Finding], evidence: Evidence) -> Report:
    similar, likeness = lookup.search(asked.records, evidence)
    findings = [*findings, *likeness]
    nothing = Verdict.NOTHING_FOUND if asked.records is not None else Verdict.MARK_NOT_CHECKED
    verdict = Verdict.SIMILAR if similar else nothing
    skipped = sum(f.status == "not checked" for f in findings)
    note = f"{skipped} technique(s) could not be used; see “not checked”." if skipped else ""
    state, said = _ask_status(asked, similar.id if similar else None)
    verdict, about_status = report_text.verdict_with_status(verdict, state)
    note = " ".join(filter(None, [about_status, note]))
    return asked.report(verdict, findings + said, note, record=similar.id if similar else None)


def store_problem(stored: ManifestReading) -> str:
    """Why a manifest kept apart from its file may not be believed; empty when it may.

    Only the hash of the file may fail, since a re-encoded copy has other bytes.
    """
    if stored.presence != "read" or "claimSignature.validated" not in stored.successes:
        return "the manifest on record is not authentic"
    if set(report_text.broken(stored)) - _HASH_OF_THE_FILE:
        return "the manifest on record is damaged"
    return ""


def _record_problem(
    record: StoredRecord, stored: ManifestReading, trust: TrustBundle, evidence: Evidence
) -> str:
    """Why a record may not be believed; empty when it may."""
    problem = store_problem(stored)
    if problem:
        return problem
    declared = manifest.soft_bindings(stored.assertions)
    for mark in (evidence.picture, evidence.speech):
        if mark.record is not None and declared.get(mark.alg) != mark.value:
            return f"the manifest on record does not declare this {mark.finding.technique}"
    if proofs.check(stored, _digest_on_record(stored, record), trust).outcome in ("broken", "transplanted"):
        return "the proof on record does not hold"
    return ""


def _digest_on_record(stored: ManifestReading, record: StoredRecord) -> Digest | None:
    """The record's digest with the rule that the entry names: the copy's own bytes have changed."""
    proof = proofs.proof_in(stored) or {}
    entry = proof.get("entry")
    payload = entry.get("payload") if isinstance(entry, dict) else None
    rule = payload.get("digest_rule") if isinstance(payload, dict) else None
    return Digest(str(rule), record.content_digest.rpartition(":")[2])
