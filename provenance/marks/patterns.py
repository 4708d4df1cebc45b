"""Keyed chips: which cell of a tile carries what, and with which sign.

Every choice comes from ChaCha20 (RFC 8439) under a sub-key HMAC-SHA-256(key, label), never from
numpy's generator: the false-accept bound in threshold.py and the secrecy of the mark both need
signs that nobody without the key can tell from fair coin flips. One layout serves picture and
speech: a share of the cells is a fixed synchronisation template, the rest carries code symbols.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from byline.audit.base.errors import ConfigurationError

KEY_BYTES = 32
_ROUNDS = 4


class BadMarkKey(ConfigurationError):
    """A watermark key that is not 32 bytes."""

    code = "bad_mark_key"


def stream(key: bytes, label: str, count: int) -> bytes:
    """`count` bytes of ChaCha20 key stream under a sub-key for `label`. BadMarkKey unless 32 key bytes."""
    if len(key) != KEY_BYTES:
        raise BadMarkKey(f"a watermark key is {KEY_BYTES} bytes, this one has {len(key)}")
    subkey = hmac.digest(key, b"byline mark " + label.encode(), hashlib.sha256)
    return Cipher(ChaCha20(subkey, bytes(16)), mode=None).encryptor().update(bytes(count))


def signs(key: bytes, label: str, count: int) -> NDArray[np.float32]:
    """(count,) fair +-1."""
    bits = np.unpackbits(np.frombuffer(stream(key, label, -(-count // 8)), np.uint8))[:count]
    return 1 - 2 * bits.astype(np.float32)


def permutation(key: bytes, label: str, count: int) -> NDArray[np.int64]:
    """A random order of range(count): the sort order of 64-bit random words."""
    words = np.frombuffer(stream(key, label, 8 * count), "<u8")
    return np.argsort(words, kind="stable")


def scramble(key: bytes, label: str, value: int, bits: int) -> int:
    """A keyed permutation of the numbers of `bits` bits (even): ids that look alike become code words
    that do not, so that a short list of neighbouring ids can be told apart by correlation.

    Four Feistel rounds with HMAC-SHA-256 (Luby & Rackoff, SIAM J. Comput. 17, 1988).
    """
    half = bits // 2
    left, right = value >> half, value & ((1 << half) - 1)
    for number in range(_ROUNDS):
        left, right = right, left ^ _round(key, label, number, right, half)
    return left << half | right


def unscramble(key: bytes, label: str, value: int, bits: int) -> int:
    """The inverse of `scramble`."""
    half = bits // 2
    left, right = value >> half, value & ((1 << half) - 1)
    for number in reversed(range(_ROUNDS)):
        left, right = right ^ _round(key, label, number, left, half), left
    return left << half | right


def _round(key: bytes, label: str, number: int, value: int, bits: int) -> int:
    message = f"byline mark {label}: round {number}: {value}".encode()
    return int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:8], "big") >> (64 - bits)


class _Code(Protocol):
    symbols: int

    def encode(self, payload: int) -> NDArray[np.float32]: ...

    def decode(self, soft: NDArray[np.floating]) -> int | None: ...


class Layout:
    """The cells of one tile under one key: a sync template and a place for every code symbol."""

    def __init__(self, key: bytes, label: str, cells: int, code: _Code, sync_share: float) -> None:
        order = permutation(key, f"{label}: order", cells)
        count = round(cells * sync_share)
        self.cells = cells
        self.code = code
        self.sync_cells = order[:count]
        self.data_cells = order[count:]
        sign = signs(key, f"{label}: signs", cells)
        self.sync_signs = sign[self.sync_cells]
        self._data_signs = sign[self.data_cells]
        self._symbol = np.arange(len(self.data_cells)) % code.symbols
        self.template = np.zeros(cells, np.float32)  # the sync template alone
        self.template[self.sync_cells] = self.sync_signs

    def tile(self, payload: int) -> NDArray[np.float32]:
        """(cells,) of +-1: template and payload together."""
        tile = self.template.copy()
        tile[self.data_cells] = self.code.encode(payload)[self._symbol] * self._data_signs
        return tile

    def decode(self, chips: NDArray[np.floating]) -> tuple[int, float, float] | None:
        """(cells,) received chips -> (payload, score over all cells, score over data cells).

        A score is <chips, tile> / |chips|: at most sqrt(cells), and under any host that does not know
        the key P(score >= t) <= exp(-t*t/2) per tile tested. None if the CRC fails.
        """
        data = chips[self.data_cells]
        soft = np.bincount(self._symbol, data * self._data_signs, self.code.symbols).astype(np.float64)
        payload = self.code.decode(soft)
        return None if payload is None else self.score(chips, payload)

    def best_of(
        self, chips: NDArray[np.floating], candidates: Sequence[int]
    ) -> tuple[int, float, float] | None:
        """Like `decode`, but the answer is one of a short list: no code to break, only tiles to compare.

        Judge it by the data cells (the third value): the template alone says "some mark of this key".
        """
        scored = [found for payload in candidates if (found := self.score(chips, payload)) is not None]
        return max(scored, key=lambda found: found[2], default=None)

    def score(self, chips: NDArray[np.floating], payload: int) -> tuple[int, float, float] | None:
        """(payload, score over all cells, score over data cells); None for chips without any signal."""
        data, tile = chips[self.data_cells], self.tile(payload)
        whole, part = float(np.linalg.norm(chips)), float(np.linalg.norm(data))
        if part == 0.0:
            return None
        return payload, float(chips @ tile) / whole, float(data @ tile[self.data_cells]) / part
