"""Sound fingerprints: does this recording hold a passage of one on record, when nothing else survived?

The method is that of J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system" (ISMIR 2002):
twenty times a second, 32 bits say whether the slope of the energy over 33 bands rose or fell. Lossy codecs,
noise, loudness and cuts leave most bits alone; two different recordings differ in about half of them.
Silence, sound that does not change and lopsided bit patterns are masked: they match each other everywhere.
Similar means that a passage sounds alike, never proof of origin. Leaves out: another speed or pitch (beyond
about 1 % the bits no longer line up; the mark finds those), the same words spoken again, passages under
LEAST_SECONDS and music or noise louder than the sound on record.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

RATES = (8_000, 192_000)
HOP_S = 0.05
MAX_SECONDS = 3600.0  # of one print: 288 kB

# A passage is similar if LEAST_SECONDS of it differ in fewer than MAX_ERRORS of the bits both sides have.
# Haitsma and Kalker derive .35 for 3.3 s; on recorded dialogue the nearest of 6,000 unrelated pairs lay at
# .34 (one at .29) and attacked copies below .2, so a stricter rate costs nothing.
MAX_ERRORS = 0.28
LEAST_SECONDS = 3.0

_VERSION = "01"
_HEX = re.compile(_VERSION + r"(?:[0-9a-f]{8})*")
_WORK_RATE = 12_000
_WINDOW, _HOP, _LAG = 4096, 600, 2  # 0.34 s, 0.05 s; slopes are compared 0.1 s apart
_LOW_HZ, _HIGH_HZ, _BITS = 300.0, 3400.0, 32
_SILENCE = 1e-6  # of full-scale power
_QUIET = 1e-5  # of the loud parts' power
_STEADY = 1e-3  # change of slopes over energy
_MOST_ALIKE = 26  # a code with more equal bits than this says next to nothing
_MASKED = 0  # itself a lopsided code, so no code is lost
_SPAN = round(LEAST_SECONDS / HOP_S)
_LEAST_CODES = _SPAN // 2  # unmasked on both sides of a span
_CHUNK = 64  # alignments compared at once

Codes = NDArray[np.uint32]


@dataclass(frozen=True)
class SoundPrint:
    """`codes`: four bytes (big-endian) for every `hop_s` seconds; four zero bytes mask a moment."""

    codes: bytes
    hop_s: float = HOP_S

    @property
    def seconds(self) -> float:
        return len(self.codes) // 4 * self.hop_s

    @property
    def array(self) -> Codes:
        """(n,) the codes as numbers, 0 where masked."""
        return np.frombuffer(self.codes, ">u4").astype(np.uint32)

    def to_hex(self) -> str:
        """Version and codes, 160 digits a second."""
        return _VERSION + self.codes.hex()

    @classmethod
    def from_hex(cls, text: str) -> "SoundPrint":
        """The inverse of `to_hex`. ValueError for anything else."""
        if len(text) > 8 * MAX_SECONDS / HOP_S + len(_VERSION):
            raise ValueError(f"a sound print lasts {MAX_SECONDS:.0f} s at most")
        if not _HEX.fullmatch(text):
            raise ValueError(f"a sound print is {_VERSION} and groups of eight lower-case hex digits")
        return cls(bytes.fromhex(text[len(_VERSION) :]))


@dataclass(frozen=True)
class SoundSimilarity:
    """`matched_seconds` of the query agree with the record, differing in `bit_error_rate` of the bits.

    `offset_s`: where the query starts on the record's time line (negative if it starts earlier).
    Not similar: 0 s matched, and the rate and offset of the nearest LEAST_SECONDS (1.0 and 0.0 if none
    could be compared).
    """

    matched_seconds: float
    bit_error_rate: float
    offset_s: float
    similar: bool


_NOTHING = SoundSimilarity(0.0, 1.0, 0.0, False)


def sound_fingerprint(samples: NDArray[np.floating], rate: int) -> SoundPrint:
    """(N,) mono floats, full scale +-1, at `rate` Hz -> its print; empty below about half a second.

    ValueError for another shape or type, NaN or infinity, a rate outside RATES or over MAX_SECONDS.
    """
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise ValueError("samples are a one-dimensional array of floats, full scale +-1")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"the sample rate must lie between {RATES[0]} and {RATES[1]} Hz")
    if len(samples) > MAX_SECONDS * rate:
        raise ValueError(f"a sound print lasts {MAX_SECONDS:.0f} s at most")
    if not np.isfinite(samples).all():
        raise ValueError("the samples contain NaN or infinity")
    from scipy import signal

    common = gcd(rate, _WORK_RATE)
    work = signal.resample_poly(samples.astype(np.float32), _WORK_RATE // common, rate // common)
    if len(work) < _WINDOW + _LAG * _HOP:
        return SoundPrint(b"")
    energy = _energies(work)
    slope = energy[:, :-1] - energy[:, 1:]
    change = slope[_LAG:] - slope[:-_LAG]
    codes = np.packbits(change > 0, axis=1).view(">u4")[:, 0].astype(np.uint32)
    total = energy.sum(axis=1)
    both = np.minimum(total[_LAG:], total[:-_LAG])
    audible = both > max(_SILENCE, _QUIET * float(np.percentile(total, 95)))
    moving = np.abs(change).sum(axis=1) > _STEADY * (total[_LAG:] + total[:-_LAG])
    ones = np.bitwise_count(codes)
    telling = (ones <= _MOST_ALIKE) & (ones >= _BITS - _MOST_ALIKE)
    codes[~(audible & moving & telling)] = _MASKED
    return SoundPrint(codes.astype(">u4").tobytes())


def _energies(work: NDArray[np.floating]) -> NDArray[np.floating]:
    """(moments, 33) energy per band, bands equally wide on a logarithmic scale."""
    taper = np.hanning(_WINDOW).astype(np.float32)
    edges = _LOW_HZ * (_HIGH_HZ / _LOW_HZ) ** (np.arange(_BITS + 2) / (_BITS + 1)) * _WINDOW / _WORK_RATE
    low = edges.astype(int)
    part = (edges - low)[None]
    windows = np.lib.stride_tricks.sliding_window_view(work, _WINDOW)[::_HOP]
    out = np.empty((len(windows), _BITS + 1))
    for start in range(0, len(windows), 256):  # an hour of sound never lies in memory as spectra
        spectra = np.fft.rfft(windows[start : start + 256] * taper, axis=1)
        power = np.abs(spectra[:, : low[-1] + 2]) ** 2 / (taper.sum() / 2) ** 2
        summed = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
        at_edges = summed[:, low] * (1 - part) + summed[:, low + 1] * part
        out[start : start + 256] = np.diff(at_edges, axis=1)
    return out


def compare_sound(query: SoundPrint, stored: SoundPrint) -> SoundSimilarity:
    """The longest agreement at any one alignment of the two prints.

    Exact: every alignment is tried, and every span of LEAST_SECONDS in which at least half of the moments
    are unmasked on both sides. `matched_seconds` is the stretch with the most agreement where spans pass.
    """
    offsets = np.arange(_SPAN - len(query.codes) // 4, len(stored.codes) // 4 - _SPAN + 1)
    return _best_alignment(query.array, stored.array, offsets)


def _best_alignment(query: Codes, stored: Codes, offsets: NDArray[np.integer]) -> SoundSimilarity:
    """`offsets`: positions on the record where the query's first code may lie."""
    best = _NOTHING
    if len(query) < _SPAN or len(stored) < _SPAN:
        return best
    for start in range(0, len(offsets), _CHUNK):
        part = offsets[start : start + _CHUNK]
        at = part[:, None] + np.arange(len(query))
        inside = (at >= 0) & (at < len(stored))
        there = stored[np.clip(at, 0, len(stored) - 1)]
        valid = inside & (there != _MASKED) & (query != _MASKED)
        errors = np.where(valid, np.bitwise_count(there ^ query), 0)
        wrong, counted = _running(errors), _running(valid)
        known = counted >= _LEAST_CODES
        rate = np.where(known, wrong / np.maximum(counted * _BITS, 1), 1.0)
        for row in np.flatnonzero(rate.min(axis=1) < max(MAX_ERRORS, best.bit_error_rate)):
            found = _on_diagonal(rate[row], errors[row], valid[row], int(part[row]))
            if _rank(found) > _rank(best):
                best = found
    return best


