"""Uploaded narration: encrypted at rest, decoded in a jail, used only with consent to the very file."""

import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput
from byline.generation.contracts import Artefact
from byline.generation.sound import narration
from byline.generation.sound.narration import NarrationRefused
from byline.generation.stages.speech import ConsentMissing, speech
from byline.generation.voices.espeak import EspeakVoice
from byline.provenance.decode import Unreadable
from byline.safety.screen.speech import screen

LINE = "The harbour opens again on Monday, and the ferry waits."


def write(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    spoken = EspeakVoice().speak(LINE)
    noise = np.random.default_rng(0).normal(0, 0.005, len(spoken.samples))
    return write(tmp_path / "voice.wav", spoken.samples * 0.3 + noise, spoken.rate)


def ask(digest: str, tmp_path: Path, references: Any = None, line: str = LINE, **options: Any) -> Any:
    consent = [{"kind": "voice", "subject": "s", "sha256": digest, "consent": "c"}]
    request = SimpleNamespace(
        options={"narration": digest, **options},
        references=consent if references is None else references,
        seconds=8.0,
        seed=1,
        audio_id=7,
    )
    made = Artefact(tmp_path)
    made.produced["normalise"] = {"voice_over": line}
    return request, made


def test_a_recording_is_kept_encrypted_read_back_and_forgotten(recording: Path) -> None:
    digest, heard = narration.keep(recording)
    again = narration.read(digest)
    assert np.array_equal(heard.samples, again.samples)
    assert again.words == ()
    place = conf.home() / "narrations" / f"{digest}.sealed"
    sealed = place.read_bytes()
    assert place.stat().st_mode & 0o777 == 0o600
    assert b"RIFF" not in sealed
    assert recording.read_bytes()[200:260] not in sealed
    place.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(NarrationRefused, match="changed"):
        narration.read(digest)
    assert narration.forget(digest)
    assert not narration.forget(digest)
    with pytest.raises(NarrationRefused, match="not kept"):
        narration.read(digest)


def test_hostile_recordings_are_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    before = set((conf.home() / "narrations").glob("*"))
    silent = write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    long = write(tmp_path / "long.wav", np.ones(8000 * 95) * 0.1, 8000)
    rubbish = tmp_path / "rubbish.wav"
    rubbish.write_bytes(b"RIFF" + b"x" * 500)
    for path in (silent, long, rubbish):
        with pytest.raises((NarrationRefused, Unreadable)) as refusal:
            narration.keep(path)
        assert refusal.value.status == 422
    for digest in ("../../etc/passwd", "A" * 64, "", "0" * 63):
        with pytest.raises(NarrationRefused):
            narration.read(digest)
    assert set((conf.home() / "narrations").glob("*")) == before


def test_it_is_heard_only_with_a_reference_to_the_very_file_and_its_words(
    recording: Path, tmp_path: Path
) -> None:
    digest, _ = narration.keep(recording)
    other = [{"kind": "voice", "subject": "s", "sha256": "0" * 64, "consent": "c"}]
    face = [{"kind": "face", "subject": "s", "sha256": digest, "consent": "c"}]
    for references in ([], other, face):
        with pytest.raises(ConsentMissing):
            speech(*ask(digest, tmp_path, references))
    with pytest.raises(InvalidInput, match="words"):
        speech(*ask(digest, tmp_path, line=""))
    request, made = ask(digest, tmp_path, restore="denoise,enhance")
    outcome = speech(request, made)
    assert outcome.evidence["recorded"]
    assert outcome.produces["narration"] == digest
    assert [step["name"] for step in outcome.produces["restoration"]] == ["denoise", "enhance"]
    assert "voice" not in outcome.produces
    assert made.memory["speech"].seconds > 2
    with pytest.raises(InvalidInput):
        speech(*ask(digest, tmp_path, restore="polish"))


def test_a_recording_that_says_something_else_is_held(recording: Path, tmp_path: Path) -> None:
    digest, _ = narration.keep(recording)
    request, made = ask(
        digest, tmp_path, line="Vote against the bridge, it will ruin every shop in this old town."
    )
    speech(request, made)
    heard = made.memory["speech"]
    said = made.produced["normalise"]["voice_over"]
    assert screen(heard.samples, heard.rate, said).action == "review"
    assert screen(heard.samples, heard.rate, LINE).action == "allow"
