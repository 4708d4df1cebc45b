"""Fusion: what decides alone, what is weighed, and the sentences that forensics may never end in."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.provenance.forensics import fusion
from byline.provenance.forensics.base import Evidence
from byline.provenance.forensics.fusion import DetectionVerdict, fuse


def item(source: str, family: str, llr: float | None = None, decides: str = "") -> Evidence:
    return Evidence(source, family, True, "", "", "1", llr=llr, decides=decides)  # type: ignore[arg-type]


def forensic(llr: float | None, source: str = "frequency") -> Evidence:
    return item(source, "forensic", llr)


NO_MANIFEST = item("credential", "credential", 0.0)
DECLARED = item("declaration", "declaration", fusion.DECLARATION_LLR)


def test_the_first_item_that_decides_wins_over_everything_weighed():
    capture = item("credential", "credential", decides="likely_authentic_capture")
    mark = item("picture mark", "mark", decides="generated_here")
    assert fuse([capture, mark, forensic(1.0)]).verdict is DetectionVerdict.LIKELY_CAPTURE
    assert fuse([NO_MANIFEST, mark, forensic(-1.0)]).verdict is DetectionVerdict.GENERATED_HERE
    assert fuse([mark]).log_odds is None


def test_nothing_known_gives_no_number():
    fused = fuse([NO_MANIFEST, forensic(None)])
    assert (fused.verdict, fused.leaning, fused.log_odds) == (DetectionVerdict.INCONCLUSIVE, "", None)
    assert fused.as_dict()["probability_synthetic"] is None


def test_absence_of_a_manifest_weighs_nothing():
    assert fuse([NO_MANIFEST, forensic(0.7)]).log_odds == fuse([forensic(0.7)]).log_odds


def test_a_declaration_and_one_forensic_unit_reach_likely():
    fused = fuse([NO_MANIFEST, DECLARED, forensic(5.0)])
    assert fused.verdict is DetectionVerdict.LIKELY_SYNTHETIC
    assert fused.as_dict()["probability_synthetic"] >= 0.95


def test_a_declaration_alone_or_with_the_metadata_it_stands_in_does_not():
    assert fuse([DECLARED]).leaning == "synthetic"
    assert fuse([DECLARED, forensic(1.0, "metadata")]).verdict is DetectionVerdict.INCONCLUSIVE
    assert fuse([DECLARED, forensic(-0.4)]).verdict is DetectionVerdict.INCONCLUSIVE


def test_leaning_has_two_directions_and_a_dead_zone():
    assert fuse([forensic(0.9)]).leaning == "synthetic"
    assert fuse([forensic(-0.9)]).leaning == "camera-made"
    assert fuse([forensic(0.2)]).leaning == ""
    assert "leaning synthetic" in fuse([forensic(0.9)]).summary


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6), st.sampled_from([1.0, 3.0, 100.0]))
def test_forensics_alone_are_never_more_than_a_leaning(ratios: list[float], clip: float):
    evidence = [NO_MANIFEST, *(forensic(value, f"classifier:{i}") for i, value in enumerate(ratios))]
    clips = {f"classifier:{i}": clip for i in range(len(ratios))}
    fused = fuse(evidence, clips=clips)
    assert fused.verdict is DetectionVerdict.INCONCLUSIVE
    assert fused.log_odds is not None
    assert abs(fused.log_odds) <= clip + 1e-9


@given(st.lists(st.floats(-9, 9), max_size=5))
def test_hand_made_cues_together_count_no_more_than_one(ratios: list[float]):
    fused = fuse([forensic(value, f"cue{i}") for i, value in enumerate(ratios)])
    assert fused.log_odds is None or abs(fused.log_odds) <= 1


def test_no_wording_calls_an_inconclusive_file_real_or_fake():
    text = DetectionVerdict.INCONCLUSIVE.headline + fuse([forensic(-1.0)]).summary
    for word in ("authentic", "genuine", "is real", "deepfake", "certain"):
        assert word not in text


@pytest.mark.parametrize("verdict", list(DetectionVerdict))
def test_every_verdict_has_a_label_and_a_sentence(verdict: DetectionVerdict):
    assert verdict.label.islower()
    assert verdict.headline.endswith(".")


def test_the_constants_are_consistent():
    """One declaration and one unit reach .95, either alone does not."""
    needed = math.log(fusion.LIKELY / (1 - fusion.LIKELY))
    assert fusion.DECLARATION_LLR + 1 >= needed > fusion.DECLARATION_LLR
