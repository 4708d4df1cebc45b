"""sign and read_back: the manifest, bound to the bytes, and the proof that a stranger can find it."""

import uuid
from importlib.metadata import version
from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.publication import mark_id, read_back_file

UNTITLED = "AI-generated clip"


def sign(request: Any, artefact: Artefact) -> Outcome:
    """Sign the encoded file to a second file with a manifest that holds the log's proof."""
    from byline.provenance.manifest import ManifestFacts, ModelFact, Operation, build
    from byline.provenance.signing import sign_file

    made, spoken = artefact.produced["engine"], artefact.produced["speech"]
    record = str(uuid.uuid4())
    models = [ModelFact(made["model"], made["model_version"], "moving pictures", made["revision"])]
    if "voice" in spoken:
        models.append(ModelFact(spoken["voice"], spoken["voice_version"], "synthetic speech"))
    facts = ManifestFacts(
        title=artefact.produced["normalise"]["title"] or UNTITLED,
        asset_id=f"urn:uuid:{record}",
        software_version=version("byline"),
        proof=artefact.produced["prove"]["proof"],
        models=tuple(models),
        mark_id=mark_id(request),
        audio_id=request.audio_id if artefact.produced["watermark"]["audio_marked"] else None,
        operations=(Operation("c2pa.addedText", "title, captions and the AI label were drawn in"),),
    )
    signed = artefact.workdir / "signed.mp4"
    manifest = artefact.workdir / "manifest.c2pa"
    manifest.write_bytes(sign_file(artefact.files["encoded"], signed, build(facts)))
    return Outcome(
        Verdict.ALLOW,
        evidence={"signed_bytes": signed.stat().st_size, "manifest_bytes": manifest.stat().st_size},
        produces={"record": record},
        files={"signed": signed, "manifest": manifest},
    )


def read_back(request: Any, artefact: Artefact) -> Outcome:
    """Find mark, manifest and proof again in the signed bytes. ReadBackFailed fails the job."""
    audio_marked = artefact.produced["watermark"]["audio_marked"]
    evidence = read_back_file(artefact.files["signed"], request, audio_marked=audio_marked)
    return Outcome(Verdict.ALLOW, evidence=evidence)
