"""Manifests as they stand in signed files: every format, ingredients, side-cars, receipts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from byline.provenance import formats, ingredients, manifest, reading, signing
from byline.provenance.actions import BadAction, Operation, Region, inpainted
from byline.provenance.ingredients import Ingredient
from byline.provenance.manifest import BadManifestFacts, ManifestFacts, ModelFact
from byline.provenance.profiles import Choices
from byline.provenance.trust import TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))

FACTS = ManifestFacts(
    title="High tide tonight",
    asset_id="urn:uuid:5f0c9b1e-0000-4000-8000-000000000000",
    software_version="0.1.0",
    proof={"v": 1},
    models=(
        ModelFact(
            "byline-starter",
            "3",
            "moving pictures",
            "pkg:generic/byline-starter@3",
            licence="Apache-2.0",
            text_encoder="umt5-tiny@1",
            weights_sha256="ab" * 32,
        ),
    ),
    mark_id=7,
)
VERSION = dataclasses.replace(FACTS, models=(), mark_id=None, proof={})


def _sound(path: Path, codec: str, container: str) -> Path:
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000)
        stream.layout = "mono"
        noise = np.random.default_rng(1).normal(0, 3000, (1, 24_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, 0
        resampler = av.AudioResampler(
            format=stream.codec_context.format or "fltp",
            layout="mono",
            rate=48_000,
            frame_size=stream.codec_context.frame_size or 1024,
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def _webm(path: Path) -> Path:
    with av.open(str(path), "w", format="webm") as out:
        stream = out.add_stream("libvpx-vp9", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in kit.pictures(1, count=3, size=(64, 48)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path


HOLDING: dict[str, Callable[[Path], Path]] = {
    "mp4": lambda path: kit.write_mp4(path, kit.pictures(1, count=4)),
    "m4a": lambda path: _sound(path, "aac", "ipod"),
    "mp3": lambda path: _sound(path, "libmp3lame", "mp3"),
    "wav": kit.write_wav,
    "png": kit.write_image,
    "jpg": kit.write_image,
}
BARE: dict[str, Callable[[Path], Path]] = {"webm": _webm, "ogg": lambda path: _sound(path, "libopus", "ogg")}


def _read(path: Path, store: bytes | None = None) -> reading.ManifestReading:
    return reading.read(path, TrustBundle.from_installation(), manifest=store)


def _ingredients(path: Path, store: bytes | None = None) -> dict[str, dict[str, Any]]:
    """crJSON's ingredient assertions of the active manifest by title."""
    made = reading.crjson(path, TrustBundle.from_installation(), store)
    assert made is not None
    found = made["manifests"][0]["assertions"]
    return {data["dc:title"]: data for label, data in found.items() if label.startswith("c2pa.ingredient.v3")}


