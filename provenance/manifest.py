"""The facts of a clip as a C2PA 2.4 claim. Pure: no key, no file, no clock.

Promises (conformance 0.2): specVersion "2.4.0" in claim_generator_info; `c2pa.actions.v2` first, in
created_assertions, allActionsIncluded true, `c2pa.created` with a digitalSourceType; each mark is
declared as `c2pa.watermarked.bound` with a `c2pa.soft-binding`; `c2pa.ai-disclosure` per model;
`cawg.training-mining` refuses; `org.byline.audit` carries the log entry's proof. What we made or
know is a created assertion, signed as ours; only the refusal of training is gathered.
Never inside: prompts, the words spoken, people's names, seeds. Our two marks are not on the C2PA
list of soft-binding algorithms, and the action's description says so. Left out: ingredients;
`relatedAssertions` of an action (it needs a hash that the library computes later).
"""

import re
from dataclasses import dataclass
from typing import Any

from byline.audit.base.errors import InvalidInput

SPEC_VERSION = "2.4.0"
VIDEO_MARK_ALG = "io.byline.video.ss64.1"
AUDIO_MARK_ALG = "io.byline.audio.ss32.1"
AUDIT_LABEL = "org.byline.audit"
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SOURCE_TYPES = {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"}
# Actions we may claim beside created and watermarked (C2PA 2.4 section 18.15; the library accepts any name).
OPERATIONS = {"c2pa.addedText", "c2pa.edited", "c2pa.dubbed", "c2pa.mixed", "c2pa.placed", "c2pa.transcoded"}
_MODEL_TYPE = "c2pa.types.model"
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}")
_MAX_TEXT = 300
# Control characters, lone surrogates, and bidi controls that would make a title read as another.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class BadManifestFacts(InvalidInput):
    """A fact that may not go into a manifest as it is. The message names the field, never its value."""

    code = "bad_manifest_facts"


@dataclass(frozen=True)
class ModelFact:
    """One model that took part. `role` says what it did in plain words, e.g. "moving pictures"."""

    name: str
    version: str
    role: str
    identifier: str = ""  # purl or hub id with revision, when the model has one


@dataclass(frozen=True)
class Operation:
    """One further action, e.g. Operation("c2pa.addedText", "title, captions and label drawn in")."""

    action: str
    description: str


@dataclass(frozen=True)
class ManifestFacts:
    """Everything a manifest says. `mark_id` (64 bits) is in the picture, `audio_id` (32 bits) in the speech.

    `proof` is the audit proof as `byline.audit.log.proof` gives it. `title` is public: it must not
    be the prompt.
    """

    title: str
    asset_id: str
    software_version: str
    proof: dict[str, Any]
    models: tuple[ModelFact, ...]
    source_type: str = "compositeWithTrainedAlgorithmicMedia"
    mark_id: int | None = None
    audio_id: int | None = None
    operations: tuple[Operation, ...] = ()
    human_oversight: str = "prompt_guided"


def build(facts: ManifestFacts) -> dict[str, Any]:
    """The builder JSON for `signing.sign_file`. BadManifestFacts names the first fact that does not fit."""
    _check(facts)
    marks = _marks(facts)
    assertions = [
        _created("c2pa.actions.v2", {"actions": _actions(facts, marks), "allActionsIncluded": True}),
        *(
            _created("c2pa.soft-binding", {"alg": alg, "blocks": [{"scope": {}, "value": value}]})
            for alg, value, _ in marks
        ),
        *(
            _created("c2pa.ai-disclosure", _disclosure(model, facts.human_oversight))
            for model in facts.models
        ),
        _created(AUDIT_LABEL, {"asset": facts.asset_id, "proof": facts.proof}),
        {"label": "cawg.training-mining", "data": {"entries": _refusals()}},
    ]
    return {
        "claim_generator_info": [
            {"name": "Byline", "version": facts.software_version, "specVersion": SPEC_VERSION}
        ],
        "title": facts.title,
        "assertions": assertions,
    }


