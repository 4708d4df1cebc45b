"""Versions of a finished clip: every one validates, names its parent and carries the mark."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.audit.base import keyring
from byline.provenance import decode, embedding, manifest, metadata, proofs, reading, renditions, transcode
from byline.provenance.digest import Digest, content_digest
from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.video import VideoMark
from byline.provenance.renditions import SHAPES, RenditionRefused, RenditionSpec, make_rendition, plan
from byline.provenance.trust import TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))


@pytest.fixture(scope="module")
def clip(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One marked, logged and signed clip with marked speech for all tests here."""
    return kit.make_clip(tmp_path_factory.mktemp("clip"), seed=2, serial=9, speech=kit.speech_like(6.0))


def _keys() -> list[bytes]:
    return [keyring.read("watermark")]


def _prove(asset_id: str, digest: Digest, parent: str) -> dict[str, Any]:
    return kit.proof_of(digest, kind=renditions.KIND)


SPECS = {
    "half.mp4": RenditionSpec(size=(640, 360)),
    "cut.mp4": RenditionSpec(crop=(64, 36, 1152, 648), crf=23),
    "square.mp4": RenditionSpec(shape="square", bars=True, size=(720, 720)),
    "poster.jpg": RenditionSpec(at=1.0),
    "square.png": RenditionSpec(shape="square"),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_rendition_validates_names_its_parent_and_carries_the_mark(
    clip: Any, tmp_path: Path, name: str
) -> None:
    target, trust = tmp_path / name, TrustBundle.from_installation()
    result = make_rendition(
        clip.signed, SPECS[name], target, mark_keys=_keys(), record=clip.stored, prove=_prove
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    held = reading.read(target, trust)
    assert (held.state, held.signer_known, held.stamped, held.failures) == ("Trusted", True, True, ())
    parent = next(a for a in held.ancestors if a.relationship == "parentOf")
    assert (parent.title, parent.failures) == (reading.read(clip.signed, trust).title, ())
    actions = held.assertion("c2pa.actions.v2")
    assert actions["allActionsIncluded"] is True
    assert actions["actions"][0]["action"] == "c2pa.opened"
    assert tuple(action["action"] for action in actions["actions"]) == result.actions
    written = "c2pa.watermarked.bound" in result.actions
    assert written == (result.mark == "written again")
    assert manifest.soft_bindings(held.assertions)[manifest.VIDEO_MARK_ALG] == f"{clip.mark_id:016x}"
    media = decode.decode(target)
    assert (media.width, media.height) == result.size
    found = VideoMark(_keys()).detect(media.frames, candidates=None if result.blind else [clip.mark_id])
    assert found is not None
    assert found.payload == clip.mark_id
    assert proofs.check_file(held, target, trust).outcome == "held"
    said = metadata.read_xmp(embedding.read(target).xmp).iptc
    assert said["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")


def test_actions_say_what_was_done(clip: Any, tmp_path: Path) -> None:
    spec = RenditionSpec(crop=(0, 0, 1280, 640), size=(640, 640))
    geometry = plan(spec, (1280, 720), even=True)
    done = [o.action for o in renditions._operations(spec, geometry, (1280, 720), ".mp4", drawn=True)]
    assert done == ["c2pa.cropped", "c2pa.resized", "c2pa.addedText", "c2pa.transcoded"]
    plain = plan(RenditionSpec(), (1280, 720), even=True)
    assert [
        o.action for o in renditions._operations(RenditionSpec(), plain, (1280, 720), ".mp4", drawn=False)
    ] == ["c2pa.transcoded"]


def test_sound_is_copied_with_its_mark(clip: Any, tmp_path: Path) -> None:
    target = tmp_path / "small.mp4"
    make_rendition(clip.signed, SPECS["half.mp4"], target, mark_keys=_keys(), record=clip.stored)
    media = decode.decode(target)
    assert media.samples is not None
    found = AudioMark(_keys()).detect(media.samples, media.rate)
    assert found is not None
    assert found.payload == clip.audio_id
    declared = manifest.soft_bindings(reading.read(target, TrustBundle.from_installation()).assertions)
    assert declared[manifest.AUDIO_MARK_ALG] == f"{clip.audio_id:08x}"


def test_a_lost_mark_is_written_again(clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing covers the whole picture, so nothing of the old mark is left to be found.

    That it is not found is taken as known: the full search of an unmarked clip has tests of its own.
    """
    real, asked = renditions._finds, []

    def finds(*args: Any, **named: Any) -> bool:
        asked.append(named)
        return len(asked) > 1 and real(*args, **named)

    monkeypatch.setattr(renditions, "_finds", finds)
    fresh = iter(kit.pictures(7, count=60, size=(640, 360)))
    target = tmp_path / "again.mp4"
    result = make_rendition(
        clip.signed,
        RenditionSpec(size=(640, 360)),
        target,
        mark_keys=_keys(),
        record=clip.stored,
        draw=lambda frame: next(fresh),
    )
    assert (result.mark, result.blind) == ("written again", True)
    assert result.actions[-1] == "c2pa.watermarked.bound"
    found = VideoMark(_keys()).detect(decode.decode(target).frames)
    assert found is not None
    assert found.payload == clip.mark_id


def test_a_crop_warns_about_the_label_and_drawing_it_anew_does_not(clip: Any, tmp_path: Path) -> None:
    def corner(frame: np.ndarray) -> np.ndarray:
        frame[:40, -200:] = 255
        return frame

    spec = RenditionSpec(crop=(0, 0, 1200, 720), at=0.5)
    options = {"mark_keys": _keys(), "record": clip.stored}
    warned = make_rendition(clip.signed, spec, tmp_path / "a.png", **options)
    assert "label" in warned.warnings[0]
    drawn = make_rendition(clip.signed, spec, tmp_path / "b.png", draw=corner, **options)
    assert drawn.warnings == ()
    assert "c2pa.addedText" in drawn.actions


@pytest.mark.parametrize("wrong", ["unsigned", "tampered", "other record", "stranger"])
def test_only_our_own_sound_file_of_this_record_is_used(clip: Any, tmp_path: Path, wrong: str) -> None:
    source, record = tmp_path / "source.mp4", clip.stored
    source.write_bytes((clip.unsigned if wrong == "unsigned" else clip.signed).read_bytes())
    if wrong == "tampered":
        kit.flip(source, kit.boxes(source.read_bytes())["mdat"][0] + 500)
    if wrong == "other record":
        record = dataclasses.replace(record, content_digest="0" * 64)
    target = tmp_path / "out.mp4"
    options: dict[str, Any] = {"mark_keys": _keys(), "record": record}
    if wrong == "stranger":
        with kit.home(tmp_path / "home"), pytest.raises(RenditionRefused):
            make_rendition(source, RenditionSpec(), target, **options)
    else:
        with pytest.raises(RenditionRefused):
            make_rendition(source, RenditionSpec(), target, **options)
    assert not target.exists()


def test_a_mark_that_cannot_be_read_leaves_nothing(
    clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renditions, "_finds", lambda *args, **named: False)
    with pytest.raises(renditions.RenditionFailed):
        make_rendition(
            clip.signed, RenditionSpec(), tmp_path / "out.png", mark_keys=_keys(), record=clip.stored
        )
    assert list(tmp_path.iterdir()) == []


def test_a_moment_after_the_end_is_refused(clip: Any, tmp_path: Path) -> None:
    with pytest.raises(transcode.TranscodeFailed):
        make_rendition(
            clip.signed, RenditionSpec(at=99.0), tmp_path / "o.png", mark_keys=_keys(), record=clip.stored
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spec",
    [
        RenditionSpec(crop=(0, 0, 1300, 720)),
        RenditionSpec(crop=(-2, 0, 100, 100)),
        RenditionSpec(crop=(0, 0, 8, 8)),
        RenditionSpec(shape="round"),
        RenditionSpec(size=(5000, 100)),
        RenditionSpec(size=(0, 0)),
    ],
)
def test_what_does_not_fit_is_refused(spec: RenditionSpec) -> None:
    with pytest.raises(RenditionRefused):
        plan(spec, (1280, 720), even=True)


@given(
    st.sampled_from(sorted(SHAPES)),
    st.booleans(),
    st.tuples(st.integers(96, 2000), st.integers(96, 2000)),
    st.booleans(),
)
def test_shapes_fit_and_keep_their_aspect(
    shape: str, bars: bool, source: tuple[int, int], even: bool
) -> None:
    geometry = plan(RenditionSpec(shape=shape, bars=bars), source, even=even)
    left, top, width, height = geometry.crop
    assert left >= 0
    assert top >= 0
    assert left + width <= source[0]
    assert top + height <= source[1]
    wide, high = SHAPES[shape]
    assert abs(geometry.canvas[0] * high - geometry.canvas[1] * wide) <= 3 * max(wide, high)
    assert all(inner <= outer for inner, outer in zip(geometry.size, geometry.canvas, strict=True))
    if even:
        assert not any(side % 2 for side in (*geometry.size, *geometry.canvas))
    seen = geometry.apply(np.zeros((source[1], source[0], 3), np.uint8))
    assert seen.shape == (geometry.canvas[1], geometry.canvas[0], 3)


def test_digest_of_a_rendition_is_the_logged_one(clip: Any, tmp_path: Path) -> None:
    result = make_rendition(
        clip.signed, RenditionSpec(), tmp_path / "p.jpg", mark_keys=_keys(), record=clip.stored
    )
    assert content_digest(tmp_path / "p.jpg") == result.digest


@pytest.mark.django_db(transaction=True)
def test_a_rendition_has_its_own_entry_in_the_real_log(
    clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from byline.audit import log, seal
    from byline.audit.models import Entry
    from byline.platform.database.roles import acting_as

    wait = log.wait

    def sealed_first(entry: int, timeout_s: float) -> dict[str, Any]:
        with acting_as("sealer"):
            seal.seal_pending()
        return wait(entry, timeout_s)

    monkeypatch.setattr(log, "wait", sealed_first)
    target = tmp_path / "poster.png"
    result = make_rendition(
        clip.signed,
        RenditionSpec(),
        target,
        mark_keys=_keys(),
        record=clip.stored,
        prove=renditions.log_and_prove("system:test", 5.0),
    )
    entry = Entry.objects.get(kind=renditions.KIND)
    assert entry.payload == {
        "digest_rule": "png-idat-sha256",
        "digest": result.digest.hex,
        "parent": clip.stored.id,
    }
    trust = TrustBundle.from_installation()
    assert proofs.check_file(reading.read(target, trust), target, trust).outcome == "held"
