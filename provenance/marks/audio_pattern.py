"""The keyed pattern of the speech mark: which cell of the spectrogram carries what, and with which sign.

The pattern runs for PERIOD blocks (41 s) before it repeats, and each id starts it at another point: averaging
many clips, or the parts of one, does not uncover it. In every GROUP of blocks (0.4 s) a fifth of the cells is
a fixed template to synchronise with, the others carry each code symbol twice; so any passage, wherever it was
cut, holds the whole id. Signs and places come from ChaCha20 under sub-keys named after VERSION (patterns.py).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from byline.provenance.marks.audio_spectrum import BANDS, Cells
from byline.provenance.marks.base import BadPayload
from byline.provenance.marks.coding import TailBitingCode
from byline.provenance.marks.patterns import scramble, signs, stream, unscramble

VERSION = "audio v2"
PAYLOAD_BITS = 32
GROUP, GROUPS = 9, 108
PERIOD = GROUP * GROUPS  # blocks

_CODE = TailBitingCode(PAYLOAD_BITS)
_DATA = GROUP * BANDS // _CODE.symbols * _CODE.symbols  # cells of a group
_SYNC = GROUP * BANDS - _DATA


class Pattern:
    """One key's pattern. Positions are blocks from the start of the period, modulo PERIOD."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        cells = PERIOD * BANDS
        words = np.frombuffer(stream(key, f"{VERSION}: order", 8 * cells), "<u8").reshape(GROUPS, -1)
        symbol = np.full(words.shape, -1, np.int16)  # -1: template
        np.put_along_axis(
            symbol,
            np.argsort(words, axis=1)[:, _SYNC:],
            (np.arange(_DATA) % _CODE.symbols).astype(np.int16)[None],
            axis=1,
        )
        self._symbol = symbol.reshape(PERIOD, BANDS)
        self._signs = signs(key, f"{VERSION}: signs", cells).reshape(PERIOD, BANDS)
        template = np.where(self._symbol < 0, self._signs, 0).astype(np.float32)
        self._template = np.conj(fft.rfft(template, axis=0))

    def start(self, payload: int) -> int:
        """Where the pattern of this id begins: the position of the sound's first block."""
        word = stream(self._key, f"{VERSION}: start {payload}", 8)
        return int.from_bytes(word, "big") % PERIOD

    def rows(self, payload: int, positions: NDArray[np.integer]) -> NDArray[np.float32]:
        """(n,) positions -> (n, BANDS) of +-1, template and id together. BadPayload if it does not fit."""
        return self._with(self._code_word(payload), positions % PERIOD)

    def fits(self, spectrum: NDArray[np.complexfloating]) -> NDArray[np.floating]:
        """rfft along time of (PERIOD, BANDS) residuals -> (PERIOD,) correlation with the template.

        Element p says how well the residuals fit if the first of them lies at position p.
        """
        summed = np.conj((spectrum * self._template).sum(axis=1))
        return np.asarray(fft.irfft(summed, PERIOD))

    def decode(self, residuals: Cells, position: int) -> tuple[int, float]:
        """(blocks, BANDS) residuals, the first at `position` -> the nearest id and its data score."""
        rows = (position + np.arange(len(residuals))) % PERIOD
        symbol = self._symbol[rows]
        data = symbol >= 0
        weights = (residuals * self._signs[rows])[data]
        soft = np.bincount(symbol[data], weights, _CODE.symbols).astype(np.float64)
        word = _CODE.decode(soft)
        payload = unscramble(self._key, VERSION, word, PAYLOAD_BITS)
        return payload, self._score(residuals, rows, word)

    def nearest(self, residuals: Cells, position: int, candidates: Sequence[int]) -> tuple[int, float]:
        """Like `decode`, but the answer is one of at least one candidate."""
        rows = (position + np.arange(len(residuals))) % PERIOD
        scores = [self._score(residuals, rows, self._scrambled(payload)) for payload in candidates]
        best = int(np.argmax(scores))
        return candidates[best], scores[best]

    def _score(self, residuals: Cells, rows: NDArray[np.integer], word: int) -> float:
        """<x, w> / |x| over the data cells alone.

        The template is left out on purpose: it tells that a mark of this key is there, whatever the id.
        Its signs chose the position, the data's did not, so that each decoding is one hypothesis.
        """
        data = np.where(self._symbol[rows] >= 0, residuals, 0)
        length = float(np.linalg.norm(data))
        return float(np.sum(data * self._with(_CODE.encode(word), rows))) / length if length else 0.0

    def _scrambled(self, payload: int) -> int:
        return scramble(self._key, VERSION, payload, PAYLOAD_BITS)

    def _code_word(self, payload: int) -> NDArray[np.float32]:
        if not 0 <= payload < 1 << PAYLOAD_BITS:
            raise BadPayload(f"the payload does not fit into {PAYLOAD_BITS} bits")
        return _CODE.encode(self._scrambled(payload))

    def _with(self, code_word: NDArray[np.float32], rows: NDArray[np.integer]) -> NDArray[np.float32]:
        symbol = self._symbol[rows]
        return np.where(symbol >= 0, code_word[symbol], np.float32(1)) * self._signs[rows]
