"""Audio description: what is seen is said in the pauses, after the notice, in a second track of the file."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from byline.generation import encode, presentation
from byline.generation.contracts import Artefact
from byline.generation.sound import announcing, description, loudness
from byline.generation.sound.description import Line
from byline.generation.soundtrack import RATE
from byline.generation.stages import sounding
from byline.generation.stages.stopwatch import Stopwatch
from byline.generation.voices.base import Speech
from byline.generation.voices.espeak import EspeakVoice
from byline.provenance.marks import markers


def _tone(seconds: float, hertz: float, level: float = 0.3) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def _said(seconds: float, hertz: float = 1000.0) -> Speech:
    return Speech(_tone(seconds, hertz), RATE, ())


def _power(samples: np.ndarray, start: float, end: float, hertz: float) -> float:
    part = samples[round(start * RATE) : round(end * RATE)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    at = round(hertz * len(part) / RATE)
    return float(spectrum[at - 2 : at + 3].max() / len(part))


def test_it_is_put_into_the_pauses_and_the_track_steps_back() -> None:
    track, busy = _tone(12, 300), [(1.5, 4.0), (6.5, 9.0)]
    lines = [Line(0, 6, "first"), Line(6, 12, "second")]
    found = description.describe(track, lines, busy, _said(1.0, 2000), lambda text: _said(1.5))
    assert found.left_out == 0
    assert [(round(p.start, 2), p.over) for p in found.placed] == [(4.15, False), (9.15, False)]
    assert len(found.samples) == len(track)
    assert _power(found.samples, 4.3, 5.5, 1000) > 0.03
    assert _power(found.samples, 1.7, 3.9, 1000) < 1e-3, "nothing over the narration"
    assert _power(found.samples, 4.4, 5.4, 300) < 0.5 * _power(found.samples, 2, 3, 300)
    assert _power(found.samples, 0.1, 0.9, 2000) > 0.03, "the notice comes first"


def test_without_a_pause_it_is_spoken_over_and_what_does_not_fit_is_counted() -> None:
    lines = [Line(0, 4, "first"), Line(4, 5, "second")]
    found = description.describe(_tone(5, 300), lines, [(0.0, 5.0)], _said(0.5), lambda text: _said(2.0))
    assert [(p.text, p.over) for p in found.placed] == [("first", True)]
    assert found.left_out == 1


def test_narration_is_one_stretch_where_its_gaps_are_short() -> None:
    words = [("a", 0.0, 0.5), ("b", 0.7, 1.0), ("c", 2.0, 2.5)]
    assert description.heard(words) == [(0.0, 1.0), (2.0, 2.5)]
    assert description.heard([]) == []


def test_morse_is_short_long_short_short() -> None:
    samples = announcing.morse(RATE)
    level = np.abs(samples).reshape(-1, round(0.08 * RATE)).max(axis=1) > 0.1
    assert "".join("1" if on else "0" for on in level) == "10111000101"
    assert len(samples) / RATE < 1.0
    track = announcing.announced(_tone(4, 300), RATE, samples)
    assert _power(track, 0, 0.8, 800) > 0.01
    assert _power(track, 2, 3.5, 300) > 2.5 * _power(track, 0.1, 0.8, 300)


def _asked(tmp_path: Path, line: str, **options: Any) -> sounding.Sound:
    asked = SimpleNamespace(options=options, seconds=9.0, seed=5, audio_id=77, scenes=[], brand="byline")
    made = Artefact(tmp_path)
    prompt = "A red kite flies over the dunes."
    made.produced |= {"normalise": {"voice_over": line}, "debias": {"prompt": prompt}, "engine": {}}
    made.memory["speech"] = EspeakVoice().speak(line) if line else None
    return sounding.make(asked, made, presentation.of(options, "byline"), Stopwatch())


def test_a_request_gets_a_described_track_of_the_same_length_marked_and_levelled(tmp_path: Path) -> None:
    from byline.audit.base import keyring

    sound = _asked(tmp_path, "The beach is open.", description=1)
    assert sound.samples is not None
    assert sound.described is not None
    samples, language = sound.described
    assert len(samples) == len(sound.samples) == 9 * RATE
    assert language.startswith("en")
    assert not np.array_equal(samples, sound.samples)
    assert loudness.measure(samples, RATE).integrated == pytest.approx(-16, abs=0.7)
    told = sound.facts["description"]
    assert told == {"lines": 1, "over_speech": 0, "left_out": 0, "marked": True}
    found = markers.load("audio", [keyring.read("watermark")]).detect(samples, RATE)
    assert found is not None
    assert found.payload == 77
    assert sound.operations[0]["action"] == "c2pa.mixed"
    assert "audio description" in sound.models[0]["role"]
    assert _asked(tmp_path, "The beach is open.").described is None


def test_a_silent_clip_keeps_a_silent_first_track(tmp_path: Path) -> None:
    sound = _asked(tmp_path, "", description=1)
    assert sound.samples is not None
    assert not sound.samples.any()
    assert sound.described is not None
    assert sound.mark is None


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_the_file_says_which_track_is_for_whom(tmp_path: Path, suffix: str) -> None:
    frames = [np.full((96, 128, 3), 20 * n, np.uint8) for n in range(12)]
    path = tmp_path / f"clip{suffix}"
    made = encode.write_clip(
        path, iter(frames), 12, _tone(1, 300), RATE, [], "de", title="T", described=(_tone(1, 900), "en-us")
    )
    assert made.frames == 12
    with av.open(str(path)) as container:
        first, second = container.streams.audio
        assert (first.language, second.language) == ("deu", "eng")
        assert first.disposition & av.stream.Disposition.default
        assert second.disposition & av.stream.Disposition.visual_impaired or suffix == ".webm"
        assert second.metadata["title" if suffix == ".webm" else "handler_name"] == encode.DESCRIPTION
        assert not second.disposition & av.stream.Disposition.default
        assert container.streams.video[0].codec_context.name == ("h264" if suffix == ".mp4" else "vp9")
        assert sum(1 for _ in container.decode(video=0)) == 12
    for number, hertz in ((0, 300), (1, 900)):
        with av.open(str(path)) as container:
            parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=number)]
        samples = np.concatenate(parts).astype(np.float64)
        spectrum = np.abs(np.fft.rfft(samples))
        assert np.argmax(spectrum) * RATE / len(samples) == pytest.approx(hertz, abs=20)
        assert len(samples) / RATE == pytest.approx(1.0, abs=0.05)
