"""Channel codes of the marks, read back by soft Viterbi.

`Code`: payload + CRC-24 (OpenPGP's, RFC 9580 section 6.1) + the standard constraint-length 9, rate 1/4
code with generators 463, 535, 733, 745 (octal), terminated by eight zero bits, so that a 32-bit
payload becomes (32 + 24 + 8) * 4 = 256 code symbols.
`TailBitingCode`: no checksum and no tail, every symbol works for the payload; constraint length 13,
rate 1/8. A checksum is not needed where the caller's correlation test already bounds false accepts
over all payloads (threshold.py), and 64 bits without 24 + 8 more need 1.8 dB less.
Pure functions of numbers: keys, chips and pictures live elsewhere.
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


class TailBitingCode:
    """Rate 1/8, constraint length 13, circular: the register starts in the state it will end in.

    The generators come from a random search for the largest minimum weight over short inputs (67);
    circular words are decoded by running Viterbi once around with a lead-in and a lead-out (Shao,
    Lin & Fossorier, IEEE Trans. Commun. 51, 2003).
    """

    _MEMORY = 12
    _GENERATORS = (0o13651, 0o16325, 0o12275, 0o17333, 0o15345, 0o16361, 0o14773, 0o11323)
    _LEAD = 48  # four times the memory on both sides: the start state no longer matters

    def __init__(self, payload_bits: int) -> None:
        self.payload_bits = payload_bits
        self.symbols = payload_bits * len(self._GENERATORS)
        registers = np.arange(2 << self._MEMORY)
        parity = np.stack([np.bitwise_count(registers & g) & 1 for g in self._GENERATORS])
        self._outputs = (1 - 2 * parity.astype(np.float32)).astype(np.float32)  # (8, 8192)

    def encode(self, payload: int) -> NDArray[np.float32]:
        """Payload -> (symbols,) of +-1. BadPayload if it does not fit."""
        if not 0 <= payload < 1 << self.payload_bits:
            raise BadPayload(f"the payload does not fit into {self.payload_bits} bits")
        bits = _to_bits(payload, self.payload_bits)
        state = 0
        for bit in bits[-self._MEMORY :]:
            state = (bit << self._MEMORY | state) >> 1
        out = []
        for bit in bits:
            register = bit << self._MEMORY | state
            out.append(self._outputs[:, register])
            state = register >> 1
        return np.concatenate(out)

    def decode(self, soft: NDArray[np.floating]) -> int:
        """(symbols,) soft values, positive for +1 -> the (nearly) most likely payload, right or wrong."""
        if soft.shape != (self.symbols,):
            raise ValueError(f"expected {self.symbols} soft values, got {soft.shape}")
        steps = soft.reshape(self.payload_bits, -1).astype(np.float32)
        order = np.arange(-self._LEAD, self.payload_bits + self._LEAD) % self.payload_bits
        gains = steps @ self._outputs  # (bits, 8192), register = input bit, then the state's bits
        half = 1 << (self._MEMORY - 1)
        metric = np.zeros(2 * half, np.float32)
        odd_won = np.empty((len(order), 2, half), bool)
        for t, position in enumerate(order):
            # New state n (top bit: the input) comes from old states 2n and 2n + 1 without their top bit.
            arrived = metric + gains[position].reshape(2, 2 * half)
            even, odd = arrived[:, 0::2], arrived[:, 1::2]
            np.greater(odd, even, out=odd_won[t])
            metric = np.maximum(even, odd).reshape(-1)
        state, payload = int(metric.argmax()), 0
        for t in range(len(order) - 1, self._LEAD - 1, -1):
            top, rest = divmod(state, half)
            if t < self._LEAD + self.payload_bits:
                payload |= top << (self.payload_bits - 1 - (t - self._LEAD))
            state = 2 * rest + int(odd_won[t, top, rest])
        return payload
