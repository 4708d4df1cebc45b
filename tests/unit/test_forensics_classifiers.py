"""Classifier adapters: tiny real transformers through the production loader, label maps, errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.provenance import decode
from byline.provenance.forensics import classifiers
from byline.provenance.forensics import settings as forensic_settings
from byline.provenance.forensics.base import NotApplicable, Sample
from byline.provenance.forensics.classifiers import AudioClassifier, ImageClassifier

MAPS = {"fake": ["artificial"], "real": ["human"]}
CLASS = "byline.provenance.forensics.classifiers."


@pytest.fixture(scope="module")
def picture_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers, torch = heavy.load("transformers"), heavy.load("torch")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=32, patch_size=8, id2label={0: "artificial", 1: "human"},
        label2id={"artificial": 0, "human": 1},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("vit")
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sound_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers, torch = heavy.load("transformers"), heavy.load("torch")
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_kernel=(10, 3), conv_stride=(20, 16), num_feat_extract_layers=2,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, classifier_proj_size=8,
        id2label={0: "human", 1: "artificial"}, label2id={"human": 0, "artificial": 1},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("wav2vec2")
    transformers.Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
    return folder


def picture_sample(count: int = 1) -> Sample:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (48, 64, 3)).astype(np.uint8) for _ in range(count)]
    kind: Any = "image" if count == 1 else "video"
    return Sample(Path("x"), kind, "image/png", decode.DecodedMedia(frames, 8.0, None, 0, 64, 48, 0.0))


def sound_sample(seconds: float = 2.0, rate: int = 48_000) -> Sample:
    samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * rate)).astype(np.float32)
    return Sample(Path("x"), "audio", "audio/wav", decode.DecodedMedia([], 0.0, samples, rate, 0, 0, seconds))


def test_a_picture_classifier_gives_log_odds_of_fake_against_real(picture_model: Path):
    classifier = ImageClassifier(model=str(picture_model), **MAPS)
    classifier.self_check()
    extractor = classifier.extractor("detector")
    (value,) = extractor.extract(picture_sample()).values
    swapped = ImageClassifier(model=str(picture_model), fake=["human"], real=["artificial"]).extractor("d")
    assert value == pytest.approx(-swapped.extract(picture_sample()).values[0], abs=1e-5)
    assert value != 0
    assert extractor.source == "classifier:detector"
    assert str(picture_model) in extractor.version
    assert extractor.extract(picture_sample(12)).values.shape == (1,)
    with pytest.raises(NotApplicable):
        extractor.extract(sound_sample())


def test_a_sound_classifier_reads_the_label_order_from_the_model(sound_model: Path):
    extractor = AudioClassifier(model=str(sound_model), **MAPS).extractor("voice")
    network = heavy.load("transformers").Wav2Vec2ForSequenceClassification.from_pretrained(sound_model).eval()
    given = sound_sample(2.0, 16_000)
    feature = heavy.load("transformers").AutoFeatureExtractor.from_pretrained(sound_model)
    inputs = feature(given.media.samples, sampling_rate=16_000, return_tensors="pt")
    with heavy.load("torch").inference_mode():
        human, artificial = network(**inputs).logits[0].tolist()
    assert extractor.extract(given).values[0] == pytest.approx(artificial - human, abs=1e-4)
    assert np.isfinite(extractor.extract(sound_sample(1.5, 44_100)).values).all()
    with pytest.raises(NotApplicable, match="second"):
        extractor.extract(sound_sample(0.4))


@pytest.mark.parametrize(
    "maps",
    [
        {"fake": ["artificial"], "real": ["person"]},
        {"fake": ["artificial"], "real": ["human", "other"]},
    ],
)
def test_labels_that_are_not_the_models_are_refused(picture_model: Path, maps: dict[str, list[str]]):
    with pytest.raises(ConfigurationError, match="labels"):
        ImageClassifier(model=str(picture_model), **maps).self_check()


@pytest.mark.parametrize("maps", [{"fake": [], "real": ["x"]}, {"fake": ["x"], "real": ["x"]}])
def test_a_label_map_needs_two_different_sides(maps: dict[str, list[str]]):
    with pytest.raises(ConfigurationError, match="sides"):
        ImageClassifier(model="a/b", revision="1", **maps)


def test_missing_weights_are_one_error_at_the_check(picture_model: Path, tmp_path: Path):
    with pytest.raises(MissingWeights, match=r"config\.json"):
        ImageClassifier(model=str(tmp_path), **MAPS).self_check()
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (pickled / name).write_bytes((picture_model / name).read_bytes())
    (pickled / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(MissingWeights, match="safetensors"):
        ImageClassifier(model=str(pickled), **MAPS).self_check()


def test_a_hub_model_needs_its_revision_and_is_never_fetched(monkeypatch: Any):
    with pytest.raises(ConfigurationError, match="revision"):
        ImageClassifier(model="someone/model", **MAPS).self_check()
    monkeypatch.setattr("socket.socket.connect", lambda *a: pytest.fail("it asked the network"))
    with pytest.raises(MissingWeights):
        ImageClassifier(model="someone/model", revision="0" * 40, **MAPS).self_check()


def use(settings: Any, entries: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "FORENSIC_CLASSIFIERS": entries}


def test_the_setting_makes_extractors_and_the_check_is_silent(picture_model: Path, settings: Any):
    config = {"model": str(picture_model), **MAPS}
    use(settings, {"vit": {"CLASS": CLASS + "ImageClassifier", "CONFIG": config}})
    assert list(forensic_settings.check_classifiers()) == []
    (extractor,) = forensic_settings.usable_classifiers()
    assert extractor.source == "classifier:vit"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"CLASS": "byline.nothing.Here"}, "import"),
        ({"CLASS": CLASS + "ImageClassifier", "CONFIG": {"model": "a/b"}}, "CONFIG"),
        ({"CONFIG": {}}, "CLASS"),
        (
            {"CLASS": CLASS + "AudioClassifier", "CONFIG": {"model": "a/b", "revision": "1", **MAPS}},
            "machine",
        ),
    ],
)
def test_a_wrong_entry_is_one_error_at_start(settings: Any, entry: dict[str, Any], word: str):
    use(settings, {"wrong": entry})
    (error,) = forensic_settings.check_classifiers()
    assert error.id == "byline.E031"
    assert word in error.msg
    assert error.hint


def test_at_request_time_missing_weights_are_an_entry_not_an_error(settings: Any):
    config = {"model": "a/b", "revision": "1", **MAPS}
    use(settings, {"absent": {"CLASS": CLASS + "ImageClassifier", "CONFIG": config}})
    ((source, error),) = forensic_settings.usable_classifiers()  # type: ignore[misc]
    assert source == "classifier:absent"
    assert isinstance(error, MissingWeights)


def test_no_classifier_is_configured_by_default():
    assert classifiers.configured() == {}
    assert json.dumps(forensic_settings.usable_classifiers()) == "[]"
