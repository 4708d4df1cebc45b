"""Every configured voice keeps the contract of voices/base.py; a new one only adds a settings line."""

import numpy as np
import pytest

from byline.audit.base import conf
from byline.generation import voices
from byline.generation.voices.base import UnknownLanguage, UnspeakableText, Voice

NAMES = sorted(conf.DEFAULTS["VOICES"])


@pytest.fixture(params=NAMES)
def voice(request: pytest.FixtureRequest) -> Voice:
    return voices.load(request.param)


def test_it_says_what_it_is_and_works_here(voice: Voice) -> None:
    assert voice.info.name
    assert voice.info.version
    assert voice.info.licence
    assert list(voice.languages()) == sorted(voice.languages())
    voice.self_check()


def test_its_examples_hold(voice: Voice) -> None:
    assert voice.examples()
    for example in voice.examples():
        assert example.language in voice.languages()
        speech = voice.speak(example.text, language=example.language)
        assert example.shortest_s <= speech.seconds <= example.longest_s
        assert len(speech.words) in (0, example.words), "no word times, or one for every word"
        assert speech.samples.dtype == np.float32
        assert speech.samples.ndim == 1
        assert 0.1 < np.abs(speech.samples).max() <= 1.0
        assert np.array_equal(speech.samples, voice.speak(example.text, language=example.language).samples)


def test_it_refuses_what_it_cannot_say(voice: Voice) -> None:
    with pytest.raises(UnspeakableText):
        voice.speak("")
    with pytest.raises(UnknownLanguage):
        voice.speak("hello", language="tlh-nowhere")
