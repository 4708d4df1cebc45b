"""Marks of other makers through the whole pipeline: generate, sign, read back, publish, recover, hand over.

The networks are tiny ones with the interfaces of VideoSeal, AudioSeal and TrustMark
(neural_marks_kit.py): this shows that the pipeline carries such a mark, not how strong the real ones are.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from byline.generation import store, submit
from byline.provenance import manifest, reading
from byline.provenance.exporting import export
from byline.provenance.marks.algorithms import payload_of
from byline.provenance.records import DatabaseRecords, DirectoryRecords
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Report, Verdict
from byline.provenance.verifier import verify

sys.path.append(str(Path(__file__).parents[1]))
import neural_marks_kit
import pipeline_kit as kit

NEURAL = "byline.provenance.marks.neural."
VIDEOSEAL, AUDIOSEAL = "io.byline.video.videoseal.1", "io.byline.audio.audioseal.1"
TRUSTMARK = "com.adobe.trustmark.P"
SCRIPT = (
    "The red kite returned to the valley this spring after forty years. Six pairs were seen above the old "
    "quarry, and two of them have begun to build."
)


@pytest.fixture(scope="module")
def sealer(django_db_setup: None) -> Iterator[kit.Sealer]:
    with kit.Sealer() as running:
        yield running


@pytest.fixture
def made(settings: Any, transactional_db: None, sealer: kit.Sealer) -> None:
    settings.BYLINE = {**settings.BYLINE, **kit.SETTINGS}
    sealer.keep_alive()


def _stripped(source: Path, target: Path, *, picture: bool = True, sound: bool = True) -> Path:
    """The clip encoded anew, without its manifest and, if asked, without its pictures or its sound."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        kinds = [("video", "libx264")] * picture + [("audio", "aac")] * (sound and bool(old.streams.audio))
        for kind, codec in kinds:
            old.seek(0)
            stream = getattr(old.streams, kind)[0]
            if kind == "video":
                out = new.add_stream(codec, rate=stream.average_rate, options={"crf": "18"})
                out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
            else:
                out = new.add_stream(codec, rate=stream.rate, layout="mono")
            for frame in old.decode(stream):
                frame.pts = None if kind == "video" else frame.pts
                new.mux(out.encode(frame))
            new.mux(out.encode(None))
    return target


def _ask(file: Path, records: Any) -> Report:
    return verify(file, trust=TrustBundle.from_installation(), records=records)


def _findings(report: Report) -> dict[str, Any]:
    return {finding.technique: finding for finding in report.findings}


