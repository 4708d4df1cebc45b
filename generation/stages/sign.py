"""sign and read_back: the manifest, bound to the bytes, and the proof that a stranger can find it."""

import shutil
import uuid
from importlib.metadata import version
from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.publication import read_back_file
from byline.generation.stages.debias import final_prompt

UNTITLED = "AI-generated clip"


def sign(request: Any, artefact: Artefact) -> Outcome:
    """Sign the encoded file to a second file with a manifest that holds the log's proof.

    IPTC fields and, under profile CN, the label of GB 45438 go into the file first: nothing may change
    a signed file. They stand outside the media data, so the digest in the log stays true.
    """
    from byline.generation.inputs import naming
    from byline.provenance import aigc, metadata, profiles
    from byline.provenance.ingredients import DIGEST, Ingredient
    from byline.provenance.manifest import ManifestFacts, ModelFact, Operation, SoftBinding, build
    from byline.provenance.signing import sign_file, sign_sidecar

    made, spoken, logged = (artefact.produced[name] for name in ("engine", "speech", "log"))
    record = str(uuid.uuid4())
    models = [
        ModelFact(
            made["model"],
            made["model_version"],
            made.get("role", "moving pictures"),
            made["revision"],
            licence=made["licence"],
            text_encoder=made["text_encoder"],
            weights_sha256=made["weights_sha256"],
        )
    ]
    models += [ModelFact(**fact) for fact in made.get("further_models", ())]
    if "voice" in spoken:
        licence = spoken["voice_licence"]
        models.append(
            ModelFact(
                spoken["voice"],
                spoken["voice_version"],
                "synthetic speech",
                spoken.get("voice_identifier", ""),
                licence=licence,
                weights_sha256=spoken.get("voice_weights_sha256", ""),
            )
        )
    marked = artefact.produced["watermark"]
    if marked.get("music"):
        music = marked["music"]
        models.append(
            ModelFact(music["name"], music["version"], "music", music["identifier"], licence=music["licence"])
        )
    models += [ModelFact(**fact) for fact in marked["models"]]
    drawn_with = [
        Ingredient(
            item["title"],
            "inputTo",
            item["licence"],
            facts=(("org.byline.role", item["role"]), (DIGEST, item["sha256"])),
        )
        for item in marked["inputs"]
    ]
    recorded = []
    if "narration" in spoken:  # named without its SHA-256, a handle on the person who speaks
        role = (("org.byline.role", "speech"),)
        recorded = [Ingredient("recorded narration", "componentOf", source_type="digitalCapture", facts=role)]
    master = _master(request)
    own = [] if master else [*recorded, *naming.ingredients(artefact.produced["inputs"]["used"], made)]
    used = [*master, *own, *drawn_with]
    facts = ManifestFacts(
        title=artefact.produced["normalise"]["title"] or UNTITLED,
        asset_id=f"urn:uuid:{record}",
        software_version=version("byline"),
        proof=artefact.produced["prove"]["proof"],
        # What made the pictures is told by the parent; here they were opened and not created.
        models=() if master else tuple(models),
        bindings=tuple(SoftBinding(**binding) for binding in marked["bindings"]),
        operations=(
            *(() if master else naming.steps(made)),
            *(Operation(**operation) for operation in marked["operations"]),
            Operation(
                "c2pa.addedText",
                "title, captions and the AI label were drawn in",
                ingredients=tuple(item.key for item in drawn_with),
            ),
        ),
    )
    choices = profiles.for_brand(request.brand)
    prompt = None
    if choices.prompt:
        written = artefact.produced["normalise"]["prompt"]
        prompt = metadata.PromptDisclosure(written, given=final_prompt(artefact))
    label = None
    if choices.profile == "CN":
        statement = f"{logged['digest_rule']}:{logged['digest']}"
        label = aigc.AigcLabel("1", choices.producer, facts.asset_id, reserved1=statement)
    said = metadata.fields(facts.source_type, [(m.name, m.version) for m in models], prompt)
    built = build(facts, ingredients=used, choices=choices, prompt=prompt)
    encoded = artefact.files["encoded"]
    signed = artefact.workdir / f"signed{encoded.suffix}"
    if encoded.suffix == ".webm":  # holds neither XMP nor a manifest: both are beside it, in the manifest
        manifest = signed.with_suffix(".c2pa")
        shutil.copyfile(encoded, signed)
        sign_sidecar(signed, manifest, built, used)
    else:
        described, manifest = artefact.workdir / "described.mp4", artefact.workdir / "manifest.c2pa"
        aigc.write(encoded, described, said, label)
        manifest.write_bytes(sign_file(described, signed, built, used))
        described.unlink()
    return Outcome(
        Verdict.ALLOW,
        evidence={"signed_bytes": signed.stat().st_size, "manifest_bytes": manifest.stat().st_size},
        produces={"record": record},
        files={"signed": signed, "manifest": manifest},
    )


def _master(request: Any) -> list[Any]:
    """The clip that a rendition is one of, as the parent of its manifest."""
    from byline.generation import store
    from byline.provenance.ingredients import Ingredient

    if request.master_id is None:
        return []
    path = store.read_path(request.master.file_sha256)
    return [Ingredient(request.master.title or UNTITLED, "parentOf", "same as the original", path)]


def read_back(request: Any, artefact: Artefact) -> Outcome:
    """Find mark, manifest and proof again in the signed bytes. ReadBackFailed fails the job."""
    audio_marked = artefact.produced["watermark"]["audio_marked"]
    evidence = read_back_file(artefact.files["signed"], request, audio_marked=audio_marked)
    return Outcome(Verdict.ALLOW, evidence=evidence)
