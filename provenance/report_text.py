"""From what a manifest reading, a proof or a status says to findings in plain words.

Promises: every failing code of the C2PA library is in a finding's details, whatever the words say;
ancestors and identity assertions are reported apart and never change the file's own findings; no
name from an identity assertion is shown. Pure: nothing is read here.
"""

from typing import Any

from byline.provenance import manifest, proofs
from byline.provenance.lookup import MarkResult
from byline.provenance.marks.algorithms import ALGORITHMS, payload_of
from byline.provenance.reading import Ancestor, ManifestReading
from byline.provenance.status import ClipStatus
from byline.provenance.verdicts import Finding, Status, Verdict

# Failures that concern who signed and when, not whether the bytes are as they were signed.
_ABOUT_THE_SIGNER = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")

_PROOF_STATUS: dict[proofs.Outcome, Status] = {
    "held": "passed",
    "absent": "not found",
    "no_log": "not checked",
    "other_log": "not checked",
    "broken": "failed",
    "transplanted": "failed",
}
FORENSICS = Finding("forensics", "note", "not part of this verdict")


def broken(held: ManifestReading) -> tuple[str, ...]:
    """Codes that mean: these are not the bytes that were signed."""
    codes = [code for code in held.failures if not code.startswith(_ABOUT_THE_SIGNER)]
    if "claimSignature.validated" not in held.successes:
        codes.append("claimSignature.missing")
    return tuple(dict.fromkeys(codes))


def signer_problems(held: ManifestReading) -> tuple[str, ...]:
    """Codes that mean: who signed, or when, does not hold. Revocation is one."""
    codes = [code for code in held.failures if code.startswith(_ABOUT_THE_SIGNER)]
    return tuple(codes + ["signingCredential.ocsp.revoked"] * bool(held.revoked and not codes))


def contradictions(held: ManifestReading, picture: MarkResult, speech: MarkResult) -> list[Finding]:
    """Marks that were read and are not the ones the manifest declares: one of the two was moved here."""
    declared = [
        (ALGORITHMS[alg].media, payload_of(alg, value))
        for alg, value in manifest.soft_bindings(held.assertions).items()
    ]
    found = []
    for mark in (picture, speech):
        if mark.record is None:
            continue
        medium = ALGORITHMS[mark.alg].media
        # The same id may stand there under another alg: a rendition is marked again when need be.
        named = {payload for media, payload in declared if media == medium}
        if named and mark.payload not in named:
            text = "it is not the mark that the manifest declares"
            found.append(Finding(mark.finding.technique, "failed", text))
    return found


def manifest_findings(held: ManifestReading) -> list[Finding]:
    """manifest, signer, revocation, time stamp, ancestors, identity: of the file's own manifest."""
    bad = broken(held)
    if bad:
        findings = [Finding("manifest", "failed", f"does not validate: {', '.join(bad)}", {"codes": [*bad]})]
        findings.append(Finding("signer", "note", f"the manifest names {held.signer or 'nobody'}"))
    else:
        findings = [Finding("manifest", "passed", "the file's bytes are those that were signed")]
        findings.append(signer_finding(held))
    findings += revocation_findings(held)
    findings.append(_stamp_finding(held))
    findings += [_ancestor_finding(ancestor) for ancestor in held.ancestors]
    if held.identity_failures or any(_is_identity(a) for a in held.assertions):
        text = "an identity assertion is there; whom it names was not confirmed"
        findings.append(Finding("identity", "not checked", text, {"codes": list(held.identity_failures)}))
    return findings


_ROLES = {"parentOf": "what it was made from", "componentOf": "a part of it", "inputTo": "an input"}


def _about(ancestor: Ancestor) -> str:
    """What an ingredient was for, its licence, and what its own credentials are worth."""
    if ancestor.failures:
        worth = ", ".join(ancestor.failures)
    elif ancestor.has_manifest:
        worth = "its own credentials hold"
    elif ancestor.credentials not in ("", "none"):
        worth = f"credentials when it was taken in: {ancestor.credentials}"
    else:
        worth = "no credentials of its own"
    licence = ancestor.licence and f"licence: {ancestor.licence}"
    return "; ".join(filter(None, [_ROLES.get(ancestor.relationship), licence, worth]))


