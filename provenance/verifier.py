"""What is known of a file: one service for the command, the API and the public page.

Promises: order manifest, audit proof, marks, likeness; trust comes from the bundle alone; no
network, no Django unless DatabaseRecords is passed; hostile media is decoded in a jailed child. A
damaged manifest is tampering, never "nothing found". A stripped copy is called recovered only if
its mark's id is authentic, the manifest on record verifies except for the file's hash, its proof
holds and the pictures agree; a mark on other content is called transplanted.
Left out: forensic detectors, identity assertions, consent and takedown state, remote registries.
"""

from pathlib import Path
from typing import Any

from byline.audit.digest import Digest
from byline.provenance import decode, formats, lookup, manifest, proofs, reading
from byline.provenance.lookup import MarkResult
from byline.provenance.reading import ManifestReading
from byline.provenance.records import RecordSource, StoredRecord
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Status, Verdict

# Failures that concern who signed and when, not whether the bytes are as they were signed.
_ABOUT_THE_SIGNER = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")
# The only failures that a manifest kept apart from its file may show (C2PA 2.4 section 15.12).
_HASH_OF_THE_FILE = {
    "assertion.bmffHash.mismatch",
    "assertion.dataHash.mismatch",
    "assertion.boxesHash.mismatch",
    "assertion.collectionHash.mismatch",
}

_PROOF_STATUS: dict[proofs.Outcome, Status] = {
    "held": "passed",
    "absent": "not found",
    "no_log": "not checked",
    "other_log": "not checked",
    "broken": "failed",
    "transplanted": "failed",
}


def verify(path: Path, *, trust: TrustBundle, records: RecordSource | None, offline: bool = False) -> Report:
    """Verify one file. Never raises for what the file contains; OSError as the system gives it.

    Nothing here uses the network in any case; `offline` is noted in the report.
    """
    found = formats.sniff(path)
    file: dict[str, Any] = {
        "name": path.name,
        "bytes": path.stat().st_size,
        "format": found.mime if found else None,
        "offline": offline,
    }
    held = reading.read(path, trust)
    media, unreadable = _media(path, records, held)
    picture, speech = lookup.find_picture_mark(media, records), lookup.find_speech_mark(media, records)
    if held.presence in ("read", "damaged"):
        return _with_manifest(path, file, held, trust, records, media, picture, speech)
    if unreadable:
        note = Finding("file", "failed", unreadable)
        return Report(Verdict.UNREADABLE, (note,), file)
    return _without_manifest(file, held, trust, records, media, picture, speech)


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


# ---------------------------------------------------------------- a manifest is in the file


def _with_manifest(
    path: Path,
    file: dict[str, Any],
    held: ManifestReading,
    trust: TrustBundle,
    records: RecordSource | None,
    media: decode.DecodedMedia | None,
    picture: MarkResult,
    speech: MarkResult,
) -> Report:
    if held.presence == "damaged":
        findings = [Finding("manifest", "failed", held.detail), picture.finding, speech.finding]
        return Report(Verdict.TAMPERED, tuple(findings), file, record=_record_id(picture, speech))
    broken = _broken(held)
    proof = proofs.check_file(held, path, trust)
    if broken:
        verdict = Verdict.TAMPERED
    elif proof.outcome in ("broken", "transplanted") or _contradiction(held, picture, speech):
        verdict = Verdict.TRANSPLANTED
    elif not held.signer_known or _signer_problems(held):
        verdict = Verdict.UNKNOWN_SIGNER
    elif proof.outcome != "held":
        verdict = Verdict.UNPROVEN
    else:
        verdict = Verdict.INTACT
    findings = [
        *_manifest_findings(held, broken),
        _proof_finding(proof),
        picture.finding,
        speech.finding,
        *_contradiction(held, picture, speech),
    ]
    record = picture.record or speech.record
    if record is not None:
        query = lookup.hashes_of(media, mirrored=picture.mirrored)
        findings.append(lookup.compare_with(record, query)[1])
    elif records is not None:
        record, likeness = lookup.search(records, lookup.hashes_of(media))
        findings.append(likeness)
    explanation = ""
    if any(ancestor.failures for ancestor in held.ancestors):
        explanation = "An earlier file that it was made from does not verify."
    elif verdict is Verdict.UNPROVEN and not trust.log_vkey:
        explanation = "You supplied no log key."
    shown = _shown(held)
    return Report(verdict, tuple(findings), file, shown, record.id if record else None, explanation)


