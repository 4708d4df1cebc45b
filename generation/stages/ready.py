"""ready: the verified file goes into the store, its record into provenance. The last gate."""

import hashlib
from typing import Any

from byline.generation import store
from byline.generation.contracts import Artefact, Effect, Outcome, Verdict


def ready(request: Any, artefact: Artefact) -> Outcome:
    """Store the signed file and let the runner create its record. Nothing is published by this."""
    made = artefact.produced
    sha256 = store.put(artefact.files["signed"])
    if artefact.files["signed"].suffix == ".webm":
        store.put_beside(sha256, artefact.files["manifest"])
    manifest = artefact.files["manifest"].read_bytes()
    payload = {
        "record": made["sign"]["record"],
        "sha256": sha256,
        "digest": made["log"]["digest"],
        "audio_marked": made["watermark"]["audio_marked"],
        "manifest": manifest,
        "proof": made["prove"]["proof"],
        "hashes": made["fingerprint"]["hashes"],
        "sound": made["fingerprint"]["sound"],
    }
    return Outcome(
        Verdict.ALLOW,
        effects=(Effect("provenance_record", payload),),
        produces={
            "sha256": sha256,
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            "asset_entry": made["prove"]["entry"],
            "record": made["sign"]["record"],
            "digest": made["log"]["digest"],
            "audio_marked": made["watermark"]["audio_marked"],
            "seconds": made["watermark"]["seconds"],
            "path": str(
                store.path_of(sha256, artefact.files["signed"].suffix).relative_to(store.clips_root())
            ),
        },
    )
