"""The facts of a file as a C2PA 2.4 claim. Pure: no key, no file, no clock.

Promises (conformance 0.2): specVersion "2.4.0" in claim_generator_info; `c2pa.actions.v2` first, in
created_assertions, allActionsIncluded set, beginning with `c2pa.created` (with a digitalSourceType)
or, for a version of another file, `c2pa.opened` (with its parent); each mark is declared as
`c2pa.watermarked.bound` with a `c2pa.soft-binding`, registered on the C2PA list or not, and why;
`c2pa.ai-disclosure` per model, the models as inputTo ingredients; `org.byline.audit` carries the log
entry's proof. What we made or know is a created assertion, signed as ours; the wish about training
and the description for people (`cawg.metadata`) are gathered. docs/manifest.md lists every assertion.
Never inside: the words spoken, people's names, seeds, and the prompt only when an operator chose so.
Left out: `relatedAssertions` of a mark's action: it is a hashed URI, the library salts each assertion
anew while it signs and does not fill the hash in, and a wrong hash is worse than none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.provenance.actions import MAX_TEXT, BadAction, Operation, Region
from byline.provenance.ingredients import UNKNOWN_LICENCE, Ingredient, examine
from byline.provenance.marks.algorithms import ALGORITHMS, AUDIO_MARK_ALG, VIDEO_MARK_ALG, payload_of
from byline.provenance.metadata import PromptDisclosure, description
from byline.provenance.profiles import Choices
from byline.provenance.trust import TrustBundle

__all__ = ["BadManifestFacts", "ManifestFacts", "ModelFact", "Operation", "Region", "SoftBinding", "build"]

SPEC_VERSION = "2.4.0"
AUDIT_LABEL = "org.byline.audit"
RECEIPT_LABEL = "c2pa.repository-receipt"
# What a clip that we made as a whole can be. Versions of other files keep their parent's word for it.
SOURCE_TYPES = {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"}
_OVERSIGHT = ("fully_autonomous", "prompt_guided", "human_validated")
_MODEL_TYPE = "c2pa.types.model"
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}")
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
    licence: str = UNKNOWN_LICENCE
    text_encoder: str = ""  # name and revision of what turned the prompt into numbers
    weights_sha256: str = ""


@dataclass(frozen=True)
class SoftBinding:
    """A mark that was written: `alg` as in marks.algorithms, its value, and what carries it.

    `written` False: the mark came with the parent and was found again; it is declared, not claimed as
    an action of this file.
    """

    alg: str
    value: str
    where: str
    written: bool = True


@dataclass(frozen=True)
class ManifestFacts:
    """Everything a manifest says. `bindings` are the marks; `mark_id` (64 bits, picture) and `audio_id`
    (32 bits, speech) are short for our own two.

    `proof` is the audit proof as `byline.audit.log.proof` gives it. `title` is public: it must not
    be the prompt. `models` may be empty only for a version of
    another file (`build` was given a parentOf ingredient).
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
    bindings: tuple[SoftBinding, ...] = ()
    complete: bool = True  # allActionsIncluded


