"""The speech mark on clean sound: round trip, determinism, and no accept without a mark."""

import numpy as np
import pytest
from scipy import signal

from byline.provenance.marks.audio import HYPOTHESES, AudioMark, _inverse, _Spectrogram, _transform
from byline.provenance.marks.base import AudioFinding, BadPayload, UnmarkableInput

KEY, OTHER = bytes(range(32)), bytes(range(100, 132))
PAYLOAD = 0xDEADBEEF


def babble(seconds: float = 6.0, rate: int = 22_050, seed: int = 1) -> np.ndarray:
    """Speech-like: a gliding buzz through changing formants, in syllables with pauses."""
    rng = np.random.default_rng(seed)
    out = []
    while sum(map(len, out)) < seconds * rate:
        count = int(rng.uniform(0.12, 0.3) * rate)
        pitch = np.linspace(*rng.uniform(90, 160, 2), count)
        buzz = signal.sawtooth(2 * np.pi * np.cumsum(pitch) / rate) + 0.3 * rng.normal(size=count)
        for formant in rng.uniform([300, 900, 2200], [800, 2000, 3500]):
            resonance = signal.iirpeak(formant, 6, rate)
            buzz = buzz + 4 * signal.lfilter(*resonance, buzz)
        out += [buzz * np.hanning(count), np.zeros(int(rng.uniform(0, 0.06) * rate))]
    voice = np.concatenate(out)[: int(seconds * rate)]
    return (0.6 * voice / np.abs(voice).max()).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_round_trip_at_any_rate(rate: int) -> None:
    voice = babble(rate=rate)
    mark = AudioMark([KEY])
    marked = mark.embed(voice, rate, PAYLOAD)
    assert marked.dtype == np.float32
    assert marked.shape == voice.shape
    assert mark.detect(marked, rate) == AudioFinding(PAYLOAD, 0, "as embedded")


def test_same_input_same_output_and_input_left_alone() -> None:
    voice = babble(3)
    original = voice.copy()
    first, second = (AudioMark([KEY]).embed(voice, 22_050, PAYLOAD) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(voice, original)


def test_the_mark_hides_under_the_voice() -> None:
    voice = babble()
    voice[2 * 22_050 : 3 * 22_050] = 0
    change = AudioMark([KEY]).embed(voice, 22_050, PAYLOAD) - voice
    ratio = 10 * np.log10(np.sum(voice**2) / np.sum(change**2))
    assert 13 < ratio < 22
    silent = change[int(2.1 * 22_050) : int(2.9 * 22_050)]
    assert np.abs(silent).max() < 1e-4  # silence stays silent


def test_unmarked_noise_and_silence_are_none() -> None:
    mark = AudioMark([KEY, OTHER])
    assert mark.detect(babble(seed=2), 22_050) is None
    rng = np.random.default_rng(0)
    assert mark.detect(rng.normal(0, 0.1, 5 * 22_050).astype(np.float32), 22_050) is None
    assert mark.detect(np.zeros(5 * 22_050, np.float32), 22_050) is None
    assert mark.detect(np.zeros(10, np.float32), 22_050) is None


def test_a_wrong_key_finds_nothing_and_each_active_key_is_named() -> None:
    marked = AudioMark([OTHER]).embed(babble(), 22_050, PAYLOAD)
    assert AudioMark([KEY]).detect(marked, 22_050) is None
    assert AudioMark([KEY, OTHER]).detect(marked, 22_050) == AudioFinding(PAYLOAD, 1, "as embedded")


def test_transform_and_inverse_are_exact() -> None:
    voice = babble(1)
    assert np.abs(_inverse(_transform(voice), len(voice)) - voice).max() < 1e-5


def test_a_spectrogram_can_be_read_at_another_speed() -> None:
    """A tone sped up by 5 % lands in the cells of the original when read at speed 1.05."""
    time = np.arange(2 * 48_000) / 48_000
    cells = _Spectrogram(np.sin(2 * np.pi * 1000 * 1.05 * time).astype(np.float32)).cells(1.05, 0)
    assert cells[5:40].mean(0).argmax() == int((1000 - 250) / 94)
    assert len(cells) == pytest.approx(2 * 1.05 * 48_000 / 512 / 4, abs=1)


def test_every_fit_the_search_can_end_in_is_counted() -> None:
    assert HYPOTHESES == 31 * 5 * 4 * 56
    assert AudioMark([KEY])._threshold == pytest.approx(10.33, abs=0.01)
    assert AudioMark([KEY] * 16)._threshold == pytest.approx(10.6, abs=0.05)


def test_unusable_input_is_refused() -> None:
    mark = AudioMark([KEY])
    with pytest.raises(UnmarkableInput):
        AudioMark([])
    with pytest.raises(UnmarkableInput):
        mark.embed(babble(2), 4_000, PAYLOAD)
    with pytest.raises(UnmarkableInput):
        mark.embed(np.zeros((100, 2), np.float32), 22_050, PAYLOAD)
    with pytest.raises(UnmarkableInput):
        mark.embed((babble(1) * 32_767).astype(np.int16), 22_050, PAYLOAD)
    with pytest.raises(UnmarkableInput):
        mark.embed(babble(0.1), 22_050, PAYLOAD)
    spoiled = babble(2)
    spoiled[7] = np.nan
    with pytest.raises(UnmarkableInput):
        mark.detect(spoiled, 22_050)
    with pytest.raises(BadPayload):
        mark.embed(babble(1), 22_050, 2**32)
