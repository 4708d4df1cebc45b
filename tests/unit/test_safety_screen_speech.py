"""Screening of speech: the moderated script passes, anything else goes to a person or is not checked."""

import sys

import numpy as np
import pytest

from byline.generation.voices.base import Speech
from byline.generation.voices.espeak import EspeakVoice
from byline.safety.screen import alignment, pronunciation, speech

SENTENCES = (
    "The harbour opens again on Monday, after a winter of repairs.",
    "Scientists have found a new way to clean water with sunlight.",
    "A red balloon rises slowly over the quiet meadow at sunset.",
    "Heavy rain is expected in the north tomorrow, with strong winds near the coast.",
)
WORDS = {"one": "W AH N", "two": "T UW", "twenty": "T W EH N T IY", "us": "AH S", "nasa": "N AE S AH"}


@pytest.fixture(scope="module")
def spoken() -> list[Speech]:
    return [EspeakVoice().speak(sentence) for sentence in SENTENCES]


def _outcome(made: Speech, script: str) -> str:
    check = speech.screen(made.samples, made.rate, script)
    return check.action if check.status == "available" else check.status


def test_the_script_that_was_spoken_passes_and_others_do_not(spoken: list[Speech]) -> None:
    for number, made in enumerate(spoken):
        assert _outcome(made, SENTENCES[number]) == "allow"
        assert _outcome(made, SENTENCES[(number + 1) % len(SENTENCES)]) == "review"
        assert _outcome(made, " ".join(reversed(SENTENCES[number].split()))) == "review"


def test_speech_beside_the_script_and_a_cut_voice_are_reviewed(spoken: list[Speech]) -> None:
    first, second = spoken[:2]
    longer = Speech(np.concatenate([first.samples, second.samples]), first.rate, ())
    assert _outcome(longer, SENTENCES[0]) == "review"
    cut = first.samples.copy()
    cut[len(cut) // 2 :] = 0
    assert _outcome(Speech(cut, first.rate, ()), SENTENCES[0]) == "review"


def test_silence_noise_and_a_sound_too_short_are_reviewed(spoken: list[Speech]) -> None:
    script = SENTENCES[0]
    noise = np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32)
    assert _outcome(Speech(noise, 16_000, ()), script) == "review"
    assert _outcome(Speech(np.zeros(64_000, np.float32), 16_000, ()), script) == "review"
    assert _outcome(Speech(spoken[0].samples[:11_000], spoken[0].rate, ()), script) == "review"


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((2, 9)), np.full(9, np.nan)])
def test_sound_that_is_none_fails(samples: np.ndarray) -> None:
    assert speech.screen(samples.astype(np.float32), 16_000, "hello").status == "failed"


def test_what_cannot_be_judged_is_not_checked(spoken: list[Speech], monkeypatch: pytest.MonkeyPatch) -> None:
    made = spoken[0]
    assert speech.screen(made.samples, made.rate, SENTENCES[0], language="de").status == "unavailable"
    assert _outcome(made, "Xzqf grblt mnpw vrrt qqwz oplk") == "unavailable"
    assert _outcome(made, "Гавань снова открывается") == "unavailable"
    alignment._decoder.cache_clear()
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    assert _outcome(made, SENTENCES[0]) == "unavailable"
    monkeypatch.undo()
    alignment._decoder.cache_clear()


def test_the_check_keeps_no_text(spoken: list[Speech]) -> None:
    check = speech.screen(spoken[0].samples, spoken[0].rate, SENTENCES[1])
    assert "water" not in repr(check)


def test_aligned_words_have_the_times_of_the_voice(spoken: list[Speech]) -> None:
    found = alignment.align(spoken[0].samples, spoken[0].rate, SENTENCES[0])
    voice = {word.text.strip(",."): word.start for word in spoken[0].words}
    assert [word for word, _, _ in found.words] == pronunciation.written_words(SENTENCES[0])
    assert all(abs(start - voice[word]) < 0.15 for word, start, _ in found.words)


def test_numbers_and_initials_have_their_usual_readings() -> None:
    assert "two thousand twenty six" in pronunciation.numbers("2026")
    assert "twenty twenty six" in pronunciation.numbers("2026")
    assert "nineteen hundred ninety nine" in pronunciation.numbers("1999")
    assert "nineteen oh five" in pronunciation.numbers("1905")
    assert pronunciation.numbers("21st") == ["twenty first"]
    assert pronunciation.numbers("30th") == ["thirtieth"]
    assert pronunciation.numbers("3.05") == ["three point zero five"]
    assert "one million two hundred fifty thousand" in pronunciation.numbers("1,250,000")
    assert pronunciation.numbers("1" * 13) == []
    assert pronunciation.readings("US", WORDS.get) == ["Y UW EH S", "AH S"]
    assert pronunciation.readings("2", WORDS.get) == ["T UW"]
    assert pronunciation.readings("a1b2", WORDS.get) is None


def test_a_guess_is_not_knowledge() -> None:
    assert pronunciation.readings("Kaohsiung", WORDS.get) is not None
    assert not pronunciation.is_known("Kaohsiung", WORDS.get)
    assert pronunciation.is_known("Nasa's", WORDS.get)
    assert pronunciation.is_known("BBC", WORDS.get)
    assert not pronunciation.is_known("Гавань", WORDS.get)
