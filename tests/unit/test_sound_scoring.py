"""Music, effects and loudness of a request: what is asked for is heard, marked and written down."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from byline.audit.base.errors import InvalidInput
from byline.generation import intake, presentation, soundtrack
from byline.generation.contracts import Artefact
from byline.generation.sound import loudness, scoring
from byline.generation.stages.sounding import make
from byline.generation.stages.stopwatch import Stopwatch
from byline.generation.voices.espeak import EspeakVoice

LINE = "The harbour opens again on Monday, and the ferry waits."


def sound(tmp_path: Path, line: str = LINE, **options: Any) -> Any:
    asked = SimpleNamespace(options=options, seconds=8.0, seed=5, audio_id=77, profile="newsroom")
    made = Artefact(tmp_path)
    made.produced["normalise"] = {"voice_over": line}
    made.produced["debias"] = {"prompt": "Rain over the sea."}
    made.memory["speech"] = EspeakVoice().speak(line) if line else None
    return make(asked, made, presentation.of(asked.options, "byline"), Stopwatch())


@pytest.mark.parametrize(
    ("line", "options", "music", "effects"),
    [
        (LINE, {}, "none", []),
        (LINE, {"music": "calm", "effects": "auto", "loudness": -23}, "byline-bed", ["rain", "waves"]),
        ("", {"music": "tense"}, "byline-bed", []),
    ],
)
def test_the_clip_sounds_as_asked_at_the_loudness_asked_and_carries_the_mark(
    tmp_path: Path, line: str, options: dict[str, Any], music: str, effects: list[str]
) -> None:
    found = sound(tmp_path, line, **options)
    assert found.samples.shape == (8 * soundtrack.RATE,)
    assert found.mark is not None
    assert found.facts["music"] == music
    assert list(found.effects) == effects
    assert found.facts["effects"] == len(effects), "names found in a prompt are no evidence"
    heard = loudness.measure(found.samples, found.rate)
    assert heard.integrated == pytest.approx(options.get("loudness", -16), abs=0.5)
    assert heard.true_peak <= -1.0
    assert bool(found.cues) == bool(line)
    assert found.music.get("mood", "") == options.get("music", "")


def test_without_speech_music_and_effects_there_is_no_sound(tmp_path: Path) -> None:
    found = sound(tmp_path, "")
    assert found.samples is None
    assert found.mark is None


def test_the_same_request_has_the_same_bed() -> None:
    options = {"music": "sombre", "effects": "wind, bell"}
    one, two = (scoring.bed(options, seconds=3, seed=9, prompt="") for _ in range(2))
    assert one is not None
    assert two is not None
    assert np.array_equal(one.samples, two.samples)
    assert one.effects == ("wind", "bell")


@pytest.mark.parametrize(
    "options",
    [
        {"music": "jolly"},
        {"effects": "meow"},
        {"effects": "rain,meow"},
        {"loudness": -3},
        {"loudness": "loud"},
    ],
)
def test_what_there_is_not_is_refused_when_it_is_asked_for(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        intake.options(options)
    assert intake.options({"music": "calm", "effects": "auto", "loudness": -23})["loudness"] == -23