def _broken(held: ManifestReading) -> tuple[str, ...]:
    """Codes that mean: these are not the bytes that were signed."""
    codes = [code for code in held.failures if not code.startswith(_ABOUT_THE_SIGNER)]
    if "claimSignature.validated" not in held.successes:
        codes.append("claimSignature.missing")
    return tuple(dict.fromkeys(codes))


def _contradiction(held: ManifestReading, picture: MarkResult, speech: MarkResult) -> list[Finding]:
    """Marks that were read and are not the ones the manifest declares: one of the two was moved here."""
    declared = manifest.soft_bindings(held.assertions)
    marks = ((manifest.VIDEO_MARK_ALG, picture), (manifest.AUDIO_MARK_ALG, speech))
    return [
        Finding(mark.finding.technique, "failed", "it is not the mark that the manifest declares")
        for algorithm, mark in marks
        if mark.record is not None and declared.get(algorithm, mark.payload) != mark.payload
    ]


def _signer_problems(held: ManifestReading) -> tuple[str, ...]:
    return tuple(code for code in held.failures if code.startswith(_ABOUT_THE_SIGNER))


def _manifest_findings(held: ManifestReading, broken: tuple[str, ...]) -> list[Finding]:
    if broken:
        findings = [
            Finding("manifest", "failed", f"does not validate: {', '.join(broken)}", {"codes": list(broken)})
        ]
    else:
        findings = [Finding("manifest", "passed", "the file's bytes are those that were signed")]
    problems = _signer_problems(held)
    if held.signer_known and not problems and not broken:
        text = f"{held.signer}, verified under the roots you supplied"
        findings.append(Finding("signer", "passed", text))
    elif broken:
        findings.append(Finding("signer", "note", f"the manifest names {held.signer or 'nobody'}"))
    else:
        text = f"calls itself {held.signer or 'nothing'}; not verified under the roots you supplied"
        findings.append(Finding("signer", "failed", text, {"codes": list(problems)}))
    findings.append(_stamp_finding(held))
    for ancestor in held.ancestors:
        if ancestor.failures:
            text = f"{ancestor.title}: {', '.join(ancestor.failures)}"
            findings.append(Finding("ancestors", "failed", text, {"codes": list(ancestor.failures)}))
        else:
            findings.append(Finding("ancestors", "passed", f"{ancestor.title}: nothing failed"))
    if held.identity_failures or any(_is_identity(a) for a in held.assertions):
        findings.append(
            Finding("identity", "not checked", "an identity assertion is there and was not checked")
        )
    return findings


def _stamp_finding(held: ManifestReading) -> Finding:
    """The stamp stands beside the signature, not under it: it can be damaged without touching the claim."""
    if held.stamped:
        return Finding("time stamp", "passed", f"signed {held.signed_at}")
    codes = [c for c in held.codes.get("informational", ()) if c.startswith("timeStamp.")]
    damaged = [code for code in codes if code != "timeStamp.untrusted"]
    if damaged:
        text = f"the time stamp does not hold: {', '.join(damaged)}"
        return Finding("time stamp", "failed", text, {"codes": damaged})
    return Finding("time stamp", "not found", "no time stamp that the roots you supplied can confirm")


def _is_identity(assertion: dict[str, Any]) -> bool:
    return str(assertion.get("label", "")).startswith("cawg.identity")


def _proof_finding(proof: proofs.ProofResult) -> Finding:
    return Finding("audit proof", _PROOF_STATUS[proof.outcome], proof.text, proof.details)


def _shown(held: ManifestReading) -> dict[str, Any]:
    """The parts of the manifest that a report shows. `state` and `codes` are the C2PA library's own."""
    return {
        "label": held.label,
        "title": held.title,
        "generator": held.generator,
        "signer": held.signer,
        "signed_at": held.signed_at,
        "state": held.state,
        "codes": held.codes,
        "ancestors": [
            {"title": a.title, "relationship": a.relationship, "failures": list(a.failures)}
            for a in held.ancestors
        ],
    }


# ---------------------------------------------------------------- no manifest that we can read


