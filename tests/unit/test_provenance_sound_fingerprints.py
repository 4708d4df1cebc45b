"""Sound prints: what leaves them alone, what does not, and the search over many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from byline.provenance import sound_fingerprints as prints
from byline.provenance.sound_fingerprints import (
    HOP_S,
    LEAST_SECONDS,
    SoundIndex,
    SoundPrint,
    SoundSimilarity,
    compare_sound,
    sound_fingerprint,
)

RATE = 16_000


def gibberish(seed: int, seconds: float = 8.0) -> np.ndarray:
    """Changing coloured noise, ten new spectra a second."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(int(seconds * 10)):
        noise = rng.normal(size=RATE // 10 + 400)
        for hertz in rng.uniform(300, 3300, 3):
            noise = noise + 3 * signal.lfilter(*signal.iirpeak(hertz, 8, RATE), noise)
        parts.append(noise[400:] * rng.uniform(0.3, 1))
    sound = np.concatenate(parts)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    return [gibberish(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def stored(sounds: list[np.ndarray]) -> dict[str, SoundPrint]:
    return {str(number): sound_fingerprint(sound, RATE) for number, sound in enumerate(sounds)}


def test_a_print_has_a_code_every_hop(stored: dict[str, SoundPrint]) -> None:
    found = stored["0"]
    assert found.seconds == pytest.approx(8.0 - 4096 / 12_000 - 2 * HOP_S, abs=HOP_S)
    assert len(found.array) == round(found.seconds / HOP_S)
    assert np.mean(found.array == 0) < 0.05
    assert 14 < np.bitwise_count(found.array).mean() < 18


@settings(deadline=None)
@given(st.binary(max_size=80).map(lambda raw: raw[: len(raw) // 4 * 4]))
def test_hex_round_trip(raw: bytes) -> None:
    assert SoundPrint.from_hex(SoundPrint(raw).to_hex()) == SoundPrint(raw)


@pytest.mark.parametrize(
    "text", ["", "0", "02", "01 1234567", "01123456", "0100 0000 00", "01XYZXYZXY", "01\n"]
)
def test_what_is_no_print_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="sound print"):
        SoundPrint.from_hex(text)


def test_a_print_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="3600 s"):
        SoundPrint.from_hex("01" + "00000001" * 72_001)
    with pytest.raises(ValueError, match="3600 s"):
        sound_fingerprint(np.zeros(8_000 * 3601, np.float32), 8_000)


def test_loudness_rate_and_noise_leave_it_alone(
    sounds: list[np.ndarray], stored: dict[str, SoundPrint]
) -> None:
    rng = np.random.default_rng(0)
    sound = sounds[3]
    noise = rng.normal(size=len(sound)) * sound.std() / 10  # 20 dB
    for changed, rate in (
        (sound * np.float32(0.05), RATE),
        (signal.resample_poly(sound, 3, 2).astype(np.float32), 24_000),
        ((sound + noise).astype(np.float32), RATE),
    ):
        found = compare_sound(sound_fingerprint(changed, rate), stored["3"])
        assert found.similar
        assert found.bit_error_rate < 0.12
        assert found.offset_s == 0.0
        assert found.matched_seconds == pytest.approx(stored["3"].seconds, abs=2 * HOP_S)


def test_a_cut_is_placed_on_the_records_time_line(
    sounds: list[np.ndarray], stored: dict[str, SoundPrint]
) -> None:
    part = sounds[5][int(2.52 * RATE) : int(7.0 * RATE)]
    found = compare_sound(sound_fingerprint(part, RATE), stored["5"])
    assert found.similar
    assert found.offset_s == pytest.approx(2.52, abs=HOP_S)
    other_way = compare_sound(stored["5"], sound_fingerprint(part, RATE))
    assert other_way.offset_s == pytest.approx(-2.52, abs=HOP_S)


def test_a_passage_inside_another_recording_is_found_with_its_length(
    sounds: list[np.ndarray], stored: dict[str, SoundPrint]
) -> None:
    mixed = np.concatenate([sounds[1][: 4 * RATE], sounds[2][2 * RATE : 7 * RATE], sounds[3][: 4 * RATE]])
    found = compare_sound(sound_fingerprint(mixed, RATE), stored["2"])
    assert found.similar
    assert found.matched_seconds == pytest.approx(5.0, abs=0.5)
    assert found.offset_s == pytest.approx(-2.0, abs=HOP_S)


def test_different_sounds_are_not_similar_and_near_misses_say_how_near(stored: dict[str, SoundPrint]) -> None:
    for first in stored:
        for second in stored:
            found = compare_sound(stored[first], stored[second])
            assert found.similar == (first == second)
            assert (found.matched_seconds == 0.0) == (first != second)
            assert first == second or 0.36 < found.bit_error_rate < 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 24))
def test_the_threshold_is_exact(seed: int, wrong_bits: int) -> None:
    """`wrong_bits` of 32 in every code: similar exactly when the share is below the stated rate."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(1, 2**32, round(LEAST_SECONDS / HOP_S), dtype=np.uint32)
    flips = np.uint32(sum(1 << int(bit) for bit in rng.permutation(32)[:wrong_bits]))
    one, other = (SoundPrint(c.astype(">u4").tobytes()) for c in (codes, codes ^ flips))
    found = compare_sound(one, other)
    assert found.bit_error_rate <= wrong_bits / 32 + 1e-9
    if wrong_bits < 14:  # beyond, chance alignments of random codes may lie nearer
        assert found == SoundSimilarity(
            LEAST_SECONDS if wrong_bits / 32 < prints.MAX_ERRORS else 0.0,
            pytest.approx(wrong_bits / 32),
            0.0,
            wrong_bits / 32 < prints.MAX_ERRORS,
        )


def test_less_than_three_seconds_match_nothing(
    sounds: list[np.ndarray], stored: dict[str, SoundPrint]
) -> None:
    short = sound_fingerprint(sounds[0][: int(3.2 * RATE)], RATE)
    assert short.seconds < LEAST_SECONDS
    assert compare_sound(short, stored["0"]) == SoundSimilarity(0.0, 1.0, 0.0, False)
    assert SoundIndex(stored).best(short) is None


def test_silence_and_steady_tones_are_masked() -> None:
    time = np.arange(6 * RATE) / RATE
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    for dull in (np.zeros(6 * RATE, np.float32), tone, np.full(6 * RATE, 0.5, np.float32)):
        found = sound_fingerprint(dull, RATE)
        assert not found.array.any()
        assert not compare_sound(found, found).similar
    half = np.concatenate([gibberish(1, 4), np.zeros(4 * RATE, np.float32)])
    codes = sound_fingerprint(half, RATE).array
    assert codes[:60].all()
    assert not codes[90:].any()


def test_an_index_finds_the_right_one(sounds: list[np.ndarray], stored: dict[str, SoundPrint]) -> None:
    index = SoundIndex(stored)
    rng = np.random.default_rng(1)
    for number, sound in enumerate(sounds):
        part = sound[RATE : 6 * RATE] + rng.normal(size=5 * RATE) * sound.std() / 10
        query = sound_fingerprint(part.astype(np.float32), RATE)
        found = index.best(query)
        assert found is not None
        assert found[0] == str(number)
        assert found[1] == compare_sound(query, stored[str(number)])
    assert index.best(sound_fingerprint(gibberish(99), RATE)) is None


def test_an_index_of_nothing_finds_nothing(stored: dict[str, SoundPrint]) -> None:
    for empty in ({}, {"silent": SoundPrint(b"")}, {"masked": SoundPrint(bytes(400))}):
        assert SoundIndex(empty).best(stored["0"]) is None
    assert SoundIndex(stored).best(SoundPrint(b"")) is None


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros((100, 2), np.float32), RATE),
        (np.zeros(100, np.int16), RATE),
        (np.zeros(100, np.float32), 100),
        (np.array([0, np.nan], np.float32), RATE),
    ],
)
def test_unusable_sound_is_refused(samples: np.ndarray, rate: int) -> None:
    with pytest.raises(ValueError, match=r"samples|rate"):
        sound_fingerprint(samples, rate)
    assert sound_fingerprint(np.zeros(1000, np.float32), RATE) == SoundPrint(b"")
