"""Classifiers of people in frames: a tiny real transformer through the production loader, maps, errors."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.starter.attributes import WEIGHTS, PictogramAttributes
from byline.platform.checks import check_fairness
from byline.safety.fairness import classifiers
from byline.safety.fairness.classifiers import ImageClassifier

LABELS = {"f": "woman", "m": "man", "none": ""}
FRAMES = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers, torch = heavy.load("transformers"), heavy.load("torch")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=32, patch_size=8,
        id2label={0: "f", 1: "m", 2: "none"}, label2id={"f": 0, "m": 1, "none": 2},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("vit")
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def sure_of(model: Path, folder: Path, label: int) -> Path:
    """A copy of the model whose bias says one label whatever it sees."""
    transformers, torch = heavy.load("transformers"), heavy.load("torch")
    shutil.copytree(model, folder)
    network = transformers.ViTForImageClassification.from_pretrained(model)
    with torch.no_grad():
        network.classifier.bias[label] = 50.0
    network.save_pretrained(folder)
    return folder


def test_labels_become_our_values_and_nobody_is_nobody(model: Path, tmp_path: Path) -> None:
    for label, expected in ((0, "woman"), (1, "man")):
        made = ImageClassifier(
            model=str(sure_of(model, tmp_path / str(label), label)), attribute="gender", labels=LABELS
        )
        found = made.read(FRAMES)
        assert found is not None
        assert found.values == {"gender": expected}
    nobody = ImageClassifier(model=str(sure_of(model, tmp_path / "2", 2)), attribute="gender", labels=LABELS)
    assert nobody.read(FRAMES) is None


def test_what_does_not_fit_is_said_before_anything_is_loaded(model: Path, tmp_path: Path) -> None:
    for labels in ({"f": "woman", "m": "lady"}, {"f": "woman", "m": ""}, {"f": "woman", "m": "dark-skinned"}):
        with pytest.raises(ConfigurationError):
            ImageClassifier(model=str(model), attribute="gender", labels=labels)
    with pytest.raises(ConfigurationError, match="labels"):
        ImageClassifier(model=str(model), attribute="gender", labels={"f": "woman", "m": "man"}).self_check()
    with pytest.raises(MissingWeights):
        ImageClassifier(model=str(tmp_path), attribute="gender", labels=LABELS).self_check()
    with pytest.raises(ConfigurationError, match="revision"):
        ImageClassifier(model="some/model", attribute="gender", labels=LABELS).self_check()
    with pytest.raises(MissingWeights):
        ImageClassifier(model="some/model", revision="a" * 40, attribute="gender", labels=LABELS).self_check()


def test_the_setting_is_checked_at_start(settings: Any, model: Path) -> None:
    config = {"model": str(model), "attribute": "gender", "labels": LABELS, "engines": ["mine"]}
    entry = {"CLASS": "byline.safety.fairness.classifiers.ImageClassifier", "CONFIG": config}
    settings.BYLINE = {**settings.BYLINE, "FAIRNESS": {"CLASSIFIER": entry}}
    assert list(check_fairness()) == []
    assert classifiers.configured().engines == ("mine",)
    for wrong in (
        {"CLASSIFIER": {"CLASS": "nowhere.At"}},
        {"ATTRIBUTES": ["age"]},
        {"CLASSIFIER": {"CLASS": entry["CLASS"]}},
    ):
        settings.BYLINE = {**settings.BYLINE, "FAIRNESS": wrong}
        assert [found.id for found in check_fairness()] == ["byline.E033"]


def test_a_probe_without_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights):
        PictogramAttributes(weights=str(tmp_path)).self_check()


@pytest.mark.skipif(not (WEIGHTS / "card.json").is_file(), reason="the probe's weights are not here")
def test_the_probe_reads_drawings_about_as_well_as_its_card_says() -> None:
    from byline.generation.starter.train_attributes import draw

    probe = PictogramAttributes()
    card = json.loads((WEIGHTS / "card.json").read_text())
    clips, labels = draw(np.random.default_rng(77), 16)
    read = [probe.read(clip) for clip in clips]
    somebody = [r is not None for r in read]
    assert np.mean(np.array(somebody) == (labels[:, 0] == 1)) > card["accuracy_drawn"]["person"] - 0.2
    assert set(probe.values) == {name for name in ("gender", "skin", "age") if card["accuracy"][name] >= 0.9}
    tones = ("light-skinned", "brown-skinned", "dark-skinned")
    right = [r.values["skin"] == tones[t] for r, t in zip(read, labels[:, 2], strict=True) if r and t >= 0]
    assert np.mean(right) > card["accuracy_drawn"]["skin"] - 0.15