@pytest.mark.parametrize("suffix", HOLDING)
def test_every_format_that_holds_a_manifest(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out.{suffix}"
    signing.sign_file(HOLDING[suffix](tmp_path / f"in.{suffix}"), target, manifest.build(FACTS))
    held = _read(target)
    assert (held.state, held.signer_known, held.stamped, held.failures) == ("Trusted", True, True, ())
    assert "assertion.bmffHash.additionalExclusionsPresent" not in held.codes["informational"]


@pytest.mark.parametrize("suffix", BARE)
def test_a_side_car_binds_the_file_beside_it(tmp_path: Path, suffix: str) -> None:
    source = BARE[suffix](tmp_path / f"clip.{suffix}")
    before = source.read_bytes()
    place = formats.sidecar_of(source)
    store = signing.sign_sidecar(source, place, manifest.build(FACTS))
    assert place.read_bytes() == store
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, place.name])
    held = _read(source, store)
    assert (held.state, held.failures) == ("Trusted", ())
    assert _read(source).presence == "unsupported"
    kit.flip(source, len(before) // 2)
    assert "assertion.dataHash.mismatch" in _read(source, store).failures


def test_padding_boxes_are_covered_too(tmp_path: Path) -> None:
    source = HOLDING["mp4"](tmp_path / "in.mp4")
    source.write_bytes(source.read_bytes() + b"\0\0\0\x18free" + bytes(16))
    signing.sign_file(source, tmp_path / "out.mp4", manifest.build(FACTS))
    kit.flip(tmp_path / "out.mp4", (tmp_path / "out.mp4").stat().st_size - 3)
    assert "assertion.bmffHash.mismatch" in _read(tmp_path / "out.mp4").failures


def test_models_are_inputs_with_licence_and_weights(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    signing.sign_file(HOLDING["png"](tmp_path / "in.png"), target, manifest.build(FACTS))
    model = _ingredients(target)["byline-starter 3"]
    assert model["relationship"] == "inputTo"
    assert model["metadata"] == {
        "org.byline.licence": "Apache-2.0",
        "org.byline.role": "moving pictures",
        "org.byline.identifier": "pkg:generic/byline-starter@3",
        "org.byline.text-encoder": "umt5-tiny@1",
        "org.byline.weights-sha256": "ab" * 32,
        "org.byline.credentials": "none",
    }
    created = _read(target).assertion("c2pa.actions.v2")["actions"][0]
    assert created["action"] == "c2pa.created"
    assert len(created["parameters"]["ingredients"]) == 1


def _with_parent(tmp_path: Path, content: Path, name: str = "out.png", **more: Any) -> Path:
    parent = Ingredient("the original", "parentOf", "CC-BY-4.0", content, **more)
    cropped = Operation("c2pa.cropped", "the middle of it")
    built = manifest.build(dataclasses.replace(VERSION, operations=(cropped,)), ingredients=[parent])
    target = tmp_path / name
    signing.sign_file(HOLDING["png"](tmp_path / "version.png"), target, built, [parent])
    return target


def test_a_parent_with_sound_credentials_comes_along(tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    signing.sign_file(HOLDING["png"](tmp_path / "in.png"), first, manifest.build(FACTS))
    target = _with_parent(tmp_path, first)
    held = _read(target)
    assert held.state == "Trusted"
    assert [a.failures for a in held.ancestors if a.title == "the original"] == [()]
    said = _ingredients(target)["the original"]
    assert said["metadata"]["org.byline.credentials"] == "trusted"
    assert said["metadata"]["org.byline.licence"] == "CC-BY-4.0"
    assert "activeManifest" in said
    opened, cropped = held.assertion("c2pa.actions.v2")["actions"]
    assert opened["action"] == "c2pa.opened"
    assert "digitalSourceType" not in opened
    assert len(opened["parameters"]["ingredients"]) == 1
    assert cropped["digitalSourceType"].endswith("/algorithmicallyEnhanced")


def test_a_parent_with_broken_credentials_is_recorded_and_shown(tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    signing.sign_file(HOLDING["png"](tmp_path / "in.png"), first, manifest.build(FACTS))
    data = first.read_bytes()
    kit.flip(first, data.index(b"IDAT") + 40)
    target = _with_parent(tmp_path, first)
    held = _read(target)
    assert held.state == "Trusted", "the library's word for the outer file alone"
    assert (
        "assertion.dataHash.mismatch" in next(a for a in held.ancestors if a.title == "the original").failures
    )
    said = _ingredients(target)["the original"]["metadata"]
    assert said["org.byline.credentials"] == "broken"
    assert "assertion.dataHash.mismatch" in said["org.byline.failures"]


def test_a_parent_whose_manifest_cannot_be_read_is_not_called_bare(tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    signing.sign_file(HOLDING["png"](tmp_path / "in.png"), first, manifest.build(FACTS))
    data = first.read_bytes()
    first.write_bytes(data.replace(b"caBX", b"caBY"))
    said = _ingredients(_with_parent(tmp_path, first))["the original"]
    assert said["metadata"]["org.byline.credentials"] == "broken"
    assert "activeManifest" not in said


def test_an_input_without_credentials_is_named_by_its_digest(tmp_path: Path) -> None:
    photo = kit.write_image(tmp_path / "photo.jpg", seed=5)
    target = _with_parent(tmp_path, photo, source_type="digitalCapture")
    said = _ingredients(target)["the original"]
    assert said["metadata"]["org.byline.credentials"] == "none"
    assert len(said["metadata"]["org.byline.sha256"]) == 64
    assert said["digitalSourceType"].endswith("/digitalCapture")


def test_a_part_is_placed_and_bytes_do_as_well(tmp_path: Path) -> None:
    logo = Ingredient(
        "logo", "componentOf", "all rights reserved", kit.write_image(tmp_path / "l.png").read_bytes()
    )
    built = manifest.build(FACTS, ingredients=[logo])
    target = tmp_path / "out.png"
    signing.sign_file(HOLDING["png"](tmp_path / "in.png"), target, built, [logo])
    actions = [a["action"] for a in _read(target).assertion("c2pa.actions.v2")["actions"]]
    assert actions == ["c2pa.created", "c2pa.placed", "c2pa.watermarked.bound"]
    assert _ingredients(target)["logo"]["relationship"] == "componentOf"


def test_forgetting_an_ingredient_when_signing_fails(tmp_path: Path) -> None:
    logo = Ingredient("logo", "componentOf", "MIT", b"x" * 40)
    with pytest.raises(signing.SigningFailed):
        signing.sign_file(
            HOLDING["png"](tmp_path / "in.png"), tmp_path / "o.png", manifest.build(FACTS, ingredients=[logo])
        )
    assert not (tmp_path / "o.png").exists()


def test_a_receipt_is_an_update_that_keeps_the_first_manifest(tmp_path: Path) -> None:
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    signing.sign_file(HOLDING["mp4"](tmp_path / "in.mp4"), first, manifest.build(FACTS))
    label = _read(first).label
    signing.add_receipt(first, second, {"repository": "https://example.org", "manifest": label})
    held = _read(second)
    assert (held.state, held.failures) == ("Trusted", ())
    assert held.assertion(manifest.RECEIPT_LABEL)["manifest"] == label
    assert held.assertion(manifest.AUDIT_LABEL) == _read(first).assertion(manifest.AUDIT_LABEL)
    assert manifest.soft_bindings(held.assertions) == {manifest.VIDEO_MARK_ALG: f"{7:016x}"}
    made = reading.crjson(second, TrustBundle.from_installation())
    assert made is not None
    assert made["manifests"][0]["isUpdateManifest"] is True
    assert "c2pa.hash.bmff.v3" not in made["manifests"][0]["assertions"]
    data = second.read_bytes()
    kit.flip(second, data.index(b"mdat") + 100)
    broken = _read(second)
    assert broken.state == "Invalid" or any(a.failures for a in broken.ancestors)


def test_a_receipt_needs_a_file_that_we_signed(tmp_path: Path) -> None:
    with pytest.raises(signing.SigningFailed):
        signing.add_receipt(HOLDING["mp4"](tmp_path / "in.mp4"), tmp_path / "out.mp4", {"a": 1})
    first = tmp_path / "first.mp4"
    signing.sign_file(tmp_path / "in.mp4", first, manifest.build(FACTS))
    data = first.read_bytes()
    kit.flip(first, data.index(b"mdat") + 100)
    with pytest.raises(signing.SigningFailed):
        signing.add_receipt(first, tmp_path / "out.mp4", {"a": 1})
    assert not (tmp_path / "out.mp4").exists()


def test_regions_say_where_and_when(tmp_path: Path) -> None:
    where = Region("sky", "clouds were invented", box=(0, 0, 100, 40), seconds=(0, 2.5))
    facts = dataclasses.replace(FACTS, operations=(inpainted("sky filled in", [where]),))
    target = tmp_path / "out.png"
    signing.sign_file(HOLDING["png"](tmp_path / "in.png"), target, manifest.build(facts))
    edited = _read(target).assertion("c2pa.actions.v2")["actions"][1]
    assert edited["action"] == "c2pa.edited"
    assert edited["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    spatial, temporal = edited["changes"][0]["region"]
    assert (spatial["shape"]["height"], temporal["time"]["end"]) == (40.0, "2.5")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Operation("c2pa.inpainted", "x", "trainedAlgorithmicMedia"),  # no such name in 2.4
        lambda: Operation("c2pa.watermarked", "x"),  # deprecated
        lambda: Operation("colourised", "x", "humanEdits"),  # neither theirs nor reverse DNS
        lambda: Operation("c2pa.edited", "x"),  # visible, by what?
        lambda: Operation("c2pa.edited", "x", "aiMagic"),
        lambda: Operation("c2pa.opened", "x", "digitalCapture", ingredients=("a",)),
        lambda: Operation("c2pa.opened", "x", ingredients=("a", "b")),
        lambda: Operation("c2pa.removed", "x", "humanEdits"),  # what was removed?
        lambda: Operation("c2pa.cropped", "x", parameters={"by": 1}),
        lambda: Operation("c2pa.cropped", "x", regions=(Region("r", box=(90, 0, 20, 10)),)),
        lambda: Operation("c2pa.cropped", "x", regions=(Region("r", seconds=(2, 1)),)),
        lambda: Operation("c2pa.cropped", "x", regions=(Region("r"),)),
        lambda: Operation("c2pa.cropped", "x", regions=(Region("r", box=(float("nan"), 0, 1, 1)),)),
    ],
)
def test_actions_that_may_not_be_claimed(make: Callable[[], Operation]) -> None:
    with pytest.raises(BadAction):
        make().entry({"name": "Byline"})


def test_two_parents_or_none_are_refused() -> None:
    parents = [Ingredient(str(number), "parentOf", "MIT", b"x") for number in range(2)]
    with pytest.raises(BadManifestFacts):
        manifest.build(VERSION, ingredients=parents)
    with pytest.raises(BadManifestFacts):
        manifest.build(VERSION)


def test_bad_ingredients_are_refused() -> None:
    for change in (
        {"title": ""},
        {"licence": " "},
        {"relationship": "cousinOf"},
        {"source_type": "photo"},
        {"facts": (("licence", "x"),)},
    ):
        wrong = dataclasses.replace(Ingredient("a", "inputTo", "MIT"), **change)
        with pytest.raises(ingredients.BadIngredient):
            ingredients.examine(wrong, TrustBundle.empty())


def test_training_is_refused_unless_a_brand_says_otherwise() -> None:
    def uses(**choices: Any) -> dict[str, Any]:
        built = manifest.build(FACTS, choices=Choices(**choices))
        return next(a for a in built["assertions"] if a["label"] == "cawg.training-mining")["data"]["entries"]

    assert all(entry == {"use": "notAllowed"} for entry in uses().values())
    assert all(entry == {"use": "allowed"} for entry in uses(training="allowed").values())
    terms = uses(training="constrained", training_terms="ask us")["cawg.data_mining"]
    assert terms == {"use": "constrained", "constraint_info": "ask us"}


def test_a_prompt_stays_out_unless_it_is_chosen() -> None:
    from byline.provenance.metadata import PromptDisclosure

    said = PromptDisclosure("a ship in a storm", "A. Editor")

    def shown(choices: Choices | None) -> dict[str, str]:
        built = manifest.build(FACTS, choices=choices, prompt=said)
        return next(a for a in built["assertions"] if a["label"] == "cawg.metadata")["data"]

    assert "Iptc4xmpExt:AIPromptInformation" not in shown(None)
    assert "Iptc4xmpExt:AIPromptInformation" not in shown(Choices())
    published = shown(Choices(prompt=True))
    assert published["Iptc4xmpExt:AIPromptInformation"] == "a ship in a storm"
    assert published["Iptc4xmpExt:AIPromptWriterName"] == "A. Editor"
    assert published["Iptc4xmpExt:AISystemUsed"] == "byline-starter"


def test_created_and_gathered_are_chosen(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    signing.sign_file(HOLDING["png"](tmp_path / "in.png"), target, manifest.build(FACTS))
    made = reading.crjson(target, TrustBundle.from_installation())
    assert made is not None
    claim = made["manifests"][0]["claim.v2"]

    def labels(kind: str) -> set[str]:
        return {item["url"].rpartition("/")[2] for item in claim[kind]}

    assert labels("created_assertions") == {
        "c2pa.actions.v2",
        "c2pa.soft-binding",
        "c2pa.ai-disclosure",
        "org.byline.audit",
        "c2pa.hash.data",
    }
    assert labels("gathered_assertions") == {"c2pa.ingredient.v3", "cawg.training-mining", "cawg.metadata"}
