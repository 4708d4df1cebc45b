"""Threat: our speech mark in other words, other words under our pictures: a mark proves no content."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest

from byline.audit.base import keyring
from byline.provenance import decode, verifier
from byline.provenance.marks.audio import AudioMark
from byline.provenance.sound_fingerprints import sound_fingerprint
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Report, Verdict

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
pytestmark = pytest.mark.timeout(300)  # marks are looked for in real clips and sounds


@pytest.fixture(scope="module")
def stage(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A finished clip with speech and its sound print on record."""
    directory = tmp_path_factory.mktemp("clips")
    clip = kit.make_clip(directory, 2, serial=6, speech=kit.speech_like())
    media = decode.decode(clip.signed)
    assert media.samples is not None
    stored = dataclasses.replace(clip.stored, sound=sound_fingerprint(media.samples, media.rate))
    clip = dataclasses.replace(clip, stored=stored)
    records = kit.records_of(directory / "records", clip)
    return SimpleNamespace(clip=clip, media=media, records=records, trust=TrustBundle.from_installation())


def _verify(path: Path, stage: SimpleNamespace) -> Report:
    return verifier.verify(path, trust=stage.trust, records=stage.records)


def _status(report: Report, technique: str) -> str:
    return next(finding.status for finding in report.findings if finding.technique == technique)


def _wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def _other_words(seconds: float = 6.0) -> np.ndarray:
    """Another voice that says something else: every syllable has a pitch and a timbre of its own."""
    rng, parts = np.random.default_rng(4), []
    while sum(map(len, parts)) < 48_000 * seconds:
        t = np.arange(int(48_000 * rng.uniform(0.1, 0.35))) / 48_000
        pitch, tilt = rng.uniform(90, 260), rng.uniform(0, 1, 40)
        voice = sum(tilt[k] * np.sin(2 * np.pi * pitch * (k + 1) * t) / (k + 1) ** 0.5 for k in range(40))
        parts.append((voice + 0.3 * rng.normal(size=t.size)) * np.hanning(t.size))
    sound = np.concatenate(parts)[: int(48_000 * seconds)]
    return np.asarray(0.3 * sound / np.abs(sound).max(), np.float32)


def test_the_sound_alone_is_recovered_and_compared(stage: SimpleNamespace, tmp_path: Path) -> None:
    report = _verify(_wav(tmp_path / "voice.wav", stage.media.samples, stage.media.rate), stage)
    assert (report.verdict, _status(report, "sound fingerprint")) == (Verdict.RECOVERED, "passed")


def test_our_speech_mark_in_other_sound_is_transplanted(stage: SimpleNamespace, tmp_path: Path) -> None:
    """The mark is authentic, the words are not."""
    forged = AudioMark([keyring.read("watermark")]).embed(_other_words(), 48_000, stage.clip.audio_id)
    report = _verify(_wav(tmp_path / "forged.wav", forged, 48_000), stage)
    assert _status(report, "speech mark") == "found"
    assert (report.verdict, report.exit_code) == (Verdict.TRANSPLANTED, 10), report.lines()
    assert _status(report, "sound fingerprint") == "failed"


def test_other_words_under_our_pictures_are_named(stage: SimpleNamespace, tmp_path: Path) -> None:
    """A dubbed copy is recovered by its pictures, and the report says that the sound is another."""
    path = kit.write_mp4(tmp_path / "dubbed.mp4", stage.clip.frames, samples=_other_words())
    report = _verify(path, stage)
    assert report.verdict is Verdict.RECOVERED, report.lines()
    assert (_status(report, "fingerprint"), _status(report, "sound fingerprint")) == ("passed", "failed")
    assert "the sound does not" in report.summary
