"""A bundle about one clip for a court or a regulator: it holds what is needed to check it without us.

Promise: clip, manifest, every entry of the log with its proof, the newest checkpoint, the public
keys, the story, and the few files of code that check a proof with Python and `cryptography` alone.
A hash list names every file. The prompt is left out unless the operator opens a commitment himself.
Left out: a legal assessment.
"""

import hashlib
import json
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from byline.audit import log, serving
from byline.audit.base import keyring
from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import store
from byline.platform.ledger.story import entries_about, find, story
from byline.provenance.models import Record
from byline.provenance.trust import TrustBundle

# What `python3 -m byline.audit.verify` needs: standard library and `cryptography`.
_CHECKER = ("__init__.py", "canonical.py", "merkle.py", "checkpoint.py", "verify.py")
_README = """Evidence about the clip {clip}

clip.mp4           the clip as it was signed, if it came that far
manifest.c2pa      its C2PA manifest, as signed (it is also inside clip.mp4)
entries.jsonl      what the log says about it, oldest first
proofs/ID.json     the inclusion proof of entry ID
checkpoint         the log's newest signed tree head, with cosignatures of witnesses if there are any
log.vkey           the key that the log signs with
trust.json         C2PA and time-stamp roots of this newsroom, and the log's key
story.txt          the same in plain words
check/             code that checks a proof
SHA256SUMS         the hash of every file here

How to check, on any machine with Python 3.11 or later:

1. sha256sum -c SHA256SUMS
2. pip install cryptography
   cd check; for p in ../proofs/*.json; do python3 -m byline.audit.verify "$p" ../log.vkey; done
   Each must say "proven". It shows that the entry is in the log whose key is log.vkey.
3. pip install byline; byline verify clip.mp4 --trust trust.json
   (any C2PA reader will do for the manifest; the roots are in trust.json)
4. Compare log.vkey and trust.json with what the newsroom published elsewhere, and the checkpoint with
   one that a witness or you yourself kept: only that shows that the log was not rewritten as a whole.

What this does not show: whether what the clip depicts is true, and who sat at an editor's keyboard.
"""


class EvidenceIncomplete(BylineError):
    code = "evidence_incomplete"
    status = 409
    help = "Wait a second for the next checkpoint and try again."


def bundle(clip: str, out: Path, *, names: bool = False) -> None:
    """Write the bundle to a new ZIP file. UnknownClip, EvidenceIncomplete; `out` then does not exist."""
    if out.exists():
        raise InvalidInput(f"{out} exists", help="Give a new file name.")
    content = collect(clip, names=names)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(content.items()))
    scratch = out.with_name(f".{out.name}.new")
    try:
        with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in sorted(content.items()):
                archive.writestr(name, data)
            archive.writestr("SHA256SUMS", sums)
        scratch.replace(out)
    finally:
        scratch.unlink(missing_ok=True)


def collect(clip: str, *, names: bool = False) -> dict[str, bytes]:
    """File name in the bundle -> bytes. UnknownClip; EvidenceIncomplete while an entry has no proof."""
    row = find(clip)
    entries = entries_about(row)
    found = [(entry, log.proof(entry.pk, cosigned=True) or log.proof(entry.pk)) for entry in entries]
    if waiting := [entry.pk for entry, proof in found if proof is None]:
        raise EvidenceIncomplete(f"no checkpoint covers entry {waiting[0]} yet")
    content = {f"proofs/{entry.pk}.json": _json(proof) for entry, proof in found}
    content["entries.jsonl"] = b"".join(json.dumps(e.as_dict()).encode() + b"\n" for e, _ in found)
    content["checkpoint"] = serving.checkpoint().encode()
    content["log.vkey"] = keyring.read("log_vkey")
    content["trust.json"] = _json(TrustBundle.from_installation().as_dict())
    content["story.txt"] = story(clip, names=names).text().encode()
    content["README.txt"] = _README.format(clip=row.pk).encode()
    code = files("byline.audit")
    content |= {f"check/byline/audit/{name}": code.joinpath(name).read_bytes() for name in _CHECKER}
    record = Record.objects.filter(pk=row.result.get("record")).first() if row.result.get("record") else None
    if record is not None:
        content["manifest.c2pa"] = bytes(record.manifest)
        content["clip.mp4"] = store.read_path(record.sha256).read_bytes()
    return content


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
