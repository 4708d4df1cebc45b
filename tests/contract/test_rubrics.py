"""The C2PA's own asset rubrics over everything that we sign: conformance 0.2 for spec 2.4, and integrity.

They are the nearest thing to a conformance test that is public. Passing them is not conformance,
which only the C2PA's programme can give.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import provenance_kit as kit
import pytest
import rubrics_kit as rubrics

from byline.provenance import manifest, signing
from byline.provenance.crjson import crjson
from byline.provenance.trust import TrustBundle

pytestmark = pytest.mark.skipif(bool(rubrics.missing()), reason=rubrics.missing() or "-")
CONFORMANCE, INTEGRITY = rubrics.RUBRICS
KINDS = ("mp4", "wav", "m4a", "png", "jpg", "mp3", "rendition", "mp4 with receipt")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return rubrics.signed_files(tmp_path_factory.mktemp("rubrics"))


@pytest.fixture(scope="module")
def ours(files: dict[str, Path]) -> dict[str, Any]:
    return rubrics.evaluate(files, TrustBundle.from_installation())


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_passes_under_the_roots_that_we_hand_out(ours: dict[str, Any], kind: str) -> None:
    results = ours[kind]
    assert {name: len(rules) for name, rules in results.items()} == {CONFORMANCE: 31, INTEGRITY: 6}
    failed = [rule for rules in results.values() for rule in rules if not rule["passed"]]
    assert failed == []


def test_nothing_that_we_sign_is_left_out(ours: dict[str, Any]) -> None:
    assert set(ours) == set(KINDS)
    suffixes = {"video/mp4": "mp4", "audio/mp4": "m4a", "audio/wav": "wav", "audio/mpeg": "mp3"}
    suffixes |= {"image/png": "png", "image/jpeg": "jpg"}
    assert set(suffixes) == signing.SIGNABLE


def test_a_stranger_misses_the_public_root_and_nothing_else(files: dict[str, Path]) -> None:
    for kind, results in rubrics.evaluate(files, TrustBundle.empty()).items():
        failed = {rule["id"] for rules in results.values() for rule in rules if not rule["passed"]}
        assert failed == set(rubrics.NEEDS_PUBLIC_ROOT), kind


def _without_spec_version(made: dict[str, Any]) -> None:
    del made["manifests"][0]["claim.v2"]["claim_generator_info"]["specVersion"]


def _without_source_type(made: dict[str, Any]) -> None:
    del made["manifests"][0]["assertions"]["c2pa.actions.v2"]["actions"][0]["digitalSourceType"]


def _with_broken_hash(made: dict[str, Any]) -> None:
    made["manifests"][0]["validationResults"]["failure"].append({"code": "assertion.bmffHash.mismatch"})


def _with_unknown_assertion(made: dict[str, Any]) -> None:
    made["manifests"][0]["assertions"]["c2pa.invented"] = {}


def _with_old_parameter(made: dict[str, Any]) -> None:
    action = made["manifests"][0]["assertions"]["c2pa.actions.v2"]["actions"][0]
    action.setdefault("parameters", {})["description"] = "in the wrong place"


def _without_results(made: dict[str, Any]) -> None:
    del made["manifests"][0]["validationResults"]


SPOILED = (
    (_without_spec_version, "validation:mandatory_spec_version"),
    (_without_source_type, "validation:mandatory_dst_for_created_action"),
    (_with_broken_hash, "validation:valid_success"),
    (_with_unknown_assertion, "validation:no_unsupported_assertions"),
    (_with_old_parameter, "validation:discouraged_legacy_action_parameters"),
    (_without_results, "validation:well_formed_data_present"),
)


def test_the_rules_can_fail(files: dict[str, Path]) -> None:
    whole, spoiled = crjson(files["mp4"], TrustBundle.from_installation()), {}
    for spoil, rule in SPOILED:
        spoiled[rule] = copy.deepcopy(whole)
        spoil(spoiled[rule])
    for rule, results in rubrics.evaluate_json(spoiled).items():
        assert rule in [result["id"] for result in results[CONFORMANCE] if not result["passed"]]


def test_incomplete_actions_stay_incomplete(tmp_path: Path) -> None:
    """The library fills in what is missing about its own action; what we say of ours it must leave."""
    source, target = kit.write_wav(tmp_path / "a.wav"), tmp_path / "b.wav"
    signing.sign_file(source, target, manifest.build(rubrics.facts(source, complete=False)))
    made = crjson(target, TrustBundle.from_installation())
    assert made["manifests"][0]["assertions"]["c2pa.actions.v2"]["allActionsIncluded"] is False
