"""The label of GB 45438 and IPTC fields: written before signing, read from anybody's file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.audit.base.errors import ConfigurationError
from byline.provenance import aigc, embedding, manifest, metadata, profiles, reading, signing
from byline.provenance.aigc import AigcLabel
from byline.provenance.digest import content_digest
from byline.provenance.trust import TrustBundle

HERE = Path(__file__)
kit = SimpleNamespace(**run_path(str(HERE.parents[1] / "provenance_kit.py")))
media = SimpleNamespace(**run_path(str(HERE.with_name("test_provenance_manifest_signing.py"))))

LABEL = AigcLabel("1", "Example News", "urn:uuid:1", reserved1="sha256:ab", propagator="P", propagate_id="2")
SAID = metadata.fields("trainedAlgorithmicMedia", [("byline-starter", "3")])
MAKERS: dict[str, Callable[[Path], Path]] = media.HOLDING


@pytest.mark.parametrize("suffix", MAKERS)
def test_the_label_is_written_read_and_survives_signing(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"in.{suffix}")
    labelled, signed = tmp_path / f"labelled.{suffix}", tmp_path / f"signed.{suffix}"
    assert aigc.read(source) is None
    aigc.write(source, labelled, SAID, LABEL)
    assert aigc.read(labelled) == LABEL
    if suffix != "mp3":  # the log has no digest rule for MP3
        assert content_digest(source) == content_digest(labelled)
    signing.sign_file(labelled, signed, manifest.build(media.FACTS))
    assert aigc.read(signed) == LABEL
    found = metadata.read_xmp(embedding.read(signed).xmp)
    assert found.iptc["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert found.iptc["AISystemUsed"] == "byline-starter"
    assert "AIPromptInformation" not in found.iptc


@pytest.mark.parametrize("suffix", ["mp4", "m4a", "mp3", "wav"])
def test_other_programs_see_the_key(tmp_path: Path, suffix: str) -> None:
    labelled = tmp_path / f"out.{suffix}"
    aigc.write(MAKERS[suffix](tmp_path / f"in.{suffix}"), labelled, SAID, LABEL)
    with av.open(str(labelled)) as container:
        assert json.loads(container.metadata["AIGC"])["ProduceID"] == "urn:uuid:1"
        assert len(list(container.decode(container.streams[0]))) > 0, "the sample tables still point right"


def test_other_programs_see_the_png_text(tmp_path: Path) -> None:
    from PIL import Image

    aigc.write(kit.write_image(tmp_path / "in.png"), tmp_path / "out.png", SAID, LABEL)
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()
        assert json.loads(picture.text["AIGC"])["Label"] == "1"


def test_moving_the_index_moves_every_chunk(tmp_path: Path) -> None:
    """Decoded pictures are equal before and after `moov` grew in front of them."""
    source = kit.write_mp4(tmp_path / "in.mp4", kit.pictures(3, count=6), samples=kit.speech_like(0.5))
    aigc.write(source, tmp_path / "out.mp4", SAID, LABEL)

    def seen(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(frame.planes[0]) for frame in container.decode(video=0, audio=0)]

    assert seen(source) == seen(tmp_path / "out.mp4")


def test_keys_that_are_there_stay(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata["maker"] = "somebody"
        stream = out.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in kit.pictures(1, count=2, size=(64, 48)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    aigc.write(source, tmp_path / "out.mp4", SAID, LABEL)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["maker"] == "somebody"
        assert "AIGC" in container.metadata


@pytest.mark.parametrize("suffix", ["mp4", "png", "jpg", "wav", "mp3"])
def test_a_signed_file_is_never_written_to(tmp_path: Path, suffix: str) -> None:
    signed = tmp_path / f"signed.{suffix}"
    signing.sign_file(MAKERS[suffix](tmp_path / f"in.{suffix}"), signed, manifest.build(media.FACTS))
    before = signed.read_bytes()
    with pytest.raises(embedding.SignedFile):
        aigc.write(signed, tmp_path / "out", SAID, LABEL)
    with pytest.raises(embedding.SignedFile):
        aigc.write(signed, signed, SAID)
    assert signed.read_bytes() == before
    assert not (tmp_path / "out").exists()
    assert reading.read(signed, TrustBundle.from_installation()).state == "Trusted"


def test_formats_without_a_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(embedding.NoMetadata):
        aigc.write(media.BARE["ogg"](tmp_path / "in.ogg"), tmp_path / "out.ogg", SAID, LABEL)
    assert [path.name for path in tmp_path.iterdir()] == ["in.ogg"]


@pytest.mark.parametrize(
    "text",
    [
        '{"AIGC": {"Label": "1", "ContentProducer": "doubao", "ProduceID": "9"}}',
        '{"aigc": "{\\"Label\\":\\"1\\",\\"ContentProducer\\":\\"doubao\\",\\"ProduceID\\":9}"}',
        '"{\\"Label\\":1,\\"ContentProducer\\":\\"doubao\\",\\"ProduceID\\":\\"9\\"}"',
        '{"Label": "1", "ContentProducer": "doubao", "ProduceID": "9", "More": {"x": [1]}}',
    ],
)
def test_labels_of_others_are_read_however_they_wrap_them(text: str) -> None:
    found = aigc.parse(text)
    assert found is not None
    assert (found.label, found.producer, found.produce_id) == ("1", "doubao", "9")


@pytest.mark.parametrize(
    "text", ["", "AI", "[]", "{}", '{"AIGC": 1}', "[" * 50_000, '{"Label": "1"' + " " * 20_000]
)
def test_what_is_no_label_is_none(text: str) -> None:
    assert aigc.parse(text) is None


def test_an_mp3_of_another_maker(tmp_path: Path) -> None:
    """Lower case, UTF-16, ID3v2.3: as speech services write it."""
    text = '{"Label":"1","ContentProducer":"MiniMax","ProduceID":"5"}'
    body = b"\1" + "aigc".encode("utf-16") + b"\0\0" + text.encode("utf-16")
    frame = b"TXXX" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\3\0\0" + size + frame + b"\xff\xfb\x90\0" + bytes(400))
    found = aigc.read(path)
    assert found is not None
    assert found.producer == "MiniMax"


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>',
        b"<a>" * 20_000,
        b"\xff\xfe\0",
        b"<x/>" + b" " * 70_000,
    ],
)
def test_hostile_packets_say_nothing(packet: bytes) -> None:
    assert metadata.read_xmp(packet) == metadata.XmpFacts({})


@given(st.binary(max_size=300), st.sampled_from(["mp4", "png", "jpg", "mp3", "wav"]))
def test_damaged_files_never_raise(tail: bytes, kind: str) -> None:
    heads = {
        "mp4": b"\0\0\0\x10ftypisom\0\0\0\0\0\0\1\0moov",
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\x20iTXt",
        "jpg": b"\xff\xd8\xff\xe1",
        "mp3": b"ID3\4\0\0\0\0\1\0TXXX",
        "wav": b"RIFF\0\0\0\0WAVELIST",
    }
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=f".{kind}") as handle:
        handle.write(heads[kind] + tail)
        handle.flush()
        assert aigc.read(Path(handle.name)) is None


@pytest.mark.parametrize(
    "label",
    [
        AigcLabel("4", "a", "b"),
        AigcLabel("1", "", "b"),
        AigcLabel("1", "a", " "),
        AigcLabel("1", "a\nb", "b"),
        AigcLabel("1", "a", "x" * 1001),
    ],
)
def test_labels_that_may_not_be_written(label: AigcLabel) -> None:
    with pytest.raises(aigc.BadLabel):
        label.as_json()


def test_choices_of_brands() -> None:
    everywhere, brands = profiles.parse(
        {"TRAINING": "allowed", "BRANDS": {"china": {"PROFILE": "CN", "PRODUCER": "Example"}}}
    )
    assert (everywhere.profile, everywhere.training, everywhere.prompt) == ("global", "allowed", False)
    assert (brands["china"].profile, brands["china"].training) == ("CN", "allowed")


@pytest.mark.parametrize(
    "setting",
    [
        [],
        {"PROFILE": "EU"},
        {"PROFILE": "CN"},
        {"TRAINING": "maybe"},
        {"TRAINING": "constrained"},
        {"TRAINING_TERMS": "ask"},
        {"PROMPT": "yes"},
        {"SHOW": 1},
        {"BRANDS": {"a": []}},
        {"BRANDS": []},
    ],
)
def test_wrong_choices_name_themselves(setting: object) -> None:
    with pytest.raises(ConfigurationError, match="MANIFEST"):
        profiles.parse(setting)


def test_wrong_choices_are_found_at_start(settings: object) -> None:
    from byline.platform.checks import check_manifest_choices

    assert list(check_manifest_choices()) == []
    settings.BYLINE = {**settings.BYLINE, "MANIFEST": {"PROFILE": "CN"}}  # type: ignore[attr-defined]
    assert [message.id for message in check_manifest_choices()] == ["byline.E006"]
