"""Binary BCH codes (Bose, Ray-Chaudhuri 1960; Hocquenghem 1959), systematic and shortened.

Promises: `encode` and `decode` of one code agree, `decode` corrects up to t errors and returns None
where it finds no word within t. With m = 7 and the polynomial x^7 + x^3 + 1 the check bits are those
of TrustMark's data layer (tests hold its known answers). Bits are lists of 0 and 1, high bit first.
Pure Python: a word is some hundred bits and one is decoded per clip.
"""

from functools import cache

_PRIMITIVE = {5: 0x25, 6: 0x43, 7: 0x89, 8: 0x11D, 9: 0x211, 10: 0x409}


class Bch:
    """The code over GF(2^m) that corrects `t` errors. ValueError for numbers that make no code."""

    def __init__(self, m: int, t: int) -> None:
        if m not in _PRIMITIVE or t < 1:
            raise ValueError("no such code")
        self.m, self.t, self.length = m, t, (1 << m) - 1
        self._exp = [1]
        for _ in range(self.length - 1):
            value = self._exp[-1] << 1
            self._exp.append(value ^ _PRIMITIVE[m] if value >> m else value)
        self._log = {value: power for power, value in enumerate(self._exp)}
        self._generator = self._make_generator()
        self.check_bits = self._generator.bit_length() - 1
        if self.check_bits >= self.length:
            raise ValueError("no bits are left for data")

    def _make_generator(self) -> int:
        """Product of the minimal polynomials of alpha, alpha^3, ... alpha^(2t - 1), as bits of an int."""
        product, done = 1, set()
        for power in range(1, 2 * self.t, 2):
            if power in done:
                continue
            conjugates = set()
            current = power
            while current not in conjugates:
                conjugates.add(current)
                current = 2 * current % self.length
            done |= conjugates
            minimal = [1]  # coefficients in GF(2^m), low degree first
            for root in conjugates:
                shifted = [0, *minimal]
                scaled = [self._multiply(value, self._exp[root]) for value in minimal] + [0]
                minimal = [a ^ b for a, b in zip(shifted, scaled, strict=True)]
            product = _multiply_binary(product, sum(bit << i for i, bit in enumerate(minimal)))
        return product

    def _multiply(self, a: int, b: int) -> int:
        return self._exp[(self._log[a] + self._log[b]) % self.length] if a and b else 0

    def encode(self, data: list[int]) -> list[int]:
        """The check bits of some data bits. ValueError when the code is too short for them."""
        if len(data) + self.check_bits > self.length:
            raise ValueError("too many bits for this code")
        remainder = 0
        for bit in [*data, *[0] * self.check_bits]:
            remainder = remainder << 1 | bit
            if remainder >> self.check_bits:
                remainder ^= self._generator
        return [remainder >> i & 1 for i in range(self.check_bits - 1, -1, -1)]

    def decode(self, word: list[int]) -> tuple[list[int], int] | None:
        """(corrected word, errors) for data bits followed by check bits; None beyond t errors."""
        count = len(word)
        places = [count - 1 - i for i, bit in enumerate(word) if bit]
        syndromes = []
        for power in range(1, 2 * self.t + 1):
            value = 0
            for place in places:
                value ^= self._exp[power * place % self.length]
            syndromes.append(value)
        if not any(syndromes):
            return list(word), 0
        locator = self._locator(syndromes)
        degree = len(locator) - 1
        if degree > self.t:
            return None
        wrong = [place for place in range(count) if self._is_root(locator, -place % self.length)]
        if len(wrong) != degree:
            return None
        fixed = list(word)
        for place in wrong:
            fixed[count - 1 - place] ^= 1
        return fixed, degree

    def _locator(self, syndromes: list[int]) -> list[int]:
        """Berlekamp's and Massey's shortest register, low degree first (Massey 1969)."""
        current, before = [1], [1]
        size, shift, last = 0, 1, 1
        for n, syndrome in enumerate(syndromes):
            delta = syndrome
            for i in range(1, min(size, len(current) - 1) + 1):
                delta ^= self._multiply(current[i], syndromes[n - i])
            if not delta:
                shift += 1
                continue
            factor = self._exp[(self._log[delta] - self._log[last]) % self.length]
            moved = [0] * shift + [self._multiply(factor, value) for value in before]
            width = max(len(current), len(moved))
            padded = [v ^ w for v, w in zip(_pad(current, width), _pad(moved, width), strict=True)]
            if 2 * size <= n:
                before, last, shift, size = current, delta, 1, n + 1 - size
            else:
                shift += 1
            current = padded
        while len(current) > 1 and not current[-1]:
            current.pop()
        return current

    def _is_root(self, locator: list[int], power: int) -> bool:
        value = 0
        for degree, coefficient in enumerate(locator):
            if coefficient:
                value ^= self._exp[(self._log[coefficient] + degree * power) % self.length]
        return value == 0


@cache
def code(m: int, t: int) -> Bch:
    """One code of each kind per process."""
    return Bch(m, t)


def _pad(values: list[int], width: int) -> list[int]:
    return values + [0] * (width - len(values))


def _multiply_binary(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = a << 1, b >> 1
    return product
