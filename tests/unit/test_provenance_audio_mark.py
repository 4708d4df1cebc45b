"""The sound mark on clean sound: round trip, masking, the acceptance bound, and no accept without a mark."""

import math

import numpy as np
import pytest
from scipy import fft, signal

from byline.provenance.marks import audio_spectrum as plane
from byline.provenance.marks.audio import (
    DECODED,
    DECODED_SHORT_LIST,
    SEGMENT,
    AudioMark,
    _pieces,
    _segments,
    stage_threshold,
)
from byline.provenance.marks.audio_mask import gain_limits
from byline.provenance.marks.audio_pattern import GROUP, PERIOD, Pattern
from byline.provenance.marks.base import FALSE_ACCEPT, AudioFinding, BadPayload, UnmarkableInput

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
    assert 11 < ratio < 22
    silent = change[int(2.1 * 22_050) : int(2.9 * 22_050)]
    assert np.abs(silent).max() < 1e-4  # silence stays silent


def test_a_tone_may_be_changed_less_than_noise() -> None:
    time = np.arange(96_000) / 48_000
    noise = np.random.default_rng(0).normal(0, 0.1, len(time)).astype(np.float32)
    tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in (440, 1320, 2200, 3960))
    limits = [
        gain_limits(plane.transform(sound), 1.0)[10:-10, 2].mean()  # the band of 440 Hz
        for sound in (noise, (0.1 * tones).astype(np.float32))
    ]
    assert limits[0] == pytest.approx(20 * math.log10(1 + 10 ** (-5.5 / 20)), abs=0.5)
    assert limits[1] < 0.5 * limits[0]


def test_unmarked_noise_and_silence_are_none() -> None:
    assert AudioMark([KEY, OTHER]).detect(babble(3, seed=2), 22_050) is None
    mark = AudioMark([KEY])
    rng = np.random.default_rng(0)
    assert mark.detect(rng.normal(0, 0.1, 3 * 22_050).astype(np.float32), 22_050) is None
    assert mark.detect(np.zeros(3 * 22_050, np.float32), 22_050) is None
    assert mark.detect(np.zeros(10, np.float32), 22_050) is None
    assert mark.detect(babble(0.3), 22_050) is None


def test_a_wrong_key_finds_nothing_and_each_active_key_is_named() -> None:
    marked = AudioMark([OTHER]).embed(babble(), 22_050, PAYLOAD)
    assert AudioMark([KEY]).detect(marked, 22_050) is None
    keys = [bytes([number] * 32) for number in range(15)]
    assert AudioMark([*keys, OTHER]).detect(marked, 22_050) == AudioFinding(PAYLOAD, 15, "as embedded")


def test_a_short_list_needs_less_evidence_and_accepts_nothing_else() -> None:
    """A second and a half in noise: too little for a blind search, enough to tell a hundred ids apart."""
    rng = np.random.default_rng(0)
    marked = AudioMark([KEY]).embed(babble(1.5), 22_050, PAYLOAD)
    worn = (marked + rng.normal(0, marked.std(), len(marked))).astype(np.float32)
    mark = AudioMark([KEY])
    strangers = [PAYLOAD ^ 1 << bit for bit in range(31)]  # ids that look alike
    assert mark.detect(worn, 22_050) is None
    assert mark.detect(worn, 22_050, candidates=[*strangers, PAYLOAD]) == AudioFinding(
        PAYLOAD, 0, "as embedded"
    )
    assert mark.detect(worn, 22_050, candidates=strangers) is None
    assert mark.detect(marked, 22_050, candidates=strangers) is None
    assert mark.detect(marked, 22_050, candidates=[]) is None


def test_long_sound_is_searched_in_segments() -> None:
    """A marked passage between unmarked ones, longer than the pattern's period in all."""
    marked = AudioMark([KEY]).embed(babble(8.0, 16_000), 16_000, PAYLOAD)
    whole = np.concatenate([babble(40.0, 16_000, 3), marked, babble(5.0, 16_000, 4)])
    assert AudioMark([KEY]).detect(whole, 16_000) == AudioFinding(PAYLOAD, 0, "as embedded")


