"""Stages on their own: what they clean, pass on and refuse, without a database."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from byline.generation import presentation
from byline.generation.contracts import Artefact, Verdict
from byline.generation.engines.base import EngineInfo
from byline.generation.operations import Inputs
from byline.generation.operations.plain import MAX_SHOTS
from byline.generation.soundtrack import SpeechTooLong
from byline.generation.stages import engine as engine_stage
from byline.generation.stages.inputs import Given
from byline.generation.stages.sounding import MIN_MARKED_SPEECH_S, make
from byline.generation.stages.speech import speech
from byline.generation.stages.stopwatch import Stopwatch
from byline.generation.stages.texts import clean, moderate, normalise
from byline.generation.voices.base import Speech


def request(**more: Any) -> Any:
    values = {
        "prompt": "A red kite.",
        "edited_prompt": "",
        "voice_over": "",
        "negative_prompt": "",
        "title": "",
        "profile": "newsroom",
        "brand": "byline",
        "seed": 5,
        "seconds": 6.0,
        "options": {},
        "audio_id": 77,
        "references": [],
        "operation": "text_to_video",
        "inputs": [],
        "take_set": None,
        "scenes": [],
    }
    return SimpleNamespace(**{**values, **more})


def artefact(tmp_path: Path, **texts: str) -> Artefact:
    made = Artefact(tmp_path)
    made.produced["normalise"] = {"voice_over": "", "negative_prompt": "", "title": "", **texts}
    made.produced["debias"] = {"prompt": texts.get("prompt", "A red kite.")}
    made.memory["inputs"] = Given(Inputs())
    return made


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("  a\tred\r\n kite ", "a red kite"),
        ("k\u200bi\u2060te\ufeff", "kite"),
        ("ki\x07te\x1b[0m", "kite[0m"),
        ("cafe\u0301", "caf\u00e9"),
        ("ki\u200dte", "kite"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    ],
)
def test_texts_are_cleaned_of_what_nobody_sees(written: str, used: str) -> None:
    assert clean(written) == used
    assert clean(used) == used


def test_normalise_names_disguises_and_never_the_text(tmp_path: Path) -> None:
    outcome = normalise(request(prompt="k\u200bill"), Artefact(tmp_path))
    assert outcome.verdict is Verdict.TRANSFORM
    assert outcome.produces["prompt"] == "kill"
    assert outcome.evidence["cleaned"] == ["prompt"]
    assert outcome.evidence["disguises"]["prompt"]
    assert "kill" not in str(outcome.evidence)


@pytest.mark.django_db
def test_moderation_judges_the_text_as_it_will_be_used(tmp_path: Path) -> None:
    """A text that only becomes bad by our own cleaning is judged in both forms."""
    asked, made = request(), Artefact(tmp_path)
    made.produced["normalise"] = {
        "prompt": "Pornographic video of two naked people having sex, explicit.",
        "voice_over": "",
        "negative_prompt": "",
        "title": "",
    }
    outcome = moderate(asked, made)
    assert outcome.verdict is Verdict.REJECT
    assert outcome.code == "moderation_block"
    assert outcome.category
    assert outcome.clause
    assert outcome.help


def test_a_voice_over_that_does_not_fit_is_refused_before_any_frame_is_made(tmp_path: Path) -> None:
    script = "This is a long sentence that takes far more than one second to say aloud."
    with pytest.raises(SpeechTooLong) as caught:
        speech(request(seconds=1.0), artefact(tmp_path, voice_over=script))
    assert "sentence" not in str(caught.value)


def test_no_voice_over_means_no_speech_but_still_ids(tmp_path: Path) -> None:
    made = artefact(tmp_path)
    outcome = speech(request(), made)
    assert made.memory["speech"] is None
    assert [effect.kind for effect in outcome.effects] == ["reserve_ids"]


def test_short_speech_is_left_as_it_is(tmp_path: Path) -> None:
    seconds = MIN_MARKED_SPEECH_S - 0.1
    made = artefact(tmp_path, voice_over="")
    samples = np.random.default_rng(1).normal(0, 0.1, round(seconds * 22_050)).astype(np.float32)
    made.memory["speech"] = Speech(samples, 22_050, ())
    made.produced["normalise"]["voice_over"] = ""
    found = make(request(), made, presentation.of({}, "byline"), Stopwatch())
    assert found.samples is not None
    assert found.mark is None


def test_the_engine_gets_one_seed_per_shot_and_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from byline.generation import engines

    tasks: list[Any] = []

    class Engine:
        info = EngineInfo("e", "1", "r", "l", 160, 96, 8, 8.0, "t", drawn=True, training_data="none")
        record: ClassVar[dict[str, Any]] = {"device": "cpu", "lossy": []}

        def generate(self, task: Any, progress: Any, check_cancelled: Any) -> np.ndarray:
            check_cancelled()
            tasks.append(task)
            progress(1.0)
            return np.zeros((8, 96, 160, 3), np.uint8)

    monkeypatch.setattr(engines, "load", lambda name: Engine())
    made = artefact(tmp_path)
    seen: list[float] = []
    made.progress = lambda fraction, message: seen.append(fraction)
    engine_stage.engine(request(seconds=3.0), made)
    assert [task.seed for task in tasks] == [5, 6, 7]
    assert len(made.memory["shots"]) == 3
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    engine_stage.engine(request(seconds=60.0), made)
    assert len(made.memory["shots"]) == MAX_SHOTS

    class Stopped(Exception):
        pass

    def stop() -> None:
        if len(tasks) >= 8:
            raise Stopped

    made.check_cancelled = stop
    with pytest.raises(Stopped):
        engine_stage.engine(request(seconds=3.0), made)
    assert len(tasks) == 8


def test_a_real_persons_timbre_needs_a_reference_that_the_consent_stage_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from byline.generation import voices
    from byline.generation.stages.speech import ConsentMissing
    from byline.generation.voices.base import VoiceInfo
    from byline.generation.voices.espeak import EspeakVoice

    class Person(EspeakVoice):
        info = VoiceInfo("p", "1", "l", synthetic=False, speaker_sha256="a" * 64)  # type: ignore[assignment]

    monkeypatch.setattr(voices, "load", lambda name: Person())
    made = artefact(tmp_path, voice_over="The kite is back.")
    for references in ([], [{"kind": "face", "subject": "s", "sha256": "a" * 64, "consent": "c"}]):
        with pytest.raises(ConsentMissing) as refusal:
            speech(request(references=references), made)
        assert refusal.value.status == 403
    allowed = [{"kind": "voice", "subject": "s", "sha256": "a" * 64, "consent": "c"}]
    assert speech(request(references=allowed), made).evidence["spoken"]


def test_what_is_asked_for_is_analysed_and_stays_out_of_the_evidence(tmp_path: Path) -> None:
    asked = request(
        prompt="A wonderful red kite over the harbour.", voice_over="Everyone loves it.", edited_prompt=""
    )
    outcome = normalise(asked, Artefact(tmp_path))
    found = outcome.produces["analysis"]
    assert any("kite" in word for word in found["keywords"])
    assert found["sentiment"] > 0.2
    assert found["summary"]
    assert "kite" not in str(outcome.evidence)
    foreign = normalise(request(prompt="Красный змей над гаванью."), Artefact(tmp_path))
    assert foreign.produces["analysis"]["sentiment"] is None
