"""crJSON: the form that other readers and the C2PA's own rubrics expect, read offline under given roots."""

import json
from pathlib import Path
from types import SimpleNamespace

import provenance_kit as kit
import pytest

from byline.provenance import manifest, signing
from byline.provenance.crjson import NoManifest, crjson
from byline.provenance.trust import TrustBundle


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    directory = tmp_path_factory.mktemp("crjson")
    unsigned = kit.write_mp4(directory / "a.mp4", kit.pictures(1))
    facts = manifest.ManifestFacts(
        title="A clip",
        asset_id="a",
        software_version="test",
        proof=kit.proof_for(unsigned),
        models=(manifest.ModelFact("byline-starter", "test", "moving pictures"),),
        mark_id=5,
    )
    store = signing.sign_file(unsigned, directory / "b.mp4", manifest.build(facts))
    trust = TrustBundle.from_installation()
    return SimpleNamespace(unsigned=unsigned, signed=directory / "b.mp4", store=store, trust=trust)


def codes(made: dict, kind: str) -> set[str]:
    return {status["code"] for status in made["manifests"][0]["validationResults"][kind]}


def test_it_has_what_the_rubrics_consume(stage: SimpleNamespace) -> None:
    made = crjson(stage.signed, stage.trust)
    active = made["manifests"][0]
    assert made["@context"]["@vocab"] == "https://c2pa.org/crjson"
    assert active["claim.v2"]["claim_generator_info"]["specVersion"] == "2.4.0"
    assert active["assertions"]["c2pa.actions.v2"]["allActionsIncluded"] is True
    assert codes(made, "failure") == set()
    assert {"signingCredential.trusted", "assertion.bmffHash.match"} <= codes(made, "success")
    json.dumps(made)


def test_trust_comes_from_the_caller(stage: SimpleNamespace) -> None:
    assert "signingCredential.untrusted" in codes(crjson(stage.signed, TrustBundle.empty()), "failure")


def test_a_kept_manifest_is_read_against_the_bytes(stage: SimpleNamespace) -> None:
    made = crjson(stage.unsigned, stage.trust, manifest=stage.store)
    assert made["manifests"][0]["claim.v2"]["dc:title"] == "A clip"
    assert "assertion.bmffHash.mismatch" in codes(made, "failure")


def test_a_file_without_a_manifest_says_so(stage: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(NoManifest, match="no manifest"):
        crjson(stage.unsigned, stage.trust)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(NoManifest):
        crjson(tmp_path / "a.txt", stage.trust)


def test_a_damaged_manifest_is_named_as_damaged(stage: SimpleNamespace, tmp_path: Path) -> None:
    damaged = tmp_path / "b.mp4"
    data = stage.signed.read_bytes()
    at = data.index(b"jumdc2pa")
    damaged.write_bytes(data[: at + 4] + b"xxxx" + data[at + 8 :])
    with pytest.raises(NoManifest, match="cannot be read"):
        crjson(damaged, stage.trust)
