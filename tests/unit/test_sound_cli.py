"""`byline sound`, and the sound of a finished clip on the editor's page."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.generation.sound import files
from byline.platform import cli


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def test_a_sound_is_spoken_levelled_restored_extended_drawn_and_measured(tmp_path: Path, capsys: Any) -> None:
    spoken = tmp_path / "spoken.wav"
    assert cli.main(["sound", "speak", "The ferry leaves. It comes back.", "--out", str(spoken)]) == 0
    assert capsys.readouterr().out.count(" s  ") == 2
    level, mended, longer = (tmp_path / f"{name}.wav" for name in ("level", "mended", "longer"))
    assert cli.main(["sound", "level", str(spoken), "--lufs", "-23", "--out", str(level)]) == 0
    assert cli.main(["sound", "restore", str(level), "--out", str(mended)]) == 0
    said = capsys.readouterr().out
    assert "switched off" in said
    assert "LUFS" in said
    assert cli.main(["sound", "extend", str(spoken), "--seconds", "9", "--out", str(longer)]) == 0
    assert seconds(longer) == pytest.approx(9, abs=0.01)
    capsys.readouterr()
    assert cli.main(["sound", "measure", str(level)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["integrated_lufs"] == pytest.approx(-23, abs=0.3)
    assert told["true_peak_dbtp"] <= -1
    assert told["voice_drift"].startswith("not measured")
    picture = tmp_path / "sound.png"
    assert cli.main(["sound", "picture", str(spoken), "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_music_and_effects_are_made_and_a_recording_is_kept_and_forgotten(
    tmp_path: Path, capsys: Any
) -> None:
    bed, rain = tmp_path / "bed.wav", tmp_path / "rain.wav"
    assert cli.main(["sound", "music", "calm", "--seconds", "3", "--seed", "5", "--out", str(bed)]) == 0
    assert cli.main(["sound", "effect", "rain", "--seconds", "2", "--out", str(rain)]) == 0
    assert (seconds(bed), seconds(rain)) == (3.0, 2.0)
    capsys.readouterr()
    assert cli.main(["sound", "narration", str(bed)]) == 0
    digest = capsys.readouterr().out.split()[0]
    assert cli.main(["sound", "forget", digest]) == 0
    assert "removed" in capsys.readouterr().out
    assert cli.main(["sound", "forget", digest]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["music", "jolly", "--out", "x.wav"],
        ["effect", "meow", "--out", "x.wav"],
        ["effect", "rain", "--seconds", "0", "--out", "x.wav"],
        ["measure", "/nowhere.wav"],
        ["speak", "...", "--out", "x.wav"],
        ["speak", "hello", "--voice", "nobody", "--out", "x.wav"],
        ["forget", "../etc"],
    ],
)
def test_wrong_input_is_said_in_one_line_with_help(words: list[str], capsys: Any) -> None:
    assert cli.main(["sound", *words]) in (64, 70)
    error = capsys.readouterr().err
    assert "internal error" not in error
    assert len(error.splitlines()) == 2


def test_a_written_file_is_read_back_and_what_is_no_sound_is_said(tmp_path: Path) -> None:
    tone = (0.3 * np.sin(np.arange(8000) / 5)).astype(np.float32)
    files.write_wav(tmp_path / "a.wav", tone, 8000)
    samples, rate = files.read(tmp_path / "a.wav")
    assert rate == 8000
    assert np.allclose(samples, tone, atol=1e-4)
    (tmp_path / "b.wav").write_bytes(b"no sound at all")
    with pytest.raises(files.NoSound):
        files.read(tmp_path / "b.wav")


@pytest.mark.django_db
def test_the_editor_sees_the_sound_of_a_finished_clip(client: Any, tmp_path: Path) -> None:
    from django.contrib.auth.models import User

    from byline.generation import store, submit
    from byline.generation.encode import write_clip
    from byline.generation.models import GenerationRequest, StageRun

    client.force_login(User.objects.create_superuser("admin", password="correct horse battery"))
    row = submit.submit(prompt="a red ball", requester="admin", wake_worker=lambda *_: None)
    address = f"/cms/generate/{row.pk}/sound.png"
    assert client.get(address).status_code == 404
    frames = np.zeros((8, 96, 160, 3), np.uint8)
    tone = (0.3 * np.sin(np.arange(48_000) / 9)).astype(np.float32)
    write_clip(tmp_path / "a.mp4", iter(frames), 8, tone, 48_000)
    sha256 = store.put(tmp_path / "a.mp4")
    GenerationRequest.objects.filter(pk=row.pk).update(
        state="ready", file_sha256=sha256, serial=1, audio_id=1, settled_at=row.created_at
    )
    evidence = {"loudness_lufs": -16.0, "true_peak_dbtp": -2.0}
    StageRun.objects.create(
        request=row, stage="watermark", position=7, verdict="transform", passed=True, attempt=1, digest="",
        seconds=1.0, evidence=evidence,
    )  # fmt: skip
    assert client.get(address).content.startswith(b"\x89PNG")
    page = client.get(f"/cms/generate/{row.pk}/").content.decode()
    assert "-16.0 LUFS" in page
    assert address in page