def build(
    facts: ManifestFacts,
    *,
    ingredients: Sequence[Ingredient] = (),
    choices: Choices | None = None,
    prompt: PromptDisclosure | None = None,
) -> dict[str, Any]:
    """The builder JSON for `signing.sign_file`, which takes the same `ingredients`.

    `prompt` is left out unless `choices.prompt` says otherwise. BadManifestFacts names the first fact
    that does not fit, BadAction and BadIngredient likewise.
    """
    choices = choices or Choices()
    parents = [item for item in ingredients if item.relationship == "parentOf"]
    _check(facts, parents)
    bindings = _bindings(facts)
    models = [_model_ingredient(model) for model in facts.models]
    actions = _actions(facts, ingredients, models, bindings)
    if prompt is not None and not choices.prompt:
        prompt = None
    shown = description(facts.source_type, [(m.name, m.version) for m in facts.models], prompt)
    assertions = [
        _created("c2pa.actions.v2", {"actions": actions, "allActionsIncluded": facts.complete}),
        *(
            _created("c2pa.soft-binding", {"alg": b.alg, "blocks": [{"scope": {}, "value": b.value}]})
            for b in bindings
        ),
        *(_created("c2pa.ai-disclosure", _disclosure(m, facts.human_oversight)) for m in facts.models),
    ]
    if facts.proof:
        assertions.append(_created(AUDIT_LABEL, {"asset": facts.asset_id, "proof": facts.proof}))
    assertions.append({"label": "cawg.training-mining", "data": {"entries": _training(choices)}})
    assertions.append({"label": "cawg.metadata", "data": shown, "kind": "Json"})
    return {
        "claim_generator_info": [
            {"name": "Byline", "version": facts.software_version, "specVersion": SPEC_VERSION}
        ],
        "title": facts.title,
        "assertions": assertions,
        "ingredients": [examine(item, TrustBundle.empty()).entry for item in models],
    }


def receipt(
    software_version: str, title: str, data: dict[str, Any], held: tuple[dict[str, Any], ...]
) -> dict[str, Any]:
    """The builder JSON of an update manifest that adds `c2pa.repository-receipt` to a signed file.

    `held` are the assertions of the manifest that is there: the audit proof and the marks are said
    again, because a verifier looks for them in the newest manifest. The published text gives the
    receipt's label and that it is JSON; the shape of `data` is ours, see docs/manifest.md.
    """
    again = [
        _created(str(assertion["label"]), assertion["data"])
        for assertion in held
        if assertion.get("label") in (AUDIT_LABEL, "c2pa.soft-binding")
    ]
    info = {"name": "Byline", "version": software_version, "specVersion": SPEC_VERSION}
    return {
        "claim_generator_info": [info],
        "title": title,
        "assertions": [{**_created(RECEIPT_LABEL, data), "kind": "Json"}, *again],
    }


def soft_bindings(assertions: tuple[dict[str, Any], ...]) -> dict[str, str]:
    """alg -> value for marks in our table that a manifest declares. Malformed ones are left out."""
    found = {}
    for assertion in assertions:
        data = assertion.get("data")
        if assertion.get("label") != "c2pa.soft-binding" or not isinstance(data, dict):
            continue
        blocks = data.get("blocks")
        block = blocks[0] if isinstance(blocks, list) and blocks else None
        value = block.get("value") if isinstance(block, dict) else None
        if payload_of(str(data.get("alg")), value) is not None:
            found[str(data["alg"])] = str(value)
    return found


def _check(facts: ManifestFacts, parents: Sequence[Ingredient]) -> None:
    if len(parents) > 1:
        raise BadManifestFacts("ingredients holds more than one parent")
    if facts.source_type not in SOURCE_TYPES:
        raise BadManifestFacts("source_type is no digital source type that we make")
    if not facts.models and not parents:
        raise BadManifestFacts("models is empty: a generated clip names what generated it")
    if facts.human_oversight not in _OVERSIGHT:
        raise BadManifestFacts("human_oversight is not a level of C2PA 2.4")
    if facts.mark_id is not None and not 0 <= facts.mark_id < 2**64:
        raise BadManifestFacts("mark_id has 64 bits")
    if facts.audio_id is not None and not 0 <= facts.audio_id < 2**32:
        raise BadManifestFacts("audio_id has 32 bits")
    if not isinstance(facts.proof, dict) or not (facts.proof or parents):
        raise BadManifestFacts("proof is missing: nothing is signed before it is logged")
    if any(binding.alg not in ALGORITHMS or not binding.value.strip() for binding in facts.bindings):
        raise BadManifestFacts("bindings holds a mark that nobody named")
    texts = {"title": facts.title, "asset_id": facts.asset_id, "software_version": facts.software_version}
    texts |= {f"models[{i}]": f"{m.name} {m.version} {m.role}" for i, m in enumerate(facts.models)}
    for name, text in texts.items():
        if not text.strip() or len(text) > MAX_TEXT or _UNSHOWABLE.search(text):
            raise BadManifestFacts(f"{name} is empty, longer than {MAX_TEXT} characters or unprintable")
    if any(m.identifier and not _IDENTIFIER.fullmatch(m.identifier) for m in facts.models):
        raise BadManifestFacts("models holds an identifier that is none")


