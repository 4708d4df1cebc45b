"""Voices: typed configuration, determinism, word times, and inputs that cannot be read."""

import subprocess
import threading

import numpy as np
import pytest

from byline.audit.base.errors import ConfigurationError
from byline.generation import soundtrack, voices
from byline.generation.voices.base import SpeechFailed, UnknownLanguage, UnspeakableText
from byline.generation.voices.espeak import EspeakVoice

ESPEAK = "byline.generation.voices.espeak.EspeakVoice"


def test_same_text_gives_same_samples_whatever_was_said_before() -> None:
    voice = EspeakVoice()
    first = voice.speak("The quick brown fox sees the harbour.")
    voice.speak("Something else entirely, at some length.", language="de", rate=120, pitch=80)
    again = voice.speak("The quick brown fox sees the harbour.")
    assert np.array_equal(first.samples, again.samples)
    assert first.words == again.words


def test_threads_do_not_mix_their_speech() -> None:
    voice = EspeakVoice()
    texts = ["One ferry leaves.", "Two hundred ships arrive at dawn.", "Rain.", "The mayor spoke at noon."]
    alone = [voice.speak(text).samples for text in texts]
    together: dict[int, np.ndarray] = {}

    def speak(index: int) -> None:
        together[index] = voice.speak(texts[index]).samples

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(alone[index], together[index]) for index in range(len(texts)))


def test_words_carry_their_punctuation_and_increasing_times() -> None:
    speech = EspeakVoice().speak("— The café opened on 12 May 2026, at 3.5% (GDP); “mayor” won't say. Ok")
    assert [word.text for word in speech.words] == [
        "— The", "café", "opened", "on", "12", "May", "2026,", "at", "3.5%", "(GDP);", "“mayor”", "won't",
        "say.", "Ok",
    ]  # fmt: skip
    edges = [edge for word in speech.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= speech.seconds
    year = speech.words[6]
    assert year.end - year.start > 1.0, "a year is four spoken words and must not end with the first"


def test_a_pause_belongs_to_no_word() -> None:
    words = EspeakVoice().speak("It rains. The ferry waits.").words
    assert words[2].start - words[1].end > 0.15


def test_text_without_spaces_is_timed_by_character() -> None:
    words = EspeakVoice().speak("你好世界。早上好", language="cmn").words
    assert len(words) >= 4
    assert "".join(word.text for word in words) == "你好世界。早上好"


def test_rate_and_pitch_change_the_speech() -> None:
    voice = EspeakVoice()
    text = "The harbour opens again on Monday morning."
    assert voice.speak(text, rate=240).seconds < 0.8 * voice.speak(text, rate=130).seconds
    assert not np.array_equal(voice.speak(text, pitch=20).samples, voice.speak(text, pitch=80).samples)


@pytest.mark.parametrize("text", ["", "  \n", "!!! … —", "x " * 1501, "1" * 101])
def test_text_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UnspeakableText) as refusal:
        EspeakVoice().speak(text)
    assert refusal.value.status == 400
    assert not text.strip() or text not in str(refusal.value)


def test_unknown_language_and_parameters_are_refused() -> None:
    with pytest.raises(UnknownLanguage):
        EspeakVoice().speak("hello", language="en-us+f3; rm")
    with pytest.raises(UnspeakableText):
        EspeakVoice().speak("hello", rate=5000)


def test_markup_in_the_text_is_spoken_not_obeyed() -> None:
    """SSML and phoneme input stay off: a voice-over must not play files or switch voices."""
    voice = EspeakVoice()
    assert voice.speak("a <audio src='x'/> b").seconds > voice.speak("a b").seconds + 0.3


def test_the_process_sees_no_secret_and_shows_no_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, object] = {}

    def run(command: list[str], **options: object) -> object:
        seen.update(options, command=command)
        raise subprocess.TimeoutExpired(command, 1)

    voice = EspeakVoice()
    voice.languages()
    monkeypatch.setenv("BYLINE_SECRET", "s3cret")
    monkeypatch.setattr("byline.generation.voices.espeak.subprocess.run", run)
    with pytest.raises(SpeechFailed) as failure:
        voice.speak("a private sentence")
    assert "s3cret" not in str(seen["env"])
    assert "private" not in " ".join(seen["command"])  # type: ignore[arg-type]
    assert "private" not in str(failure.value)


def test_load_builds_from_the_setting(settings: object) -> None:
    settings.BYLINE = {"VOICES": {"default": {"CLASS": ESPEAK, "CONFIG": {"variant": "f3"}}}}  # type: ignore[attr-defined]
    assert voices.load().info.name == "espeak-ng"
    with pytest.raises(ConfigurationError, match="no voice named 'other'"):
        voices.load("other")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"CLASS": ESPEAK, "CONFIG": {"colour": 1}}, "CONFIG does not fit"),
        ({"CLASS": ESPEAK, "OPTIONS": {}}, "unknown: \\['OPTIONS'\\]"),
        ({"CLASS": "byline.nowhere.Voice"}, "cannot import"),
        ({"CLASS": ESPEAK, "CONFIG": {"variant": "../x"}}, "plain name"),
    ],
)
def test_a_wrong_setting_is_a_configuration_error(entry: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        voices.build(entry, where="BYLINE['VOICES']['x']")


def test_soundtrack_is_as_long_as_the_picture_and_moves_the_words() -> None:
    speech = EspeakVoice().speak("The ferry leaves at dawn.")
    track = soundtrack.lay(speech, seconds=6)
    assert track.samples.shape == (6 * 48_000,)
    assert track.samples.dtype == np.float32
    lead = round(soundtrack.LEAD_IN_S * 48_000)
    assert not track.samples[:lead].any()
    assert np.abs(track.samples[lead : lead + 24_000]).max() > 0.1
    assert track.words[0].start == pytest.approx(speech.words[0].start + soundtrack.LEAD_IN_S)
    with pytest.raises(soundtrack.SpeechTooLong):
        soundtrack.lay(speech, seconds=1)
    assert soundtrack.lay(speech, seconds=soundtrack.needed_seconds(speech)).samples.any()
