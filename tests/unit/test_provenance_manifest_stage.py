"""The facts of a job on their way into its manifest: the sign stage alone, on a small encoded file."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from byline.generation.stages.sign import sign
from byline.provenance import aigc, embedding, manifest, metadata, reading
from byline.provenance.digest import content_digest
from byline.provenance.trust import TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))


def _signed(tmp_path: Path, given: str = "a harbour at night", **spoken: str) -> Path:
    encoded = kit.write_mp4(tmp_path / "encoded.mp4", kit.pictures(1, count=4))
    digest = content_digest(encoded)
    produced = {
        "engine": {
            "model": "byline-starter",
            "model_version": "3",
            "revision": "ab12",
            "licence": "Apache-2.0",
            "text_encoder": "umt5-tiny@1",
            "weights_sha256": "",
            "operation": {"name": "text_to_video"},
            "controls": {},
        },
        "inputs": {"used": []},
        "speech": {"voice": "espeak-ng", "voice_version": "1.52", "voice_licence": "GPL-3.0-or-later"},
        "log": {"digest_rule": digest.rule, "digest": digest.hex},
        "normalise": {"title": "High tide", "prompt": "a harbour at night"},
        "debias": {"prompt": given},
        "prove": {"proof": kit.proof_for(encoded)},
        "watermark": {
            "audio_marked": False,
            "models": [],
            "operations": [],
            "bindings": [{"alg": manifest.VIDEO_MARK_ALG, "value": "00000000000000ff", "where": "picture"}],
            "inputs": [
                {"title": "brand kit byline", "licence": "MIT", "role": "colours", "sha256": "ab" * 32}
            ],
        },
    }
    produced["speech"] = spoken or produced["speech"]
    artefact: Any = SimpleNamespace(produced=produced, files={"encoded": encoded}, workdir=tmp_path)
    outcome = sign(SimpleNamespace(brand="byline", serial=5, audio_id=None, master_id=None), artefact)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoded.mp4", "manifest.c2pa", "signed.mp4"]
    return outcome.files["signed"]


def _said(path: Path) -> dict[str, Any]:
    return reading.read(path, TrustBundle.from_installation()).assertion("cawg.metadata")


def test_licences_and_text_encoder_reach_the_ingredients_and_no_prompt_anything(tmp_path: Path) -> None:
    signed = _signed(tmp_path)
    made = reading.crjson(signed, TrustBundle.from_installation())
    assert made is not None
    assertions = made["manifests"][0]["assertions"]
    models = {a["dc:title"]: a["metadata"] for label, a in assertions.items() if "ingredient" in label}
    assert models["byline-starter 3"]["org.byline.licence"] == "Apache-2.0"
    assert models["byline-starter 3"]["org.byline.text-encoder"] == "umt5-tiny@1"
    assert "org.byline.weights-sha256" not in models["byline-starter 3"]
    assert models["espeak-ng 1.52"]["org.byline.licence"] == "GPL-3.0-or-later"
    kit_ = models["brand kit byline"]
    assert (kit_["org.byline.licence"], kit_["org.byline.credentials"]) == ("MIT", "none")
    assert kit_["org.byline.sha256"] == "ab" * 32
    assert b"a harbour at night" not in signed.read_bytes()
    assert metadata.read_xmp(embedding.read(signed).xmp).iptc["AISystemUsed"] == "byline-starter, espeak-ng"
    assert aigc.read(signed) is None


def test_the_choices_of_a_brand_decide(tmp_path: Path, settings: Any) -> None:
    brand = {"PROFILE": "CN", "PRODUCER": "Example News", "PROMPT": True}
    settings.BYLINE = {**settings.BYLINE, "MANIFEST": {"BRANDS": {"byline": brand}}}
    signed = _signed(tmp_path)
    label = aigc.read(signed)
    assert label is not None
    assert (label.label, label.producer) == ("1", "Example News")
    digest = content_digest(signed)
    assert label.reserved1 == f"{digest.rule}:{digest.hex}"
    held = reading.read(signed, TrustBundle.from_installation())
    assert held.assertion(manifest.AUDIT_LABEL)["asset"] == label.produce_id
    assert _said(signed)["Iptc4xmpExt:AIPromptInformation"] == "a harbour at night"


@pytest.mark.parametrize("published", [True, False])
def test_a_rewritten_prompt_stands_beside_the_one_that_was_written_where_prompts_are_published(
    published: bool, tmp_path: Path, settings: Any
) -> None:
    settings.BYLINE = {**settings.BYLINE, "MANIFEST": {"PROMPT": published}}
    signed = _signed(tmp_path, given="a busy harbour at night")
    if published:
        said = _said(signed)["Iptc4xmpExt:AIPromptInformation"]
        assert said == "Written: a harbour at night\nGiven to the model: a busy harbour at night"
    else:
        assert b"harbour at night" not in signed.read_bytes()


def test_a_recorded_narration_is_placed_and_named_without_its_hash(tmp_path: Path) -> None:
    signed = _signed(tmp_path, narration="cd" * 32)
    held = reading.read(signed, TrustBundle.from_installation())
    actions = [action["action"] for action in held.assertion("c2pa.actions.v2")["actions"]]
    assert actions[:2] == ["c2pa.created", "c2pa.placed"]
    (narration,) = (one for one in held.ancestors if one.relationship == "componentOf")
    assert (narration.title, narration.credentials) == ("recorded narration", "none")
    assert b"cd" * 32 not in signed.read_bytes()