def test_segments_and_pieces_cover_the_sound() -> None:
    assert _segments(10) == [0]
    assert _segments(SEGMENT) == [0]
    starts = _segments(10_000)
    assert starts[-1] + SEGMENT == 10_000
    assert max(np.diff(starts)) < SEGMENT
    assert _pieces(900) == [0]
    assert _pieces(10_000)[-1] + 12 * 48_000 // 512 == 10_000
    assert len(_pieces(100_000)) == 4


def test_the_threshold_follows_from_the_decodings() -> None:
    """Union bound: ids x decodings x exp(-t*t/2) stays within the stage's half of the budget."""
    for decodings, ids, exponent in ((DECODED, None, 32), (DECODED_SHORT_LIST, 100, math.log2(100))):
        threshold = stage_threshold(decodings, ids)
        bound = 2**exponent * decodings * math.exp(-(threshold**2) / 2)
        assert bound == pytest.approx(FALSE_ACCEPT / 2)
    assert stage_threshold(DECODED, None) == pytest.approx(9.63, abs=0.01)
    assert stage_threshold(DECODED_SHORT_LIST, 100) == pytest.approx(7.77, abs=0.01)
    assert stage_threshold(3 * DECODED, None) > stage_threshold(DECODED, None)


def test_scores_of_a_stranger_stay_within_the_bound() -> None:
    """The best of many ids at many positions under a key that did not make the sound."""
    voice = plane.residual(plane.Spectrogram(babble(4, 48_000)).at_speed(1.0).cells(0))
    pattern = Pattern(OTHER)
    rng = np.random.default_rng(0)
    ids = [int(value) for value in rng.integers(0, 2**32, 100)]
    scores = [pattern.nearest(voice, int(place), ids)[1] for place in rng.integers(0, PERIOD, 20)]
    assert max(scores) < math.sqrt(2 * math.log(len(ids) * len(scores) * 1000))  # fails once in a thousand
    assert pattern.decode(voice, 0)[1] < stage_threshold(DECODED, None)


def test_a_pattern_is_found_where_it_lies_and_does_not_repeat() -> None:
    pattern = Pattern(KEY)
    rows = pattern.rows(PAYLOAD, np.arange(PERIOD))
    assert rows.shape == (PERIOD, plane.BANDS)
    assert set(np.unique(rows)) == {-1.0, 1.0}
    heard = pattern.rows(PAYLOAD, 700 + np.arange(100))
    scores = pattern.fits(fft.rfft(heard, PERIOD, axis=0))
    assert scores.argmax() == 700
    assert np.sort(scores)[-2] < 0.2 * scores.max()
    assert pattern.decode(heard, 700) == (PAYLOAD, pytest.approx(math.sqrt(512 / GROUP * 100), rel=0.02))
    assert abs(np.mean(rows[:GROUP] * rows[GROUP : 2 * GROUP])) < 0.15
    assert len({pattern.start(number) for number in range(50)}) > 40


def test_transform_and_inverse_are_exact_in_parts() -> None:
    voice = babble(1)
    out = np.zeros_like(voice)
    frames = plane.frame_count(len(voice))
    for first in range(0, frames, 17):
        plane.add_inverse(out, plane.transform(voice, first, first + 17), first)
    assert np.abs(out - voice).max() < 1e-5


def test_a_spectrogram_can_be_read_at_another_speed() -> None:
    """A tone sped up by 5 % lands in the cells of the original when read at speed 1.05."""
    time = np.arange(2 * 48_000) / 48_000
    tone = np.sin(2 * np.pi * 1000 * 1.05 * time).astype(np.float32)
    cells = plane.Spectrogram(tone).at_speed(1.05).cells(0)
    assert cells[5:40].mean(0).argmax() == int((1000 - 250) / 94)
    assert len(cells) == pytest.approx(2 * 1.05 * 48_000 / 512 / 4, abs=1)


def test_unusable_input_is_refused() -> None:
    mark = AudioMark([KEY])
    with pytest.raises(UnmarkableInput):
        AudioMark([])
    with pytest.raises(UnmarkableInput):
        AudioMark([KEY] * 17)
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
    with pytest.raises(BadPayload):
        mark.detect(babble(1), 22_050, candidates=list(range(101)))
