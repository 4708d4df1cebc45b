"""The audit proof inside a manifest, checked against the log the caller knows and against the file.

Promises: a proof counts only if it verifies under the bundle's log key (byline.audit.verify) and
its entry names the digest of this very content, so that a leaf of clip A in clip B is caught.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from byline.audit.checkpoint import parse_vkey
from byline.audit.verify import ProofInvalid, verify_proof
from byline.provenance.digest import Digest, DigestError, content_digest
from byline.provenance.manifest import AUDIT_LABEL
from byline.provenance.reading import ManifestReading
from byline.provenance.trust import TrustBundle

# A clip, and a version of one: both entries name the digest of the media they are about.
ASSET_KINDS = {"generation.asset", "provenance.rendition"}
Outcome = Literal["held", "absent", "no_log", "other_log", "broken", "transplanted"]


@dataclass(frozen=True)
class ProofResult:
    """`outcome` "held" alone means that the entry is proven and is about this content."""

    outcome: Outcome
    text: str
    details: dict[str, Any]


def proof_in(manifest: ManifestReading) -> dict[str, Any] | None:
    """The proof that a manifest carries, unchecked; None without one."""
    data = manifest.assertion(AUDIT_LABEL)
    proof = data.get("proof") if isinstance(data, dict) else None
    return proof if isinstance(proof, dict) else None


def check_file(manifest: ManifestReading, path: Path, trust: TrustBundle) -> ProofResult:
    """Check the manifest's proof against the content of the file at `path`."""
    try:
        digest: Digest | None = content_digest(path)
    except DigestError:
        digest = None
    return check(manifest, digest, trust)


def check(manifest: ManifestReading, digest: Digest | None, trust: TrustBundle) -> ProofResult:
    """Check the manifest's proof against a content digest. Never raises for what the manifest says."""
    proof = proof_in(manifest)
    if proof is None:
        return ProofResult("absent", "the manifest carries no proof from an audit log", {})
    origin = proof.get("origin")
    if not trust.log_vkey:
        return ProofResult("no_log", "a proof is there, but you supplied no log key to check it with", {})
    if origin != trust.log_origin or not _claims_key(proof.get("checkpoint"), trust.log_vkey):
        return ProofResult("other_log", "the proof is of another log than the one you supplied", {})
    try:
        entry = verify_proof(proof, trust.log_vkey)
    except ProofInvalid as error:
        return ProofResult("broken", f"the proof does not hold: {error.reason}", {})
    payload = entry["payload"] if isinstance(entry["payload"], dict) else {}
    details = {
        "origin": origin,
        "index": proof["index"],
        "tree_size": proof["tree_size"],
        "logged": entry["created"],
        "digest_rule": payload.get("digest_rule"),
        "digest": payload.get("digest"),
    }
    if entry["kind"] not in ASSET_KINDS:
        return ProofResult("broken", "the logged entry is not about a finished clip", details)
    if digest is None or (digest.rule, digest.hex) != (payload.get("digest_rule"), payload.get("digest")):
        return ProofResult(
            "transplanted", "the logged entry is about other content than this file's", details
        )
    text = f"entry {proof['index']} of {origin}, logged {entry['created']}, is about exactly this content"
    return ProofResult("held", text, details)


def _claims_key(note: Any, vkey: str) -> bool:
    """Whether a checkpoint claims to be signed by this log key. Two logs may have chosen one name."""
    key = parse_vkey(vkey)
    start = f"\u2014 {key.name} "
    for line in note.split("\n") if isinstance(note, str) else ():
        if line.startswith(start):
            try:
                return base64.b64decode(line[len(start) :], validate=True)[:4] == key.key_id
            except binascii.Error:
                return True  # a damaged claim is still a claim, and will not verify
    return False
