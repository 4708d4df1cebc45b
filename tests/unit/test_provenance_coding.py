"""The channel code and the keyed chips: known answers, error correction, key separation."""

import numpy as np
import pytest

from byline.provenance.marks.base import BadPayload
from byline.provenance.marks.coding import Code, crc24
from byline.provenance.marks.patterns import BadMarkKey, Layout, permutation, signs, stream

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