def _without_manifest(
    file: dict[str, Any],
    held: ManifestReading,
    trust: TrustBundle,
    records: RecordSource | None,
    media: decode.DecodedMedia | None,
    picture: MarkResult,
    speech: MarkResult,
) -> Report:
    absent = Finding("manifest", "not checked" if held.presence != "absent" else "not found", held.detail)
    findings = [absent, picture.finding, speech.finding]
    record = picture.record or speech.record
    query = lookup.hashes_of(media, mirrored=picture.mirrored)
    if record is None:
        similar, likeness = lookup.search(records, query)
        findings.append(likeness)
        nothing = Verdict.NOTHING_FOUND if records is not None else Verdict.MARK_NOT_CHECKED
        verdict = Verdict.SIMILAR if similar else nothing
        skipped = sum(f.status == "not checked" for f in findings)
        note = f"{skipped} technique(s) could not be used; see “not checked”." if skipped else ""
        return Report(verdict, tuple(findings), file, None, similar.id if similar else None, note)
    if picture.record and speech.record and picture.record.id != speech.record.id:
        findings.append(Finding("fingerprint", "not checked", "picture and speech lead to different records"))
        note = "Its pictures and its speech come from different clips."
        return Report(Verdict.TRANSPLANTED, tuple(findings), file, None, None, note)
    stored = reading.read_store(record.manifest, trust)
    problem = _record_problem(record, stored, trust, picture, speech)
    if problem:
        findings.append(Finding("manifest on record", "failed", problem))
        return Report(
            Verdict.NO_RECORD,
            tuple(findings),
            file,
            None,
            None,
            "The record behind it is damaged.",
        )
    findings.extend(_stored_findings(stored, record, trust))
    agreement, likeness = lookup.compare_with(record, query)
    findings.append(likeness)
    if agreement is not None and not agreement.similar:
        note = "The mark is authentic, but the pictures are not those of its record."
        return Report(Verdict.TRANSPLANTED, tuple(findings), file, None, record.id, note)
    verdict = Verdict.RECOVERED if stored.signer_known else Verdict.UNKNOWN_SIGNER
    note = "This does not show that it is unedited."
    if agreement is None:
        note = "Only the mark was read; whether the content is unchanged could not be compared."
    if verdict is Verdict.UNKNOWN_SIGNER:
        note = f"The manifest was recovered by our mark. {note}"
    return Report(verdict, tuple(findings), file, _shown(stored), record.id, note)


def store_problem(stored: ManifestReading) -> str:
    """Why a manifest kept apart from its file may not be believed; empty when it may.

    Only the hash of the file may fail, since a re-encoded copy has other bytes.
    """
    if stored.presence != "read" or "claimSignature.validated" not in stored.successes:
        return "the manifest on record is not authentic"
    if set(_broken(stored)) - _HASH_OF_THE_FILE:
        return "the manifest on record is damaged"
    return ""


def _record_problem(
    record: StoredRecord,
    stored: ManifestReading,
    trust: TrustBundle,
    picture: MarkResult,
    speech: MarkResult,
) -> str:
    """Why a record may not be believed; empty when it may."""
    problem = store_problem(stored)
    if problem:
        return problem
    declared = manifest.soft_bindings(stored.assertions)
    if picture.record is not None and declared.get(manifest.VIDEO_MARK_ALG) != picture.payload:
        return "the manifest on record does not declare this mark"
    if speech.record is not None and declared.get(manifest.AUDIO_MARK_ALG) != speech.payload:
        return "the manifest on record does not declare this speech mark"
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


def _stored_findings(stored: ManifestReading, record: StoredRecord, trust: TrustBundle) -> list[Finding]:
    who = stored.signer or "nobody"
    if stored.signer_known:
        signer = Finding("signer", "passed", f"{who}, verified under the roots you supplied")
    else:
        signer = Finding("signer", "failed", f"calls itself {who}; not verified under the roots you supplied")
    proof = proofs.check(stored, _digest_on_record(stored, record), trust)
    text = proof.text.replace("this content", "the clip on record")
    return [
        Finding(
            "manifest on record", "passed", "authentic; this copy's bytes differ from those that were signed"
        ),
        signer,
        _proof_finding(proofs.ProofResult(proof.outcome, text, proof.details)),
    ]


def _record_id(*marks: MarkResult) -> str | None:
    return next((mark.record.id for mark in marks if mark.record), None)