def _ancestor_finding(ancestor: Ancestor) -> Finding:
    status: Status = "failed" if ancestor.failures else "passed" if ancestor.has_manifest else "note"
    details = {
        "codes": list(ancestor.failures),
        "relationship": ancestor.relationship,
        "licence": ancestor.licence,
        "credentials": ancestor.credentials,
    }
    return Finding("ancestors", status, f"{ancestor.title}: {_about(ancestor)}", details)


def signer_finding(held: ManifestReading) -> Finding:
    """Who signed, verified or not."""
    problems = signer_problems(held)
    if held.signer_known and not problems:
        return Finding("signer", "passed", f"{held.signer}, verified under the roots you supplied")
    text = f"calls itself {held.signer or 'nothing'}; not verified under the roots you supplied"
    if held.revoked:
        text = f"calls itself {held.signer or 'nothing'}; its certificate was revoked"
    return Finding("signer", "failed", text, {"codes": list(problems)})


def revocation_findings(held: ManifestReading) -> list[Finding]:
    """One finding if the certificate is known to be revoked, none otherwise."""
    return [Finding("revocation", "failed", held.revoked)] if held.revoked else []


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


def proof_finding(proof: proofs.ProofResult, *, on_record: bool = False) -> Finding:
    """The audit proof; `on_record` when it is about the clip on record and not about this copy."""
    text = proof.text.replace("this content", "the clip on record") if on_record else proof.text
    return Finding("audit proof", _PROOF_STATUS[proof.outcome], text, proof.details)


def status_finding(found: ClipStatus | None, record_id: str) -> Finding:
    """What became of the clip since. Reasons are the operator's public words."""
    if found is None:
        return Finding("status", "not checked", f"nobody here knows what became of record {record_id}")
    words = {
        "published": "published, and nothing is recorded against it",
        "unpublished": "not published",
        "withdrawn": "consent was withdrawn",
        "taken_down": "it was taken down",
        "relabelled": "it was labelled anew",
    }[found.state]
    since = f" on {found.since}" if found.since and found.state != "published" else ""
    reason = f": {found.reason}" if found.reason else ""
    as_of = f" (as of {found.as_of})" if found.as_of else ""
    outcome: Status = {"published": "passed", "withdrawn": "failed", "taken_down": "failed"}.get(  # type: ignore[assignment]
        found.state, "note"
    )
    details = {"state": found.state, "since": found.since, "as_of": found.as_of, "record": record_id}
    return Finding("status", outcome, f"{words}{since}{reason}{as_of}", details)


def verdict_with_status(verdict: Verdict, found: ClipStatus | None) -> tuple[Verdict, str]:
    """(verdict, sentence to add). Only a clip that is beyond doubt this one changes its verdict."""
    if found is None or found.state not in ("withdrawn", "taken_down"):
        return verdict, ""
    said = {"withdrawn": "Consent for it was withdrawn", "taken_down": "It was taken down"}[found.state]
    since = f" on {found.since}." if found.since else "."
    if verdict not in (Verdict.INTACT, Verdict.RECOVERED):
        return verdict, f"The record that it leads to: {said[0].lower()}{said[1:]}{since}"
    now = Verdict.WITHDRAWN if found.state == "withdrawn" else Verdict.TAKEN_DOWN
    return now, f"{said}{since} Apart from that: {verdict.headline}"


def shown(held: ManifestReading) -> dict[str, Any]:
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
            {
                "title": a.title,
                "relationship": a.relationship,
                "failures": list(a.failures),
                "licence": a.licence,
                "credentials": a.credentials,
                "about": _about(a),
            }
            for a in held.ancestors
        ],
    }