def soft_bindings(assertions: tuple[dict[str, Any], ...]) -> dict[str, int]:
    """algorithm -> id for our marks that a manifest declares. Malformed ones are left out."""
    found = {}
    for assertion in assertions:
        data = assertion.get("data")
        if assertion.get("label") != "c2pa.soft-binding" or not isinstance(data, dict):
            continue
        blocks = data.get("blocks")
        block = blocks[0] if isinstance(blocks, list) and blocks else None
        value = block.get("value") if isinstance(block, dict) else None
        digits = {VIDEO_MARK_ALG: 16, AUDIO_MARK_ALG: 8}.get(str(data.get("alg")))
        if digits and isinstance(value, str) and re.fullmatch(rf"[0-9a-f]{{{digits}}}", value):
            found[str(data["alg"])] = int(value, 16)
    return found


def _check(facts: ManifestFacts) -> None:
    if facts.source_type not in SOURCE_TYPES:
        raise BadManifestFacts("source_type is no digital source type that we make")
    if not facts.models:
        raise BadManifestFacts("models is empty: a generated clip names what generated it")
    if facts.human_oversight not in ("fully_autonomous", "prompt_guided", "human_validated"):
        raise BadManifestFacts("human_oversight is not a level of C2PA 2.4")
    if facts.mark_id is not None and not 0 <= facts.mark_id < 2**64:
        raise BadManifestFacts("mark_id has 64 bits")
    if facts.audio_id is not None and not 0 <= facts.audio_id < 2**32:
        raise BadManifestFacts("audio_id has 32 bits")
    if not isinstance(facts.proof, dict) or not facts.proof:
        raise BadManifestFacts("proof is missing: nothing is signed before it is logged")
    if any(operation.action not in OPERATIONS for operation in facts.operations):
        raise BadManifestFacts("operations holds an action that we do not make")
    texts = {"title": facts.title, "asset_id": facts.asset_id, "software_version": facts.software_version}
    texts |= {f"models[{i}]": f"{m.name} {m.version} {m.role}" for i, m in enumerate(facts.models)}
    for name, text in texts.items():
        if not text.strip() or len(text) > _MAX_TEXT or _UNSHOWABLE.search(text):
            raise BadManifestFacts(f"{name} is empty, longer than {_MAX_TEXT} characters or unprintable")
    if any(m.identifier and not _IDENTIFIER.fullmatch(m.identifier) for m in facts.models):
        raise BadManifestFacts("models holds an identifier that is none")


def _marks(facts: ManifestFacts) -> list[tuple[str, str, str]]:
    """(algorithm, id in hex, where it is) for each mark."""
    marks = []
    if facts.mark_id is not None:
        marks.append((VIDEO_MARK_ALG, f"{facts.mark_id:016x}", "picture"))
    if facts.audio_id is not None:
        marks.append((AUDIO_MARK_ALG, f"{facts.audio_id:08x}", "speech"))
    return marks


def _actions(facts: ManifestFacts, marks: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    agent = {"name": "Byline", "version": facts.software_version}
    source = _IPTC + facts.source_type
    used = "; ".join(f"{model.role}: {model.name} {model.version}" for model in facts.models)
    actions: list[dict[str, Any]] = [
        {
            "action": "c2pa.created",
            "digitalSourceType": source,
            "softwareAgent": agent,
            "parameters": {"description": used},
        }
    ]
    for operation in facts.operations:
        actions.append(
            {
                "action": operation.action,
                "softwareAgent": agent,
                "digitalSourceType": source,
                "parameters": {"description": operation.description[:_MAX_TEXT]},
            }
        )
    for alg, _, where in marks:
        text = f"{where} marked with {alg}, an algorithm of Byline's own that is on no public list"
        actions.append(
            {
                "action": "c2pa.watermarked.bound",
                "softwareAgent": agent,
                "digitalSourceType": source,
                "parameters": {"description": text},
            }
        )
    return actions


def _disclosure(model: ModelFact, oversight: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "modelType": _MODEL_TYPE,
        "modelName": f"{model.name} {model.version}",
        "contentProfile": {"humanOversightLevel": oversight},
    }
    if model.identifier:
        data["modelIdentifier"] = model.identifier
    return data


def _refusals() -> dict[str, dict[str, str]]:
    """CAWG Training and Data Mining 1.1: every entry it defines."""
    uses = ("ai_inference", "ai_generative_training", "ai_training", "data_mining")
    return {f"cawg.{use}": {"use": "notAllowed"} for use in uses}


def _created(label: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "data": data, "created": True}
