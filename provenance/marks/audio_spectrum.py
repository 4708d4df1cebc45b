"""The plane the speech mark lives on: log-energies of short cells of a spectrogram, whitened.

A cell is 43 ms long and 94 Hz wide, between 250 and 7200 Hz, at a working rate of 48 kHz. The residual of a
cell is what the rest of the sound does not foretell about it; a mark is a pattern of residuals. Pure
functions of samples: no keys, no payloads, no decisions.
"""

from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from byline.provenance.marks.base import Samples

WORK_RATE = 48_000
WINDOW, HOP = 2048, 512  # 43 ms, 11 ms
BLOCK = 4  # hops per cell
LOW_HZ, HIGH_HZ, BAND_HZ = 250.0, 7200.0, 94.0
BANDS = int((HIGH_HZ - LOW_HZ) / BAND_HZ)
FASTEST = 1.1  # the highest speed at which a spectrogram can be read
BAND_EDGES = (LOW_HZ + BAND_HZ * np.arange(BANDS + 1)) * WINDOW / WORK_RATE  # in FFT bins

_TAPER = np.sqrt(signal.windows.hann(WINDOW, sym=False)).astype(np.float32)
_TOP_BIN = int(BAND_EDGES[-1] * FASTEST) + 3
_FRAMES_AT_ONCE = 2048  # 22 s of spectra in memory

Cells = NDArray[np.floating]  # (blocks, BANDS)
Spectra = NDArray[np.complexfloating]  # (frames, WINDOW // 2 + 1)


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """Polyphase; the length is rounded up."""
    if rate == target:
        return samples.astype(np.float32)
    common = gcd(rate, target)
    return np.asarray(signal.resample_poly(samples, target // common, rate // common), np.float32)


def frame_count(length: int) -> int:
    """How many frames cover `length` samples; every sample lies in WINDOW / HOP of them, the edges too."""
    return length // HOP + WINDOW // HOP


def transform(samples: Samples, first: int = 0, last: int | None = None) -> Spectra:
    """Short-time spectra of frames first..last (exclusive)."""
    frames = frame_count(len(samples))
    last = frames if last is None else min(last, frames)
    start, stop = first * HOP - (WINDOW - HOP), last * HOP
    part = samples[max(start, 0) : max(stop, 0)]
    padded = np.pad(part, (max(-start, 0), max(stop - max(len(samples), 0), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.asarray(fft.rfft(windows * _TAPER, axis=1))


def add_inverse(out: Samples, spectra: Spectra, first: int) -> None:
    """Overlap-add frames first, first + 1, ... to `out`, in place."""
    pieces = fft.irfft(spectra, axis=1) * (_TAPER / (WINDOW / HOP / 2))
    parts = pieces.reshape(len(spectra), WINDOW // HOP, HOP)
    summed = np.zeros((len(spectra) + WINDOW // HOP - 1, HOP), np.float32)
    for part in range(WINDOW // HOP):
        summed[part : part + len(spectra)] += parts[:, part]
    start = first * HOP - (WINDOW - HOP)
    whole = summed.ravel()[max(-start, 0) :]
    start = max(start, 0)
    whole = whole[: max(len(out) - start, 0)]
    out[start : start + len(whole)] += whole


class Spectrogram:
    """Energy per frame and band at any playing speed, from one transform of the sound.

    Sound played `speed` times faster has its frequencies multiplied and its times divided by `speed`.
    Cumulative sums over bins and frames make every such grid two look-ups instead of a new transform.
    """

    def __init__(self, samples: Samples) -> None:
        self.frames = frame_count(len(samples))
        self._by_bin = np.zeros((_TOP_BIN + 1, self.frames))
        for first in range(0, self.frames, _FRAMES_AT_ONCE):
            spectra = transform(samples, first, first + _FRAMES_AT_ONCE)[:, :_TOP_BIN]
            power = (np.abs(spectra) ** 2).T
            np.cumsum(power, axis=0, out=self._by_bin[1:, first : first + _FRAMES_AT_ONCE])

    def at_speed(self, speed: float, first: int = 0, last: int | None = None) -> "Stretch":
        """Frames first..last read at `speed`."""
        rows = self._by_bin[:, first:last]
        return Stretch(np.diff(_between(rows, BAND_EDGES * speed + 0.5), axis=0).T, speed)


class Stretch:
    """One stretch of a spectrogram at one speed; gives cells at any offset."""

    def __init__(self, per_band: NDArray[np.floating], speed: float) -> None:
        self._frames, self._speed = len(per_band), speed
        self._by_frame = np.pad(np.cumsum(per_band, axis=0), ((1, 0), (0, 0)))

    def cells(self, offset: int) -> Cells:
        """(blocks, BANDS) mean energy, cell edges shifted by `offset` hops."""
        blocks = int((self._frames * self._speed - offset) // BLOCK)
        edges = (offset + BLOCK * np.arange(max(blocks, 0) + 1)) / self._speed
        return np.maximum(np.diff(_between(self._by_frame, edges), axis=0), 0) / BLOCK


def _between(rows: NDArray[np.floating], at: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows of a table at fractional indices, linearly interpolated."""
    at = np.clip(at, 0, len(rows) - 1)
    low = np.minimum(at.astype(int), len(rows) - 2)
    part = (at - low)[:, None]
    return np.asarray(rows[low] * (1 - part) + rows[low + 1] * part)


def band_energies(spectra: Spectra) -> NDArray[np.floating]:
    """(frames, BANDS) energy of spectra at their own speed."""
    power = np.abs(spectra[:, :_TOP_BIN]) ** 2
    summed = np.pad(np.cumsum(power, axis=1, dtype=float), ((0, 0), (1, 0)))
    return np.diff(_between(summed.T, BAND_EDGES + 0.5), axis=0).T


def block_means(per_frame: NDArray[np.floating]) -> Cells:
    """(frames, BANDS) -> (blocks, BANDS), dropping an incomplete last block."""
    blocks = len(per_frame) // BLOCK
    return per_frame[: blocks * BLOCK].reshape(blocks, BLOCK, -1).mean(axis=1)


def residual(cells: Cells) -> Cells:
    """(blocks, BANDS) energies -> how far each cell departs from what its surroundings foretell.

    The log-energies are divided by their own smoothed two-dimensional power spectrum: a pattern of
    independent signs is white, the sound is not, so this is the matched filter for the one under the
    other (North 1943; estimated per clip, hence without any fitted number). Quiet cells count little:
    a noise floor per band is taken from the clip's quietest moments.
    """
    if not len(cells):
        return np.zeros((0, BANDS))
    rank = len(cells) // 20
    quiet = ndimage.minimum_filter1d(np.partition(cells, rank, axis=0)[rank] * 3, 5)
    floor = quiet + np.median(cells) * 1e-4 + 1e-12
    level = 10 * np.log10((cells + floor).astype(np.float32))
    level -= ndimage.uniform_filter1d(level, 51, axis=0, mode="nearest")
    shape = fft.next_fast_len(BANDS), fft.next_fast_len(len(level), real=True)
    spectrum = fft.rfft2(level.T, shape)  # time last: the halved axis
    power = np.abs(spectrum) ** 2
    smooth = ndimage.gaussian_filter(power, (1.5, max(1.0, shape[1] / 80)), mode=("wrap", "mirror"))
    found = fft.irfft2(spectrum / (smooth + 0.1 * smooth.mean() + 1e-12), shape)[:BANDS, : len(level)].T
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(found * found, 9), 0)) + 0.3 * found.std() + 1e-12
    return np.clip(found / spread, -2.0, 2.0) * (cells / (cells + 2 * floor))
