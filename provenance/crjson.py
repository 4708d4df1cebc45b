"""The crJSON form of a file's manifests: the C2PA's own JSON for readers and rubrics.

Promises: what comes out is the C2PA library's crJSON (c2pa.org/crjson), read under the roots that
the caller supplies and without a request to anybody. Nothing is added: `manifests[0]` is the active
manifest and `validationResults` are the library's. The C2PA asset rubrics are evaluated over
exactly this (tests/rubrics).
Left out: our own findings (mark, proof, revocation); they are in the verifier's report.
"""

from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.provenance import reading
from byline.provenance.trust import TrustBundle


class NoManifest(InvalidInput):
    """The file holds no manifest that can be read; `str(error)` says which of the cases it is."""

    code = "no_manifest"
    status = 422
    help = "Ask for the whole verification report: it also looks for marks and fingerprints."


def crjson(path: Path, trust: TrustBundle, manifest: bytes | None = None) -> dict[str, Any]:
    """The crJSON object of a file, or of `manifest` (a manifest store) as if it were the file's own.

    Raises NoManifest for a file without a manifest that can be read; OSError as the system gives it.
    """
    held = reading.read(path, trust, manifest=manifest)
    if held.presence != "read":
        raise NoManifest(held.detail)
    # A signer for whom only a time-stamp root vouches must not come out as trusted (see reading.py).
    stampers = held.signer_known or "signingCredential.trusted" not in held.successes
    made = reading.crjson(path, trust, manifest, stampers=stampers)
    if made is None:
        raise NoManifest("the manifest has no crJSON form")
    return made
