"""Background removal and object lists: the embedded matte, and real tiny models of transformers' classes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import operations_kit as kit
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.operations import Inputs, cutout, make
from byline.generation.operations.cutout.base import CutoutFailed, Matte, ObjectDetector
from byline.generation.operations.cutout.flat import FlatMatte
from byline.generation.operations.cutout.pretrained import SegmentationMatte, TransformersDetector
from byline.safety.guards.weights import directory_digest

LABELS = {0: "background", 1: "person", 2: "dog"}
PICTURE = kit.scene(5, 1, (96, 64))[0]


def run(name: str, inputs: Inputs, **controls: Any) -> Any:
    return make(name, kit.DrawingEngine(), kit.brief(**controls), inputs, lambda f: None, lambda: None)


# ---------------------------------------------------------------- the embedded matte


def test_known_answers_of_the_embedded_matte() -> None:
    matte = FlatMatte()
    assert isinstance(matte, Matte)
    assert not matte.info.trained
    for example in matte.examples():
        assert example.holds(matte.alpha(example.frames, lambda: None)), example.says


def test_a_subject_that_moves_is_cut_out_of_a_background_with_things_in_it() -> None:
    frames, truth = [], []
    for index in range(12):
        frame = np.full((120, 200, 3), (200, 215, 235), np.uint8)
        cv2.rectangle(frame, (150, 20), (185, 110), (60, 90, 60), -1)  # a door, which stays
        inside = np.zeros((120, 200), np.uint8)
        cv2.circle(inside, (20 + 9 * index, 60), 16, 255, -1)
        frame[inside > 0] = (210, 40, 30)
        frames.append(frame)
        truth.append(inside > 0)
    found = FlatMatte().alpha(np.stack(frames), lambda: None) >= 128
    both, either = (found & np.stack(truth)).sum(), (found | np.stack(truth)).sum()
    assert both / either > 0.85


def test_where_nothing_stands_out_it_says_so() -> None:
    with pytest.raises(CutoutFailed):
        FlatMatte().alpha(np.full((2, 64, 96, 3), 128, np.uint8), lambda: None)


@pytest.mark.parametrize("background", ["green", "white", "black", "matte"])
def test_the_background_is_the_one_asked_for(background: str) -> None:
    frame = FlatMatte().examples()[0].frames[0]
    made = run("remove_background", Inputs(first=frame), background=background)
    colours = {"green": (0, 177, 64), "white": (255, 255, 255), "black": (0, 0, 0), "matte": (0, 0, 0)}
    assert tuple(made.shots[0][0, 2, 2]) == colours[background]
    middle = made.shots[0][0, 50, 60]
    assert tuple(middle) == ((255, 255, 255) if background == "matte" else tuple(frame[50, 60]))
    assert made.facts["made_by"]["name"] == "GrabCut for flat art"
    assert made.facts["digital_source_type"] == "algorithmicallyEnhanced"


def test_a_reference_can_be_the_background() -> None:
    frame = FlatMatte().examples()[0].frames[0]
    behind = np.full((50, 50, 3), (1, 2, 3), np.uint8)
    made = run("remove_background", Inputs(first=frame, references=(behind,)))
    assert tuple(made.shots[0][0, 2, 2]) == (1, 2, 3)


def test_what_is_not_configured_is_unavailable(settings: Any) -> None:
    with pytest.raises(cutout.Unavailable):
        run("list_objects", Inputs(first=PICTURE))
    settings.BYLINE = {**settings.BYLINE, "MATTES": {}}
    with pytest.raises(cutout.Unavailable):
        run("remove_background", Inputs(first=PICTURE))


# ---------------------------------------------------------------- real classes, random weights


def save(folder: Path, name: str) -> Path:
    """A tiny model with its image processor, saved as a hub would hold it."""
    torch, transformers = heavy.load("torch"), heavy.load("transformers")
    torch.manual_seed(0)
    named = {"id2label": LABELS, "label2id": {v: k for k, v in LABELS.items()}}
    if name == "maskformer":
        backbone = transformers.SwinConfig(
            image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        )  # fmt: skip
        decoder = transformers.DetrConfig(
            d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=6,
        )  # fmt: skip
        config = transformers.MaskFormerConfig(
            backbone_config=backbone,
            decoder_config=decoder,
            fpn_feature_size=32,
            mask_feature_size=32,
            **named,
        )
        model = transformers.MaskFormerForInstanceSegmentation(config)
        processor = transformers.MaskFormerImageProcessor(size={"height": 64, "width": 64})
    elif name == "segformer":
        config = transformers.SegformerConfig(
            hidden_sizes=[8, 8, 8, 8],
            depths=[1] * 4,
            num_attention_heads=[1] * 4,
            decoder_hidden_size=8,
            **named,
        )
        model = transformers.SegformerForSemanticSegmentation(config)
        processor = transformers.SegformerImageProcessor(size={"height": 64, "width": 64})
    else:
        config = transformers.YolosConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            image_size=[64, 64], patch_size=16, num_detection_tokens=5, **named,
        )  # fmt: skip
        model = transformers.YolosForObjectDetection(config)
        processor = transformers.YolosImageProcessor(size={"height": 64, "width": 64})
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "model_class"),
    [
        ("maskformer", "AutoModelForUniversalSegmentation"),
        ("segformer", "AutoModelForSemanticSegmentation"),
    ],
)
def test_a_segmentation_model_is_a_matte(name: str, model_class: str, tmp_path: Path) -> None:
    folder = save(tmp_path / name, name)
    config = {"path": str(folder), "sha256": directory_digest(str(folder)), "model_class": model_class}
    matte = SegmentationMatte(**config, foreground=["person", "dog"])
    matte.self_check()
    assert isinstance(matte, Matte)
    first = matte.alpha(np.stack([PICTURE, PICTURE]), lambda: None)
    assert first.shape == (2, *PICTURE.shape[:2])
    assert first.dtype == np.uint8
    assert np.array_equal(first[0], first[1])
    everything = SegmentationMatte(**config, foreground=list(LABELS.values()))
    assert everything.alpha(PICTURE[None], lambda: None).min() == 255  # each pixel has one of the classes
    with pytest.raises(ConfigurationError, match="no classes"):
        SegmentationMatte(**config, foreground=["unicorn"]).self_check()


def test_a_detector_lists_what_it_sees(tmp_path: Path, settings: Any) -> None:
    folder = save(tmp_path / "yolos", "yolos")
    config = {"path": str(folder), "sha256": directory_digest(str(folder)), "threshold": 0.01}
    entry = {"CLASS": "byline.generation.operations.cutout.pretrained.TransformersDetector", "CONFIG": config}
    settings.BYLINE = {**settings.BYLINE, "OBJECT_DETECTORS": {"default": entry}}
    assert isinstance(cutout.detector(), ObjectDetector)
    clip = np.stack([PICTURE] * 6)
    made = run("list_objects", Inputs(clip=clip, clip_fps=8))
    assert np.array_equal(made.shots[0], clip)
    assert [seen["seconds"] for seen in made.facts["objects"]] == [0.0, 0.125, 0.25, 0.375, 0.625]
    things = made.facts["objects"][0]["things"]
    assert things
    assert {thing["label"] for thing in things} <= set(LABELS.values())
    assert all(a["score"] >= b["score"] for a, b in itertools.pairwise(things))
    for thing in things:
        left, top, width, height = thing["box"]
        assert 0 <= left <= left + width <= 100.01
        assert 0 <= top <= top + height <= 100.01
    assert made.facts["made_by"]["weights_sha256"] == config["sha256"]


def test_a_changed_file_or_a_missing_model_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "yolos", "yolos")
    pinned = {"path": str(folder), "sha256": directory_digest(str(folder))}
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    with pytest.raises(ConfigurationError, match="not the pinned ones"):
        TransformersDetector(**pinned).things(PICTURE)
    with pytest.raises(MissingWeights):
        TransformersDetector(path=str(tmp_path / "nowhere"), sha256="0" * 64).self_check()
    with pytest.raises(ConfigurationError):
        SegmentationMatte(**pinned, foreground=[])
    with pytest.raises(ConfigurationError):
        SegmentationMatte(**pinned, foreground=["dog"], model_class="AutoModelForCausalLM")
