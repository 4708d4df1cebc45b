"""Calibration: honest on separable, on random and on foreign data; named sets; no rate without its n."""

import json
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from byline.audit.base.errors import MissingWeights
from byline.platform import cli
from byline.provenance import decode
from byline.provenance.forensics import calibration as calibrating
from byline.provenance.forensics import detector, frequency, regression
from byline.provenance.forensics import settings as forensic_settings
from byline.provenance.forensics.base import sample_of
from byline.provenance.forensics.calibration import BadCalibration, Calibration, NotEnough
from byline.provenance.trust import TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
GROUPS = ("north", "south", "west")


def picture(rng: np.random.Generator, *, fake: bool, side: int = 160) -> Image.Image:
    """Real: fresh noise. Fake: the same at half size, enlarged, so that its spectrum gives it away."""
    size = side // 2 if fake else side
    field = np.clip(rng.normal(128, 18, (size, size, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(field.repeat(2, 0).repeat(2, 1) if fake else field)


def make_set(folder: Path, *, separable: bool = True, each: int = 7, seed: int = 0) -> Path:
    """real/ and fake/ with three sources each, PNG."""
    rng = np.random.default_rng(seed)
    for side in ("real", "fake"):
        for group in GROUPS:
            (folder / side / group).mkdir(parents=True)
            for number in range(each):
                made = picture(rng, fake=side == "fake" and separable)
                made.save(folder / side / group / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("set") / "separable")


@pytest.fixture(scope="module")
def models(labelled: Path) -> list[Any]:
    return calibrating.calibrate(labelled, detector.EXTRACTORS, read=decode.decode)


@pytest.fixture(scope="module")
def random_models(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = make_set(tmp_path_factory.mktemp("set") / "random", separable=False, seed=5)
    return calibrating.calibrate(folder, [frequency.EXTRACTOR], read=decode.decode)


def of(models: list[Any], source: str) -> Any:
    return next(model for model in models if model.source == source)


def test_separable_data_is_separated_with_its_figures(models: list[Any]):
    found = of(models, "frequency")
    assert found.auc > 0.95
    assert found.useful
    assert (found.n_real, found.n_fake, found.groups) == (21, 21, 3)
    rates = found.rates()
    assert rates["calibration_set"].startswith("cal-")
    assert rates["auc_95"][0] <= rates["auc"] <= rates["auc_95"][1]
    assert {"n_real", "n_fake", "real_called_fake", "fake_called_real"} <= set(rates)
    assert {model.kind for model in models} == {"image"}


def test_random_labels_are_no_better_than_chance_and_count_nothing(random_models: list[Any], tmp_path: Path):
    found = of(random_models, "frequency")
    assert found.auc_low < 0.5
    assert not found.useful
    store = Calibration().with_models(random_models)
    seen = look(tmp_path, store, picture(np.random.default_rng(9), fake=True))
    item = next(e for e in seen.evidence if e.source == "frequency")
    assert item.llr == 0
    assert "chance" in item.finding


def look(tmp_path: Path, store: Calibration, image: Image.Image, name: str = "x.png", **save: Any) -> Any:
    image.save(tmp_path / name, **save)
    return detector.detect(tmp_path / name, trust=TrustBundle.empty(), records=None, calibration=store)


def test_calibrated_cues_lean_and_never_more(models: list[Any], tmp_path: Path):
    store = Calibration().with_models(models)
    rng = np.random.default_rng(77)
    fake, real = (
        look(tmp_path, store, picture(rng, fake=True)),
        look(tmp_path, store, picture(rng, fake=False)),
    )
    assert (fake.fused.verdict.label, fake.fused.leaning) == ("inconclusive", "synthetic")
    assert (real.fused.verdict.label, real.fused.leaning) == ("inconclusive", "camera-made")
    body = fake.as_dict()
    assert "leaning synthetic" in body["summary"]
    item = next(e for e in body["evidence"] if e["source"] == "frequency")
    assert item["calibration_set"] in item["finding"]
    assert f"n = {item['n']}" in item["finding"]
    assert abs(item["log_likelihood_ratio"]) <= 1
    assert body["sub_scores"]["frequency"]["state"] == "calibrated"


def test_uncalibrated_says_so_and_weighs_nothing(tmp_path: Path):
    seen = look(tmp_path, Calibration(), picture(np.random.default_rng(1), fake=True))
    body = seen.as_dict()
    assert (body["verdict"], body["leaning"]) == ("inconclusive", "")
    for item in body["evidence"]:
        if item["family"] == "forensic" and item["applicable"]:
            assert "uncalibrated" in item["finding"]
            assert item["log_likelihood_ratio"] is None
            assert item["calibration_set"] is None
    assert "%" not in json.dumps([item["finding"] for item in body["evidence"]])
    assert body["sub_scores"]["frequency"]["version"] == "frequency-1"
    assert len(body["sub_scores"]["frequency"]["features"]) == len(frequency.EXTRACTOR.names)


@pytest.mark.parametrize(("change", "word"), [("codec", "codec"), ("size", "size"), ("content", "features")])
def test_a_sample_outside_the_set_counts_nothing(models: list[Any], tmp_path: Path, change: str, word: str):
    rng = np.random.default_rng(3)
    store = Calibration().with_models(models)
    if change == "codec":
        seen = look(tmp_path, store, picture(rng, fake=True), "x.jpg", quality=90)
    elif change == "size":
        seen = look(tmp_path, store, picture(rng, fake=True, side=400))
    else:
        stripes = np.zeros((160, 160, 3), np.uint8)
        stripes[::2] = 255
        stripes[:, ::7] = 90
        seen = look(tmp_path, store, Image.fromarray(stripes))
    item = next(e for e in seen.evidence if e.source == "frequency")
    assert item.llr == 0
    assert word in item.finding
    assert "counts nothing" in item.finding


def test_a_model_of_another_version_is_not_used(models: list[Any]):
    store = Calibration().with_models(models)
    assert store.model("image", frequency.EXTRACTOR) is not None
    assert store.model("image", replace(frequency.EXTRACTOR, version="frequency-2")) is None
    assert store.model("video", frequency.EXTRACTOR) is None


def test_saved_and_loaded_it_says_the_same(models: list[Any], labelled: Path, tmp_path: Path):
    file = tmp_path / "deep" / "calibration.json"
    Calibration().with_models(models).save(file)
    again = Calibration.load(file)
    path = labelled / "fake" / "north" / "0.png"
    features = frequency.EXTRACTOR.extract(sample_of(path, decode.decode(path)))
    first, second = of(models, "frequency"), again.model("image", frequency.EXTRACTOR)
    assert second is not None
    assert second.ratio(features) == pytest.approx(first.ratio(features))
    assert second == first


def test_the_set_is_named_by_its_files(models: list[Any], labelled: Path, random_models: list[Any]):
    again = calibrating.calibrate(labelled, [frequency.EXTRACTOR], read=decode.decode)
    assert of(again, "frequency").calibration_set == of(models, "frequency").calibration_set
    assert of(random_models, "frequency").calibration_set != of(models, "frequency").calibration_set


def test_new_models_replace_those_of_their_medium_only(models: list[Any]):
    video = replace(of(models, "frequency"), kind="video")
    store = Calibration().with_models([video]).with_models(models)
    assert store.model("video", frequency.EXTRACTOR) == video
    assert store.model("image", frequency.EXTRACTOR) == of(models, "frequency")


@pytest.mark.parametrize("body", ["", "[]", '{"models": {"a": {}}}', "{" * 50_000])
def test_a_damaged_file_is_a_clear_error_and_a_failed_check(tmp_path: Path, settings: Any, body: str):
    settings.BYLINE = {**settings.BYLINE, "HOME": tmp_path}
    file = forensic_settings.calibration_path()
    file.parent.mkdir()
    file.write_text(body)
    with pytest.raises(BadCalibration):
        forensic_settings.calibration()
    (error,) = forensic_settings.check_calibration()
    assert error.id == "byline.E032"


def test_too_little_is_refused_with_what_is_wanted(tmp_path: Path):
    with pytest.raises(NotEnough):
        calibrating.calibrate(tmp_path, detector.EXTRACTORS)
    folder = make_set(tmp_path / "few", each=3)
    with pytest.raises(NotEnough) as caught:
        calibrating.calibrate(folder, [frequency.EXTRACTOR], read=decode.decode)
    assert "real/<source>/" in caught.value.help


def test_unreadable_files_and_links_are_left_out(labelled: Path, tmp_path: Path):
    folder = make_set(tmp_path / "set")
    (folder / "real" / "north" / "note.txt").write_text("not a picture")
    (folder / "fake" / "north" / "link.png").symlink_to(labelled / "fake" / "north" / "0.png")
    found = of(calibrating.calibrate(folder, [frequency.EXTRACTOR], read=decode.decode), "frequency")
    assert (found.n_real, found.n_fake) == (21, 21)


def test_the_command_writes_the_calibration_and_prints_n(
    labelled: Path, tmp_path: Path, settings: Any, monkeypatch: Any, capsys: Any
):
    settings.BYLINE = {**settings.BYLINE, "HOME": tmp_path}
    monkeypatch.setattr(decode, "decode_untrusted", decode.decode)  # a process per file is slow
    assert cli.main(["provenance", "calibrate", str(labelled)]) == 0
    said = capsys.readouterr().out
    assert "n = 21 + 21" in said
    assert "cal-" in said
    assert forensic_settings.calibration().model("image", frequency.EXTRACTOR) is not None
    assert cli.main(["provenance", "calibrate", str(tmp_path / "nowhere")]) == 64


# ---------------------------------------------------------------- the arithmetic


def test_logits_of_unbalanced_classes_stay_balanced():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-1, 1, (400, 1)), rng.normal(1, 1, (40, 1))])
    fake = np.arange(440) >= 400
    model = regression.fit(rows, fake)
    assert abs(model.logits(np.zeros((1, 1)))[0]) < 0.3  # the midpoint, not the majority


def test_auc_and_its_interval():
    scores, fake = np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])
    assert regression.auc(scores, fake) == 1
    assert regression.auc(-scores, fake) == 0
    assert regression.auc(np.zeros(4), fake) == 0.5
    rng = np.random.default_rng(1)
    many = rng.normal(size=200) + np.repeat([0, 1], 100)
    low, high, over = regression.auc_interval(many, np.arange(200) >= 100, np.arange(200) % 10)
    assert low < regression.auc(many, np.arange(200) >= 100) < high
    assert over == "groups"


def test_platt_never_turns_a_model_around():
    logits = np.array([3.0, 2, 1, -1, -2, -3])
    slope, _ = regression.platt(logits, np.array([False, False, False, True, True, True]))
    assert slope == 0


def test_the_gate_measures_distance_in_all_directions():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(300, 5))
    inverse = regression.precision(rows)
    inside = regression.distances(rows, inverse)
    outside = regression.distances(np.full((1, 5), 6.0), inverse)
    assert outside[0] > np.percentile(inside, 99)


def test_a_classifier_that_cannot_run_is_not_checked(tmp_path: Path):
    error = MissingWeights("classifier 'x': weights are not on this machine")
    kit.write_image(tmp_path / "a.png")
    seen = detector.detect(
        tmp_path / "a.png",
        trust=TrustBundle.empty(),
        records=None,
        classifiers=[("classifier:x", error)],
    )
    item = next(e for e in seen.evidence if e.source == "classifier:x")
    assert not item.applicable
    assert item.finding.startswith("not checked")
