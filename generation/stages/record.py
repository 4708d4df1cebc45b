"""fingerprint, log and prove: what the encoded file is, written down before anybody signs it."""

import time
from dataclasses import asdict
from typing import Any

from byline.generation.contracts import Artefact, Effect, Outcome, Verdict
from byline.generation.stages.debias import final_prompt

SLICE_S = 0.5  # between two looks for a cancellation while waiting for a checkpoint


def fingerprint(request: Any, artefact: Artefact) -> Outcome:
    """Fingerprint pictures and sound of the encoded file, decoded as a verifier will decode it."""
    from byline.provenance import fingerprints
    from byline.provenance.decode import decode
    from byline.provenance.sound_fingerprints import sound_fingerprint

    media = decode(artefact.files["encoded"])
    hashes = fingerprints.fingerprint_to_store(media.frames, media.fps)
    sound = sound_fingerprint(media.samples, media.rate).to_hex() if media.samples is not None else ""
    return Outcome(
        Verdict.ALLOW,
        evidence={"frames": len(fingerprints.plain(hashes)), "seconds": round(media.duration, 2)},
        produces={"hashes": [asdict(item) for item in hashes], "sound": sound},
    )


def log(request: Any, artefact: Artefact) -> Outcome:
    """Append the asset's entry, keyed by its content digest: one clip, one leaf."""
    from byline.audit.base import conf
    from byline.generation.publication import mark_id
    from byline.provenance.digest import content_digest

    digest = content_digest(artefact.files["encoded"])
    made, texts = artefact.produced["engine"], artefact.produced["normalise"]
    spoken, audio_marked = texts["voice_over"], artefact.produced["watermark"]["audio_marked"]
    payload = {
        "digest_rule": digest.rule,
        "digest": digest.hex,
        "prompt": request.commit("prompt", request.prompt),
        "final_prompt": request.commit("final_prompt", final_prompt(artefact)),
        "script": request.commit("script", spoken) if spoken else None,
        "model": made["model"],
        "model_version": made["model_version"],
        "weights": made["weights_sha256"] or made["revision"],
        "model_owner": str(conf.get("MODEL_OWNER")),
        "mark": request.commit("mark", f"{mark_id(request):016x}"),
        "audio_mark": request.commit("audio_mark", f"{request.audio_id:08x}") if audio_marked else None,
        "profile": request.profile,
        "policy_version": artefact.produced["moderate"]["policy_version"],
        "checks": request.checks_summary(),
    }
    entry = Effect("append", {"kind": "generation.asset", "payload": payload}, key=digest.hex)
    return Outcome(
        Verdict.ALLOW,
        evidence={"digest_rule": digest.rule, "digest": digest.hex},
        effects=(entry,),
        produces={"digest_rule": digest.rule, "digest": digest.hex},
    )


def prove(request: Any, artefact: Artefact) -> Outcome:
    """Wait until a signed checkpoint covers the entry. ProofTimeout after PROOF_TIMEOUT_S."""
    from byline.audit import log as audit_log
    from byline.audit.base import conf

    entry = artefact.produced["log"]["effects"]["append"]["entry"]
    deadline = time.monotonic() + float(conf.get("PROOF_TIMEOUT_S"))
    while True:
        artefact.check_cancelled()
        left = deadline - time.monotonic()
        try:
            proof = audit_log.wait(entry, max(0.0, min(SLICE_S, left)))
        except audit_log.ProofTimeout:
            if left <= SLICE_S:
                raise
        else:
            break
    return Outcome(
        Verdict.ALLOW,
        evidence={"entry": entry, "index": proof["index"], "tree_size": proof["tree_size"]},
        produces={"proof": proof, "entry": entry},
    )
