"""Curation: cuts and fades are found, clips are the source's packets, nothing undeclared is learned from."""

import hashlib
import io
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from django.utils import timezone

from bench import curation_reel as reels
from byline.audit import log
from byline.audit.base.errors import InvalidInput
from byline.generation.curation import clipping, cuts, dataset, filters, ingest, overlays
from byline.generation.curation.dataset import NO_PEOPLE, DatasetRefused, Declaration, NotDeclared
from byline.platform import cli
from byline.safety import consent

OWN = Declaration("our own camera, 2026", "own work", (NO_PEOPLE,))
JOINS: list[tuple[reels.Kind, float]] = [("cut", 0), ("dissolve", 2.0), ("cut", 0), ("black", 1.0)]


@pytest.fixture(scope="module")
def reel() -> reels.Reel:
    return reels.reel(9, JOINS, seconds=3.0)


@pytest.fixture(scope="module")
def recording(reel: reels.Reel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reels.write(tmp_path_factory.mktemp("reel") / "reel.mp4", reel.frames)


@pytest.fixture(scope="module")
def divided(recording: Path) -> clipping.Divided:
    return clipping.divide(recording, shortest=0.5)


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> tuple[reels.Reel, Path]:
    """Three shots of two seconds, for what is slow per clip."""
    made = reels.reel(13, [("cut", 0), ("cut", 0)], seconds=2.0)
    return made, reels.write(tmp_path_factory.mktemp("brief") / "brief.mp4", made.frames)


@pytest.fixture
def no_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for our own mark, which has tests of its own and takes seconds a clip, finds nothing."""
    monkeypatch.setattr(ingest.markers, "detectors", lambda medium, keys: [])


def small(frames: list[np.ndarray]) -> list[cuts.Small]:
    return [
        np.ascontiguousarray(cv2.resize(f, (128, 72), interpolation=cv2.INTER_AREA)[..., ::-1])
        for f in frames
    ]


def test_the_cascade_finds_the_slow_fade_that_one_threshold_misses(reel: reels.Reel) -> None:
    pictures = small(reel.frames)

    def found(cascade: tuple[cuts.Stage, ...]) -> list[bool]:
        seen = cuts.find(pictures, reels.FPS, cascade)
        return [any(c.start <= t.end and c.end >= t.start for c in seen) for t in reel.transitions]

    assert all(found(cuts.CASCADE))
    alone = found((cuts.Stage("every frame", 0.0, 27.0),))
    fades = [kind == "dissolve" for kind, _ in JOINS]
    assert not any(hit for hit, fade in zip(alone, fades, strict=True) if fade)
    assert all(hit for hit, fade in zip(alone, fades, strict=True) if not fade)


@pytest.mark.parametrize("camera", ["still", "flash"])
def test_a_flash_and_moving_shapes_are_no_cut(camera: str) -> None:
    shot = reels.scene(np.random.default_rng(21), 48, camera)
    assert cuts.find(small(shot), reels.FPS) == ()


def packets(data: bytes | Path) -> list[bytes]:
    source = io.BytesIO(data) if isinstance(data, bytes) else str(data)
    with av.open(source) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size]


def test_clips_are_the_sources_packets_and_decode_whole(recording: Path, divided: clipping.Divided) -> None:
    source = packets(recording)
    assert len(divided.clips) >= 3
    for clip in divided.clips:
        own = packets(clip.data)
        at = source.index(own[0])
        assert source[at : at + len(own)] == own
        assert clipping.packets_sha256(own) == clip.packets_sha256
        with av.open(io.BytesIO(clip.data)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames) == clip.frames == len(own)


def test_no_clip_crosses_a_cut(reel: reels.Reel, divided: clipping.Divided) -> None:
    for clip in divided.clips:
        first, last = round(clip.start * reels.FPS), round(clip.end * reels.FPS)
        for transition in reel.transitions:
            middle = (transition.start + transition.end) / 2
            assert not first < middle < last, (clip.start, clip.end, transition)


def test_a_clip_is_at_most_as_long_as_asked_and_short_ones_are_counted(recording: Path) -> None:
    found = clipping.divide(recording, shortest=1.0, longest=1.5)
    assert found.clips
    assert all(1.0 <= clip.end - clip.start <= 2.1 for clip in found.clips)
    assert found.too_short + found.without_keyframe > 0


@pytest.mark.parametrize(
    "data",
    [b"", b"#EXTM3U\nhttps://example.org/a.ts\n", b"\0\0\0\x18ftypmp42" + b"\0" * 400, b"RIFF....AVI "],
)
def test_a_hostile_file_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(data)
    with pytest.raises(clipping.SourceRefused):
        clipping.divide(file)


def test_a_cut_off_recording_gives_clips_or_one_clear_error(tmp_path: Path, recording: Path) -> None:
    file = tmp_path / "cut.mp4"
    file.write_bytes(recording.read_bytes()[:-20_000])
    with pytest.raises(clipping.SourceRefused):
        clipping.divide(file)


def test_motion_sharpness_and_text_have_floors() -> None:
    limits = filters.Limits()
    still = [reels.scene(np.random.default_rng(3), 1)[0]] * 8
    moving = reels.scene(np.random.default_rng(3), 24, "pan")[::3]
    assert filters.motion(still, 8.0) < limits.motion < filters.motion(moving, 8.0)
    blurred = [cv2.GaussianBlur(frame, (0, 0), 4) for frame in moving]
    assert filters.sharpness(blurred) < limits.sharpness < filters.sharpness(moving)
    assert filters.failed(filters.Measures(0.2, 50.0, 400), limits) == "text"
    assert filters.failed(filters.Measures(0.2, 50.0, None), limits) == ""
    assert filters.names_an_agency(["www.shutterstock.com"])
    assert not filters.names_an_agency(["HARBOUR OPENS"])


def test_a_burned_in_mark_is_found_and_a_clean_recording_is_not_accused(reel: reels.Reel) -> None:
    frames = reel.frames[::10]
    assert overlays.find(frames).result == "none"
    assert overlays.find(list(reels.stamped(frames, np.random.default_rng(5)))).result == "found"
    assert overlays.find([frames[0]] * 8).result == "not checked"  # nothing changes: anything may be a mark
    assert overlays.find(frames[:2]).result == "not checked"


# ---------------------------------------------------------------- into a dataset


@pytest.mark.parametrize(
    "given",
    [
        {"source": " "},
        {"licence": ""},
        {"licence": "CC-BY-NC-4.0"},
        {"licence": "contract"},
        {"consent": ()},
        {"consent": ("",)},
        {"consent": ("everybody agreed",)},
    ],
)
def test_what_is_not_declared_is_not_opened(given: dict[str, Any]) -> None:
    declaration = Declaration(**({"source": "own", "licence": "own work", "consent": (NO_PEOPLE,)} | given))
    with pytest.raises(NotDeclared):
        ingest.ingest(Path("/nowhere.mp4"), "house", declaration, actor="system:test")


def taken(path: Path, name: str = "house", **more: Any) -> ingest.Ingested:
    return ingest.ingest(path, name, OWN, actor="system:test", shortest=0.5, caption="painted blocks", **more)


@pytest.mark.django_db
@pytest.mark.usefixtures("no_marks")
def test_an_ingest_is_whole_counted_and_logged(brief: tuple[reels.Reel, Path], tmp_path: Path) -> None:
    reel, recording = brief
    made = taken(recording, group="paintings")
    assert made.kept
    whole = dataset.verified("house")
    assert whole.sha256 == made.manifest_sha256
    for row in whole.rows:
        assert all(row[name] for name in ("source", "licence", "consent"))
        assert [c["kind"] for c in row["captions"]] == ["operator", "image", "video", "merge"]
        assert [c["state"] for c in row["captions"]] == ["written", *["not available"] * 3]
    entry = log.by_subject("dataset:house").get()
    assert entry.payload["manifest"] == whole.sha256
    assert entry.payload["kept"] == len(made.kept)
    report = dataset.read_report(whole.place)
    assert report["groups"]["paintings"]["kept"] == len(made.kept)
    assert report["groups"]["paintings"]["recordings"] == 1
    assert len(made.kept) + sum(made.left_out.values()) >= made.shots

    # The same pictures in another file are duplicates; the same file is refused, and both are logged.
    again = taken(reels.write(tmp_path / "again.mp4", reel.frames, gop=10))
    assert not again.kept
    assert again.left_out["duplicate"] >= 2
    with pytest.raises(clipping.SourceRefused):
        taken(recording)
    assert [e.kind for e in log.by_subject("dataset:house").order_by("pk")] == [
        "curation.ingested", "curation.ingested", "curation.refused",
    ]  # fmt: skip
    assert dataset.verified("house").sha256 == whole.sha256

    _changed_by_hand_is_refused(whole)


def _changed_by_hand_is_refused(whole: dataset.Dataset) -> None:
    file = whole.place / dataset.MANIFEST
    kept = file.read_text()
    file.write_text(kept.replace("own work", "CC0-1.0"))
    with pytest.raises(DatasetRefused, match="changed by hand"):
        dataset.verified("house")
    file.write_text(kept)
    clip = whole.clip(whole.rows[0])
    clip.write_bytes(clip.read_bytes()[:-1] + b"x")
    with pytest.raises(DatasetRefused, match="gone or was changed"):
        dataset.verified("house")


@pytest.mark.django_db
@pytest.mark.usefixtures("no_marks")
def test_a_marked_recording_is_refused_whole_and_logged(
    brief: tuple[reels.Reel, Path], tmp_path: Path
) -> None:
    stamped = list(reels.stamped(brief[0].frames, np.random.default_rng(5)))
    with pytest.raises(ingest.Watermarked):
        taken(reels.write(tmp_path / "stock.mp4", stamped), "stock")
    entry = log.by_subject("dataset:stock").get()
    assert (entry.kind, entry.payload["code"]) == ("curation.refused", "watermarked")
    with pytest.raises(DatasetRefused):
        dataset.verified("stock")


@pytest.mark.django_db
def test_our_own_clips_are_not_learned_from(
    brief: tuple[reels.Reel, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Found:
        def detect(self, frames: list[np.ndarray], *, fps: float) -> str:
            return "a finding"

    monkeypatch.setattr(ingest.markers, "detectors", lambda medium, keys: [Found()])
    with pytest.raises(ingest.Watermarked, match="made here"):
        taken(brief[1], "ours")


@pytest.mark.django_db
@pytest.mark.usefixtures("no_marks")
def test_people_need_a_consent_for_training_on_this_file(brief: tuple[reels.Reel, Path]) -> None:
    recording = brief[1]
    who = Declaration("interview", "contract", (str(uuid.uuid4()),), "release 12")
    with pytest.raises(ingest.NoConsent):
        ingest.ingest(recording, "people", who, actor="system:test")
    sha256 = hashlib.sha256(recording.read_bytes()).hexdigest()
    given = consent.record(
        subject_kind="person", subject="speaker-7", scopes=["face"], uses=["training"], references=[sha256],
        expires_at=timezone.now() + timedelta(days=1), evidence_sha256="a" * 64, actor="system:test",
    )  # fmt: skip
    named = Declaration("interview", "contract", (str(given.pk),), "release 12")
    ingest.ingest(recording, "people", named, actor="system:test", shortest=0.5)
    assert "speaker-7" not in (dataset.folder("people") / dataset.MANIFEST).read_text()
    dataset.verified("people")
    consent.revoke(given.pk, actor="system:test")
    with pytest.raises(DatasetRefused, match="consent"):
        dataset.verified("people")


def test_a_dataset_cannot_lie_elsewhere() -> None:
    with pytest.raises(InvalidInput):
        dataset.folder("../keys")


def test_the_command_refuses_what_is_not_declared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["curate", "ingest", "house", str(tmp_path / "a.mp4"), "--licence", "CC0-1.0"])
    assert ended.value.code == cli.USAGE
    assert "--source" in capsys.readouterr().err
