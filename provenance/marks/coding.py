"""Channel code of the marks: payload + CRC-24 + convolutional code, read back by soft Viterbi.

CRC-24 is OpenPGP's (RFC 9580 section 6.1). The inner code is the standard constraint-length 9,
rate 1/4 code with generators 463, 535, 733, 745 (octal), terminated by eight zero bits, so that
a 64-bit payload becomes (64 + 24 + 8) * 4 = 384 code symbols. Pure functions of numbers: keys,
chips and pictures live elsewhere.
"""

import numpy as np
from numpy.typing import NDArray

from byline.provenance.marks.base import BadPayload

CRC_BITS = 24
_CONSTRAINT = 9
_TAIL = _CONSTRAINT - 1
_STATES = 1 << _TAIL
_GENERATORS = (0o463, 0o535, 0o733, 0o745)
RATE = len(_GENERATORS)

# Output symbols (+1 for bit 0, -1 for bit 1) of every 9-bit register content.
_SYMBOLS = np.array(
    [[1 - 2 * ((register & g).bit_count() & 1) for g in _GENERATORS] for register in range(2 * _STATES)],
    dtype=np.float32,
)
# State n is reached with input bit n >> 7 from one of two predecessors.
_state = np.arange(_STATES)
_INPUT = _state >> (_TAIL - 1)
_FROM_EVEN = (_state << 1) & (_STATES - 1)
_FROM_ODD = _FROM_EVEN | 1
_OUT_EVEN = _SYMBOLS[(_INPUT << _TAIL) | _FROM_EVEN].T.copy()  # (4, 256)
_OUT_ODD = _SYMBOLS[(_INPUT << _TAIL) | _FROM_ODD].T.copy()


def crc24(value: int, bits: int) -> int:
    """CRC-24 (init B704CE, polynomial 864CFB) of the `bits` low bits of `value`, high bit first."""
    register = 0xB704CE
    for position in range(bits - 1, -1, -1):
        register ^= (value >> position & 1) << 23
        register = (register << 1 ^ 0x864CFB if register & 0x800000 else register << 1) & 0xFFFFFF
    return register


def _to_bits(value: int, count: int) -> list[int]:
    return [value >> position & 1 for position in range(count - 1, -1, -1)]


class Code:
    """Encoder and decoder for payloads of one width."""

    def __init__(self, payload_bits: int) -> None:
        self.payload_bits = payload_bits
        self.symbols = (payload_bits + CRC_BITS + _TAIL) * RATE

    def encode(self, payload: int) -> NDArray[np.float32]:
        """Payload -> (symbols,) of +-1. BadPayload if it does not fit."""
        if not 0 <= payload < 1 << self.payload_bits:
            raise BadPayload(f"the payload does not fit into {self.payload_bits} bits")
        word = payload << CRC_BITS | crc24(payload, self.payload_bits)
        state, out = 0, []
        for bit in _to_bits(word, self.payload_bits + CRC_BITS) + [0] * _TAIL:
            register = bit << _TAIL | state
            out.append(_SYMBOLS[register])
            state = register >> 1
        return np.concatenate(out)

    def decode(self, soft: NDArray[np.floating]) -> int | None:
        """(symbols,) soft values, positive for +1 -> the most likely payload, None if its CRC fails.

        Viterbi always answers something; a payload is worth nothing before the caller's correlation
        test with the re-encoded word (threshold.py).
        """
        if soft.shape != (self.symbols,):
            raise ValueError(f"expected {self.symbols} soft values, got {soft.shape}")
        steps = soft.reshape(-1, RATE).astype(np.float32)
        gain_even, gain_odd = steps @ _OUT_EVEN, steps @ _OUT_ODD  # (T, 256) branch metrics
        metric = np.full(_STATES, -np.inf, np.float32)
        metric[0] = 0.0
        odd_won = np.zeros((len(steps), _STATES), bool)
        for t in range(len(steps)):
            even = metric[_FROM_EVEN] + gain_even[t]
            odd = metric[_FROM_ODD] + gain_odd[t]
            odd_won[t] = odd > even
            metric = np.maximum(even, odd)
            if t >= len(steps) - _TAIL:  # tail bits are zero by construction
                metric[_INPUT == 1] = -np.inf
        state, word = 0, 0
        for t in range(len(steps) - 1, -1, -1):
            if t < len(steps) - _TAIL:
                word |= (state >> (_TAIL - 1)) << (len(steps) - _TAIL - 1 - t)
            state = (state << 1 & (_STATES - 1)) | int(odd_won[t, state])
        payload = word >> CRC_BITS
        return payload if crc24(payload, self.payload_bits) == word & 0xFFFFFF else None