def _bindings(facts: ManifestFacts) -> list[SoftBinding]:
    """All marks, ours first."""
    ours = []
    if facts.mark_id is not None:
        ours.append(SoftBinding(VIDEO_MARK_ALG, f"{facts.mark_id:016x}", "picture"))
    if facts.audio_id is not None:
        ours.append(SoftBinding(AUDIO_MARK_ALG, f"{facts.audio_id:08x}", "speech"))
    return [*ours, *facts.bindings]


def _actions(
    facts: ManifestFacts,
    ingredients: Sequence[Ingredient],
    models: Sequence[Ingredient],
    bindings: Sequence[SoftBinding],
) -> list[dict[str, Any]]:
    """Where it came from, what was put in, what was done, how it was marked: in this order."""
    keys = {
        kind: [i.key for i in ingredients if i.relationship == kind] for kind in ("parentOf", "componentOf")
    }
    used_later = {key for operation in facts.operations for key in operation.ingredients}
    steering = tuple(
        i.key for i in (*models, *ingredients) if i.relationship == "inputTo" and i.key not in used_later
    )
    used = "; ".join(f"{model.role}: {model.name} {model.version}" for model in facts.models)
    if keys["parentOf"]:
        begin = Operation("c2pa.opened", "made from the parent file", ingredients=tuple(keys["parentOf"]))
    else:
        begin = Operation("c2pa.created", used, facts.source_type, ingredients=steering)
    steps = [begin]
    steps += [
        Operation("c2pa.placed", "", ingredients=(key,))
        for key in keys["componentOf"]
        if key not in used_later
    ]
    for operation in facts.operations:
        if operation.action in ("c2pa.created", "c2pa.opened"):
            raise BadManifestFacts("operations holds a beginning: that follows from the ingredients")
        steps.append(operation)
    for binding in bindings:
        if binding.written:
            steps.append(_marking(binding))
    agent = {"name": "Byline", "version": facts.software_version}
    try:
        return [step.entry(agent) for step in steps]
    except BadAction as error:
        raise BadManifestFacts(f"operations: {error}") from error


def _marking(binding: SoftBinding) -> Operation:
    info = ALGORITHMS[binding.alg]
    return Operation(
        "c2pa.watermarked.bound",
        f"{binding.where} marked with {binding.alg}: {info.why}",
        parameters={"org.byline.alg": binding.alg, "org.byline.registered": info.registered},
    )


def _model_ingredient(model: ModelFact) -> Ingredient:
    facts = [("org.byline.role", model.role)]
    for name, value in (
        ("identifier", model.identifier),
        ("text-encoder", model.text_encoder),
        ("weights-sha256", model.weights_sha256),
    ):
        if value:
            facts.append((f"org.byline.{name}", value))
    title = f"{model.name} {model.version}"
    licence = model.licence or UNKNOWN_LICENCE
    return Ingredient(title, "inputTo", licence, data_type=_MODEL_TYPE, facts=tuple(facts))


def _disclosure(model: ModelFact, oversight: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "modelType": _MODEL_TYPE,
        "modelName": f"{model.name} {model.version}",
        "contentProfile": {"humanOversightLevel": oversight},
    }
    if model.identifier:
        data["modelIdentifier"] = model.identifier
    return data


def _training(choices: Choices) -> dict[str, dict[str, str]]:
    """CAWG Training and Data Mining 1.1: every entry it defines."""
    entry = {"use": choices.training}
    if choices.training == "constrained":
        entry["constraint_info"] = choices.training_terms
    uses = ("ai_inference", "ai_generative_training", "ai_training", "data_mining")
    return {f"cawg.{use}": dict(entry) for use in uses}


def _created(label: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "data": data, "created": True}
