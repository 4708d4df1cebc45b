"""The channel code and the keyed chips: known answers, error correction, key separation."""

import numpy as np
import pytest

from byline.provenance.marks.base import BadPayload
from byline.provenance.marks.coding import Code, TailBitingCode, crc24
from byline.provenance.marks.patterns import (
    BadMarkKey,
    Layout,
    permutation,
    scramble,
    signs,
    stream,
    unscramble,
)

KEY = bytes(range(32))
PAYLOAD = 0x0123456789ABCDEF


def test_crc24_openpgp_check_value() -> None:
    assert crc24(int.from_bytes(b"123456789", "big"), 72) == 0x21CF02


def test_first_symbols_follow_the_generators() -> None:
    # A leading 1 in an empty register outputs the top bit of 463, 535, 733, 745 (octal): all ones.
    symbols = Code(64).encode(1 << 63)
    assert symbols.shape == (384,)
    assert symbols[:4].tolist() == [-1, -1, -1, -1]
    # One step later that 1 has moved down: the next bit of each generator.
    assert symbols[4:8].tolist() == [1 - 2 * (g >> 7 & 1) for g in (0o463, 0o535, 0o733, 0o745)]


@pytest.mark.parametrize("bits", [32, 64])
def test_noise_is_corrected_and_garbage_is_not_accepted(bits: int) -> None:
    rng = np.random.default_rng(3)
    code = Code(bits)
    payload = PAYLOAD >> (64 - bits)
    clean = code.encode(payload)
    assert code.decode(clean) == payload
    assert code.decode(clean + rng.normal(0, 1.2, clean.shape)) == payload  # 20 % raw bit errors
    assert [code.decode(rng.normal(0, 1, clean.shape)) for _ in range(20)] == [None] * 20


def test_payload_outside_its_width() -> None:
    for payload in (-1, 2**64):
        with pytest.raises(BadPayload):
            Code(64).encode(payload)


def test_chips_are_fixed_by_key_and_label() -> None:
    assert stream(KEY, "x", 8).hex() == "a72214161ed7c20a"
    assert np.array_equal(signs(KEY, "x", 1000), signs(KEY, "x", 1000))
    assert abs(float(signs(KEY, "x", 4000) @ signs(KEY, "y", 4000))) < 300
    assert abs(float(signs(KEY, "x", 4000) @ signs(bytes(32), "x", 4000))) < 300
    assert sorted(permutation(KEY, "x", 500).tolist()) == list(range(500))
    with pytest.raises(BadMarkKey):
        signs(b"short", "x", 3)


def test_layout_reads_its_own_tile_and_no_other_key() -> None:
    layout = Layout(KEY, "t", 36 * 36, Code(64), 0.3)
    tile = layout.tile(PAYLOAD)
    assert set(np.unique(tile)) == {-1.0, 1.0}
    noisy = tile + np.random.default_rng(0).normal(0, 1.5, tile.shape)
    found = layout.decode(noisy)
    assert found is not None
    assert found[0] == PAYLOAD
    assert layout.decode(tile) == pytest.approx((PAYLOAD, 36.0, len(layout.data_cells) ** 0.5))
    assert Layout(bytes(32), "t", 36 * 36, Code(64), 0.3).decode(tile) is None
    assert layout.decode(np.zeros(36 * 36)) is None


def test_the_circular_code_reads_words_near_the_acceptance_threshold() -> None:
    rng = np.random.default_rng(4)
    code = TailBitingCode(64)
    assert code.decode(code.encode(PAYLOAD)) == PAYLOAD
    right = 0
    for _ in range(20):
        payload = int(rng.integers(1 << 63))
        word = code.encode(payload)
        right += code.decode(word * 12 / len(word) ** 0.5 + rng.normal(size=word.shape)) == payload
    assert right >= 17  # 98 of 100 in a longer run: a score of 12 is where the picture mark is accepted
    with pytest.raises(BadPayload):
        code.encode(2**64)


def test_the_circular_code_has_no_weak_bit() -> None:
    code = TailBitingCode(64)
    zero = code.encode(0)
    distances = {int((code.encode(1 << place) != zero).sum()) for place in range(64)}
    assert len(distances) == 1  # circular: every bit is protected alike
    assert distances.pop() >= 67


def test_scrambling_is_a_permutation_and_parts_neighbours() -> None:
    for value in (0, 1, PAYLOAD, 2**64 - 1):
        assert unscramble(KEY, "x", scramble(KEY, "x", value, 64), 64) == value
    changed = [(scramble(KEY, "x", n, 64) ^ scramble(KEY, "x", n + 1, 64)).bit_count() for n in range(50)]
    assert 28 < np.mean(changed) < 36
    assert scramble(KEY, "x", 5, 64) != scramble(KEY, "y", 5, 64) != scramble(bytes(32), "x", 5, 64)


def test_a_short_list_is_judged_by_the_data_alone() -> None:
    layout = Layout(KEY, "t", 36 * 36, TailBitingCode(64), 0.3)
    right, wrong = scramble(KEY, "t", PAYLOAD, 64), scramble(KEY, "t", PAYLOAD + 1, 64)
    chips = layout.tile(right) + np.random.default_rng(0).normal(0, 2, 36 * 36)
    best = layout.best_of(chips, [wrong, right])
    assert best is not None
    assert best[0] == right
    other = layout.best_of(chips, [wrong])
    assert other is not None
    assert abs(other[2]) < 5.0 < best[2]  # the template fits both, and does not count
