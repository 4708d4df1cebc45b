"""`byline provenance rendition`: its kinds of form, from a published clip to what a stranger reads."""

import json
from pathlib import Path
from typing import Any

import av
import pytest

from byline.audit.models import Entry
from byline.generation import store
from byline.platform import cli
from byline.provenance import reading
from byline.provenance.records import DatabaseRecords
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Verdict
from byline.provenance.verifier import verify

pytestmark = pytest.mark.django_db(transaction=True)

# name of the result: further words, size of the result, actions beside opened and watermarked.bound
FORMS: dict[str, tuple[str, tuple[int, int], set[str]]] = {
    "half.mp4": ("--size 640x360", (640, 360), {"c2pa.resized.proportional", "c2pa.transcoded"}),
    "crop.mp4": (
        "--crop 160,90,960,540 --label",
        (960, 540),
        {"c2pa.cropped", "c2pa.transcoded", "c2pa.addedText"},
    ),
    "vertical.mp4": (
        "--shape vertical --bars --size 720x1280",
        (720, 1280),
        {"c2pa.edited", "c2pa.resized.proportional", "c2pa.transcoded"},
    ),
    "poster.jpg": ("--poster 1.5", (1280, 720), {"c2pa.converted"}),
    "poster.png": ("--poster 1 --size 960x540", (960, 540), {"c2pa.converted", "c2pa.resized.proportional"}),
}


def test_forms_are_made_logged_and_verifies(make_clip: Any, tmp_path: Path, capsys: Any) -> None:
    options = {"width": 1280, "height": 720, "fps": 12, "shots": 1}
    clip = make_clip(seconds=3, options=options, title="High tide")
    source = store.read_path(clip.file_sha256)
    for name, (words, size, actions) in FORMS.items():
        out = tmp_path / name
        code = cli.main(["provenance", "rendition", str(source), "--out", str(out), *words.split()])
        said = capsys.readouterr()
        assert code == 0, (name, said.err)
        assert f"{size[0]}x{size[1]}" in said.out
        with av.open(str(out)) as container:
            frame = next(container.decode(video=0))
            assert (frame.width, frame.height) == size
        held = reading.read(out, TrustBundle.from_installation())
        assert (held.state, held.failures) == ("Trusted", ()), name
        done = {action["action"] for action in held.assertion("c2pa.actions.v2")["actions"]}
        assert done - {"c2pa.opened", "c2pa.watermarked.bound"} == actions, name
        (parent,) = (one for one in held.ancestors if one.relationship == "parentOf")
        assert parent.failures == ()
        report = verify(
            out, trust=TrustBundle.from_installation(), records=DatabaseRecords(published_only=False)
        )
        assert report.verdict is Verdict.INTACT, (name, report.lines())
    assert Entry.objects.filter(kind="provenance.rendition").count() == len(FORMS)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--crop 1000,0,640,360", "outside"),
        ("--size 8x8", "between 16"),
        ("--poster 99", "ends before"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_reason(
    make_clip: Any, tmp_path: Path, capsys: Any, words: str, reason: str
) -> None:
    source = store.read_path(make_clip().file_sha256)
    out = tmp_path / "out.png"
    assert cli.main(["provenance", "rendition", str(source), "--out", str(out), *words.split()]) != 0
    assert reason in capsys.readouterr().err
    assert not out.exists()


def test_a_published_clip_takes_the_logs_answer_and_stays_intact(
    make_clip: Any, tmp_path: Path, capsys: Any
) -> None:
    from byline.generation import submit

    clip = make_clip()
    source, out = store.read_path(clip.file_sha256), tmp_path / "receipt.mp4"
    words = ["provenance", "receipt", str(source), "--out", str(out)]
    assert cli.main(words) != 0
    assert "published" in capsys.readouterr().err
    submit.publish(clip.pk, "user:2")
    assert cli.main(words) == 0
    held = reading.read(out, TrustBundle.from_installation())
    answer = held.assertion("c2pa.repository-receipt")
    assert answer["record"] == clip.result["record"]
    assert answer["proof"]["entry"]["kind"] == "generation.published"
    report = verify(out, trust=TrustBundle.from_installation(), records=None)
    assert report.verdict is Verdict.INTACT, report.lines()


def test_a_file_of_somebody_else_is_kept_as_it_is_and_described(
    make_clip: Any, tmp_path: Path, capsys: Any
) -> None:
    source = store.read_path(make_clip().file_sha256)
    broken = tmp_path / "theirs.mp4"
    data = bytearray(source.read_bytes())
    data[data.index(b"mdat") + 100] ^= 1
    broken.write_bytes(data)
    for file, status in ((source, "trusted"), (broken, "broken")):
        assert cli.main(["provenance", "ingest", str(file)]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["credentials"] == status
        assert said["says_ai"]
        assert bool(said["warnings"]) == (status == "broken")
        assert Path(said["kept"]).read_bytes() == file.read_bytes()
    text = tmp_path / "a.txt"
    text.write_text("hello")
    assert cli.main(["provenance", "ingest", str(text)]) != 0
