"""What a manifest says, field by field, and what may not get into one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from byline.provenance import manifest, reading, signing
from byline.provenance.manifest import BadManifestFacts, ManifestFacts, ModelFact, Operation
from byline.provenance.trust import TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))

FACTS = ManifestFacts(
    title="High tide tonight",
    asset_id="5f0c9b1e-0000-4000-8000-000000000000",
    software_version="0.1.0",
    proof={"v": 1, "path": ["aa"], "entry": {"payload": {"x": None, "n": 2**53 - 1}}},
    models=(
        ModelFact("byline-starter", "3", "moving pictures", "pkg:generic/byline-starter@3"),
        ModelFact("espeak-ng", "1.52", "speech"),
    ),
    mark_id=0xFEDC_BA98_7654_3210,
    audio_id=0x0A0B_0C0D,
    operations=(Operation("c2pa.addedText", "title, captions and label"),),
)


def test_actions_declare_creation_marks_and_completeness() -> None:
    built = manifest.build(FACTS)
    assert built["claim_generator_info"][0]["specVersion"] == "2.4.0"
    first = built["assertions"][0]
    assert (first["label"], first["created"]) == ("c2pa.actions.v2", True)
    assert first["data"]["allActionsIncluded"] is True
    actions = first["data"]["actions"]
    assert [a["action"] for a in actions] == [
        "c2pa.created",
        "c2pa.addedText",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.bound",
    ]
    assert all("digitalSourceType" in a and a["softwareAgent"]["name"] == "Byline" for a in actions)
    assert all("description" not in a.get("parameters", {}) for a in actions), "version 2 has it at the top"
    marked = actions[2]
    assert "not on the C2PA list" in marked["description"]
    assert marked["parameters"] == {"org.byline.alg": manifest.VIDEO_MARK_ALG, "org.byline.registered": False}


def test_what_is_signed_reads_back_value_by_value(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    signing.sign_file(kit.write_mp4(tmp_path / "in.mp4", kit.pictures(2)), target, manifest.build(FACTS))
    result = reading.read(target, TrustBundle.from_installation())
    assert result.failures == ()
    assert manifest.soft_bindings(result.assertions) == {
        manifest.VIDEO_MARK_ALG: "fedcba9876543210",
        manifest.AUDIO_MARK_ALG: "0a0b0c0d",
    }
    assert result.assertion(manifest.AUDIT_LABEL) == {"asset": FACTS.asset_id, "proof": FACTS.proof}
    disclosed = [a["data"]["modelName"] for a in result.assertions if a["label"] == "c2pa.ai-disclosure"]
    assert disclosed == ["byline-starter 3", "espeak-ng 1.52"]
    refusals = result.assertion("cawg.training-mining")["entries"]
    assert set(refusals) == {
        "cawg.ai_inference",
        "cawg.ai_generative_training",
        "cawg.ai_training",
        "cawg.data_mining",
    }
    assert all(entry == {"use": "notAllowed"} for entry in refusals.values())
    created = {a["label"] for a in result.assertions if a.get("created")}
    assert {"c2pa.actions.v2", "c2pa.soft-binding", "c2pa.ai-disclosure", manifest.AUDIT_LABEL} <= created


def test_facts_have_no_place_for_a_prompt() -> None:
    names = {field.name for field in dataclasses.fields(ManifestFacts)}
    assert not names & {"prompt", "negative_prompt", "voice_over", "script", "requester", "seed"}


@pytest.mark.parametrize(
    "title", ["Été à\u00a0Nîmes", "家族 \U0001f468\u200d\U0001f469\u200d\U0001f467", "x" * 300]
)
def test_titles_of_all_scripts_are_fine(title: str) -> None:
    assert manifest.build(dataclasses.replace(FACTS, title=title))["title"] == title


def test_a_clip_without_speech_declares_no_audio_mark() -> None:
    text = json.dumps(manifest.build(dataclasses.replace(FACTS, audio_id=None)))
    assert manifest.AUDIO_MARK_ALG not in text
    assert manifest.VIDEO_MARK_ALG in text


@pytest.mark.parametrize(
    "change",
    [
        {"source_type": "digitalCapture"},
        {"models": ()},
        {"proof": {}},
        {"mark_id": 2**64},
        {"audio_id": -1},
        {"title": " "},
        {"title": "a\nb"},
        {"title": "a\u202eb"},
        {"title": "x" * 301},
        {"operations": (Operation("c2pa.opened", ""),)},
        {"human_oversight": "reviewed"},
        {"models": (ModelFact("a", "1", "pictures", "not an identifier"),)},
    ],
)
def test_facts_that_do_not_fit_are_refused_without_quoting_them(change: dict) -> None:
    with pytest.raises(BadManifestFacts) as caught:
        manifest.build(dataclasses.replace(FACTS, **change))
    assert next(iter(change)) in str(caught.value)
    assert "x" * 301 not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"alg": manifest.VIDEO_MARK_ALG, "blocks": []},
        {"alg": manifest.VIDEO_MARK_ALG, "blocks": [{"value": "zz"}]},
        {"alg": manifest.AUDIO_MARK_ALG, "blocks": [{"value": "0" * 16}]},
    ],
)
def test_malformed_soft_bindings_are_ignored(data: object) -> None:
    assert manifest.soft_bindings(({"label": "c2pa.soft-binding", "data": data},)) == {}