def test_a_clip_marked_by_two_networks_is_made_published_and_recovered(
    made: None, settings: Any, tmp_path: Path
) -> None:
    marks = {
        "video": {
            "CLASS": NEURAL + "videoseal.VideoSeal",
            "CONFIG": neural_marks_kit.videoseal(tmp_path, 0.15),
        },
        "audio": {"CLASS": NEURAL + "audioseal.AudioSeal", "CONFIG": neural_marks_kit.audioseal(tmp_path)},
    }
    settings.BYLINE = {**settings.BYLINE, "WATERMARKERS": marks}
    row = kit.finish(kit.ask(voice_over=SCRIPT, seconds=12))
    assert row.error == {}
    assert row.state == "ready"
    runs = {run.stage: run for run in row.runs.all()}
    assert runs["watermark"].evidence["marks"] == [VIDEOSEAL, AUDIOSEAL]
    assert runs["read_back"].evidence["picture_mark"]["alg"] == VIDEOSEAL
    assert runs["read_back"].evidence["speech_mark"]["alg"] == AUDIOSEAL

    file = store.read_path(row.file_sha256)
    held = reading.read(file, TrustBundle.from_installation())
    declared = manifest.soft_bindings(held.assertions)
    assert {alg: payload_of(alg, value) for alg, value in declared.items()} == {
        VIDEOSEAL: DatabaseRecords(published_only=False).of_ids([row.result["record"]])[0].mark_id,
        AUDIOSEAL: row.audio_id,
    }
    said = {
        action["parameters"]["org.byline.alg"]: action
        for action in held.assertion("c2pa.actions.v2")["actions"]
        if action["action"] == "c2pa.watermarked.bound"
    }
    for alg in (VIDEOSEAL, AUDIOSEAL):
        assert said[alg]["parameters"]["org.byline.registered"] is False
        assert "another owner's format" in said[alg]["description"]  # why it is not the registered one

    submit.publish(row.pk, "user:2")  # reads the stored file back once more
    records = DatabaseRecords()
    pictures = _ask(_stripped(file, tmp_path / "pictures.mp4", sound=False), records)
    sound = _ask(_stripped(file, tmp_path / "sound.m4a", picture=False), records)
    for report, technique, alg in ((pictures, "picture mark", VIDEOSEAL), (sound, "speech mark", AUDIOSEAL)):
        assert report.verdict is Verdict.RECOVERED, report.lines()
        assert report.record == row.result["record"]
        assert _findings(report)[technique].details["alg"] == alg

    # When the site is gone: keys and pinned weights go with the records, and no setting is asked.
    from byline.platform.status import PublicationStatus

    export(tmp_path / "export", PublicationStatus())
    settings.BYLINE = {**settings.BYLINE, "WATERMARKERS": {}}
    offline = DirectoryRecords(tmp_path / "export")
    assert _ask(tmp_path / "pictures.mp4", offline).record == row.result["record"]
    for weights in (tmp_path / "export" / "weights").iterdir():
        weights.write_bytes(weights.read_bytes() + b"\0")
    from byline.provenance.marks.neural import weights as loaded

    loaded.torchscript.cache_clear()
    replaced = _ask(tmp_path / "pictures.mp4", DirectoryRecords(tmp_path / "export"))
    assert _findings(replaced)["picture mark"].status == "not checked"
    assert VIDEOSEAL in _findings(replaced)["picture mark"].text


def test_a_registered_mark_is_declared_in_its_owners_form_and_leads_to_the_record(
    made: None, settings: Any, tmp_path: Path
) -> None:
    mark = {"CLASS": NEURAL + "trustmark.TrustMark", "CONFIG": neural_marks_kit.trustmark(tmp_path)}
    audio = {"CLASS": "byline.provenance.marks.audio.AudioMark", "CONFIG": {}}
    settings.BYLINE = {**settings.BYLINE, "WATERMARKERS": {"video": mark, "audio": audio}}
    larger = kit.SMALL | {"width": 640, "height": 360}  # the tiny network needs cells that an encoder keeps
    row = kit.finish(kit.ask(seconds=2, options=larger))
    assert row.error == {}
    file = store.read_path(row.file_sha256)
    held = reading.read(file, TrustBundle.from_installation())
    ((alg, value),) = manifest.soft_bindings(held.assertions).items()
    assert alg == TRUSTMARK
    assert value.startswith("2*")
    actions = held.assertion("c2pa.actions.v2")["actions"]
    (bound,) = [action for action in actions if action["action"] == "c2pa.watermarked.bound"]
    assert bound["parameters"]["org.byline.registered"] is True

    submit.publish(row.pk, "user:2")
    report = _ask(_stripped(file, tmp_path / "stripped.mp4"), DatabaseRecords())
    assert report.verdict is Verdict.RECOVERED, report.lines()
    found = _findings(report)["picture mark"]
    assert found.details == {"record": row.result["record"], "alg": TRUSTMARK}
    assert "no bound stated" in found.text
    # A clip of an earlier setting is still published: what its manifest names is read, not the setting.
    other = kit.finish(kit.ask(seed=8, seconds=2, options=larger))
    assert other.error == {}
    ours = {"CLASS": "byline.provenance.marks.video.VideoMark", "CONFIG": {}}
    settings.BYLINE = {
        **settings.BYLINE,
        "WATERMARKERS": {"video": ours, "audio": audio, "retired": {"video": [mark]}},
    }
    assert submit.publish(other.pk, "user:2").state == "published"
