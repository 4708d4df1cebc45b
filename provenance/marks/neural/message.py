"""How a payload becomes the message bits of a network, and what chance it has to be read by accident.

The payload is filled up with zeros to the data bits of a BCH code and the word is masked with a
stream of the key (SHAKE-256). Whatever bits a network answers on media that was never marked, they
were chosen without the key, so the unmasked word is uniform: it lies within t errors of one of the
2^payload accepted words with probability 2^payload * sum C(n, <=t) / 2^n, for any network. t is the
most the code can correct while that, times keys and trials, stays within FALSE_ACCEPT; where no t
does, no bound exists and the message is refused. In registry mode only the short list counts, and
more errors may be forgiven by the same sum.
"""

import hashlib
import math
from collections.abc import Sequence

from byline.audit.base.errors import ConfigurationError
from byline.provenance.marks.base import FALSE_ACCEPT, BadPayload
from byline.provenance.marks.neural import bch


def chance(bits: int, errors: int) -> float:
    """Probability that a uniform word of `bits` agrees with a given one in all but `errors` places."""
    return float(sum(math.comb(bits, k) for k in range(errors + 1)) / 2**bits)


def forgiven(bits: int, hypotheses: float, *, false_accept: float = FALSE_ACCEPT) -> int:
    """The most errors for which `hypotheses` * chance stays within `false_accept`; -1 where none does."""
    allowed = -1
    while allowed + 1 <= bits // 2 and hypotheses * chance(bits, allowed + 1) <= false_accept:
        allowed += 1
    return allowed


def mask(key: bytes, label: str, bits: int) -> list[int]:
    """The first bits of a stream that only the key's holder knows."""
    stream = hashlib.shake_256(f"byline {label}\0".encode() + key).digest(-(-bits // 8))
    return [stream[i // 8] >> (7 - i % 8) & 1 for i in range(bits)]


def bits_of(value: int, count: int) -> list[int]:
    """High bit first. BadPayload if it does not fit."""
    if not 0 <= value < 1 << count:
        raise BadPayload(f"the payload does not fit into {count} bits")
    return [value >> i & 1 for i in range(count - 1, -1, -1)]


def value_of(bits: Sequence[int]) -> int:
    value = 0
    for bit in bits:
        value = value << 1 | bit
    return value


class MaskedMessage:
    """Payloads of `payload_bits` in messages of `bits`, for several keys; the first one writes.

    `trials` is how many readings of one clip are tried (mirrored, ...). ConfigurationError when the
    message is too short to keep the false accept bound.
    """

    def __init__(
        self, bits: int, payload_bits: int, keys: Sequence[bytes], *, label: str, trials: int
    ) -> None:
        if not keys:
            raise ConfigurationError("a mark needs at least one key")
        self.bits, self.payload_bits = bits, payload_bits
        self._used = bits - 1 if bits & (bits - 1) == 0 else bits  # 256 bits hold a word of 255
        self._masks = [mask(key, label, bits) for key in keys]
        self._hypotheses = len(keys) * trials
        self._code = self._strongest()

    def _strongest(self) -> bch.Bch:
        m = max(5, self._used.bit_length())
        best = None
        for t in range(1, self._used // 2):
            try:
                candidate = bch.code(m, t)
            except (ValueError, KeyError):
                break
            if candidate.check_bits + self.payload_bits > self._used:
                break
            if 2.0**self.payload_bits * self._hypotheses * chance(self._used, t) <= FALSE_ACCEPT:
                best = candidate
        if best is None:
            raise ConfigurationError(
                f"{self.bits} message bits cannot carry {self.payload_bits} bits with a stated bound",
                help="Use a network with a longer message.",
            )
        return best

    @property
    def errors(self) -> int:
        """How many wrong bits of a blind reading are corrected."""
        return self._code.t

    def encode(self, payload: int, key_index: int = 0) -> list[int]:
        """The message bits to write. BadPayload."""
        data = bits_of(payload, self.payload_bits)
        data += [0] * (self._used - self._code.check_bits - self.payload_bits)
        word = [*data, *self._code.encode(data), *[0] * (self.bits - self._used)]
        return [a ^ b for a, b in zip(word, self._masks[key_index], strict=True)]

    def decode(self, bits: Sequence[int]) -> tuple[int, int] | None:
        """(payload, key index) of a blind reading, None where no key makes it a word."""
        for index, own in enumerate(self._masks):
            word = [a ^ b for a, b in zip(bits, own, strict=True)][: self._used]
            found = self._code.decode(word)
            if found is None:
                continue
            data = found[0][: self._used - self._code.check_bits]
            if not any(data[self.payload_bits :]):
                return value_of(data[: self.payload_bits]), index
        return None

    def nearest(self, bits: Sequence[int], candidates: Sequence[int]) -> tuple[int, int] | None:
        """(payload, key index) of the candidate that a reading is near enough to, None without one."""
        allowed = forgiven(self.bits, len(candidates) * self._hypotheses) if candidates else -1
        best: tuple[int, int, int] | None = None
        for index in range(len(self._masks)):
            for payload in candidates:
                expected = self.encode(payload, index)
                wrong = sum(a != b for a, b in zip(bits, expected, strict=True))
                if wrong <= allowed and (best is None or wrong < best[0]):
                    best = wrong, payload, index
        return best[1:] if best is not None else None