def _running(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """(alignments, n) -> (alignments, n - _SPAN + 1) sums over spans."""
    summed = np.pad(np.cumsum(values, axis=1, dtype=np.int64), ((0, 0), (1, 0)))
    return np.asarray(summed[:, _SPAN:] - summed[:, :-_SPAN])


def _on_diagonal(
    rate: NDArray[np.floating], errors: NDArray[np.generic], valid: NDArray[np.bool_], offset: int
) -> SoundSimilarity:
    passing = np.flatnonzero(rate < MAX_ERRORS)
    if not len(passing):
        return SoundSimilarity(0.0, float(rate.min()), _seconds(offset), False)
    runs = np.split(passing, np.flatnonzero(np.diff(passing) > _SPAN) + 1)
    run = max(runs, key=lambda r: int(r[-1] - r[0]))
    # Inside these spans, the stretch with the most agreement beyond MAX_ERRORS: spans reach over its ends.
    begin, end = int(run[0]), int(run[-1]) + _SPAN
    gain = np.where(valid[begin:end], _BITS * MAX_ERRORS - errors[begin:end].astype(float), 0.0)
    summed = np.concatenate([[0.0], np.cumsum(gain)])
    last = int((summed - np.minimum.accumulate(summed)).argmax())
    first = last - int(summed[last::-1].argmin())
    if last - first < _SPAN:
        first = int(rate[begin : end - _SPAN + 1].argmin())
        last = first + _SPAN
    stretch = slice(begin + first, begin + last)
    wrong = int(errors[stretch].sum(dtype=np.int64)) / (_BITS * int(valid[stretch].sum()))
    return SoundSimilarity(_seconds(last - first), wrong, _seconds(offset), True)


def _seconds(codes: int) -> float:
    return round(codes * HOP_S, 2)


def _rank(found: SoundSimilarity) -> tuple[bool, float, float]:
    return found.similar, found.matched_seconds, -found.bit_error_rate


class SoundIndex:
    """Many prints, searched by their codes with at most one wrong bit (as in the paper, section 5).

    Fast, not exhaustive: a passage is found when a few of its codes arrived with no or one wrong bit, which
    holds for codecs and cuts and fails under strong noise; the answer itself comes from the same exact
    comparison as `compare_sound`, at the alignments that those codes propose. Immutable; build it anew.
    """

    _CANDIDATES = 24  # alignments compared exactly
    _CROWDED = 512  # a code on more places than this (a jingle, a hum) proposes nothing

    def __init__(self, prints: Mapping[str, SoundPrint]) -> None:
        self._keys = list(prints)
        arrays = [prints[key].array for key in self._keys]
        self._starts = np.cumsum([0, *map(len, arrays)])
        self._codes = np.concatenate([*arrays, np.zeros(0, np.uint32)])
        places = np.flatnonzero(self._codes != _MASKED)
        order = np.argsort(self._codes[places], kind="stable")
        self._places = places[order]
        self._sorted = self._codes[self._places]

    def best(self, query: SoundPrint) -> tuple[str, SoundSimilarity] | None:
        """The print with the longest similar passage and its key, or None if none is similar."""
        codes = query.array
        best: tuple[str, SoundSimilarity] | None = None
        for number, offset in self._proposals(codes):
            stored = self._codes[self._starts[number] : self._starts[number + 1]]
            found = _best_alignment(codes, stored, np.arange(offset - 1, offset + 2))
            if found.similar and (best is None or _rank(found) > _rank(best[1])):
                best = self._keys[number], found
        return best

    def _proposals(self, codes: Codes) -> list[tuple[int, int]]:
        """(print, alignment) pairs with the most codes in common, best first."""
        moments = np.flatnonzero(codes != _MASKED)
        flips = np.concatenate([[0], 1 << np.arange(_BITS)]).astype(np.uint32)
        wanted = (codes[moments, None] ^ flips).ravel()
        first = np.searchsorted(self._sorted, wanted, "left")
        count = np.searchsorted(self._sorted, wanted, "right") - first
        count[count > self._CROWDED] = 0
        if not count.any():
            return []
        begins = np.cumsum(count) - count
        hits = self._places[np.repeat(first - begins, count) + np.arange(int(count.sum()))]
        asked = np.repeat(np.repeat(moments, len(flips)), count)
        number = np.searchsorted(self._starts, hits, "right") - 1
        # Alignments may be negative; shifted by the query's length they never are.
        wide = int(np.diff(self._starts).max()) + len(codes) + 1
        keys = number * wide + (hits - self._starts[number] - asked + len(codes))
        pairs, votes = np.unique(keys, return_counts=True)
        top = pairs[np.argsort(-votes, kind="stable")[: self._CANDIDATES]]
        return [(int(pair // wide), int(pair % wide) - len(codes)) for pair in top]
