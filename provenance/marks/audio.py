"""The speech mark: 32 bits as keyed spread spectrum on the log-magnitudes of a spectrogram, found blind.

Promises: about five seconds of speech carry an allocated 32-bit id through AAC, MP3 and Opus at
64 kbit/s and more, resampling, mild noise, cuts, echo and speed changes up to 9 % (bench/ holds the
measured rates). Gains are multiplicative, so the mark hides under the sound that carries it and
silence stays silent. Sound without a mark of our keys is accepted with probability below
FALSE_ACCEPT (threshold.py). Leaves out: neural codecs, music beds louder than the voice, pitch
shift at constant tempo, clips under three seconds, locating the mark to the sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from byline.provenance.marks.base import FALSE_ACCEPT, AudioFinding, Samples, UnmarkableInput
from byline.provenance.marks.coding import Code
from byline.provenance.marks.patterns import Layout
from byline.provenance.marks.threshold import acceptance_threshold

PAYLOAD_BITS = 32
RATES = (8_000, 192_000)
MIN_SECONDS = 0.25  # shorter than this there is nothing to transform

WORK_RATE = 48_000
WINDOW, HOP = 2048, 512  # 43 ms, 11 ms
BLOCK = 4  # hops per cell
LOW_HZ, HIGH_HZ, BAND_HZ = 250.0, 7200.0, 94.0
BANDS = int((HIGH_HZ - LOW_HZ) / BAND_HZ)
TILE_BLOCKS = 56  # a tile lasts 2.4 s and repeats

SPEED_STEP, SPEED_STEPS = 0.00625, 15  # 1 +- 9.4 %
FINE_SPEEDS = (-0.0035, -0.0018, 0.0, 0.0018, 0.0035)
REFINED = 3
# (speed, fine speed, offset within a cell, shift of the tile) in which a decoding can end.
HYPOTHESES = (2 * SPEED_STEPS + 1) * len(FINE_SPEEDS) * BLOCK * TILE_BLOCKS

_TAPER = np.sqrt(signal.windows.hann(WINDOW, sym=False)).astype(np.float32)
_BAND_EDGES = (LOW_HZ + BAND_HZ * np.arange(BANDS + 1)) * WINDOW / WORK_RATE  # in FFT bins

Cells = NDArray[np.floating]  # (blocks, BANDS)


@dataclass(frozen=True)
class _Fit:
    """Where one key's template fits best at one speed."""

    score: float
    speed: float
    folded: Cells  # (TILE_BLOCKS, BANDS), rolled so that the tile starts at row 0


class _Spectrogram:
    """Power per frame and band at any playing speed, from one transform of the sound.

    Sound played `speed` times faster has its frequencies multiplied and its times divided by `speed`.
    Cumulative sums over bins and frames make every such grid two look-ups instead of a new transform.
    """

    def __init__(self, samples: Samples) -> None:
        power = np.abs(_transform(samples)) ** 2
        self._by_bin = np.concatenate(
            [np.zeros((len(power), 1)), np.cumsum(power, axis=1, dtype=float)], axis=1
        )

    def cells(self, speed: float, offset: int) -> Cells:
        """(blocks, BANDS) mean power, cell edges shifted by `offset` hops."""
        per_band = np.diff(_between(self._by_bin.T, _BAND_EDGES * speed + 0.5), axis=0).T
        by_frame = np.pad(np.cumsum(per_band, axis=0), ((1, 0), (0, 0)))
        blocks = int((len(per_band) * speed - offset) // BLOCK)
        edges = (offset + BLOCK * np.arange(max(blocks, 0) + 1)) / speed
        return np.maximum(np.diff(_between(by_frame, edges), axis=0), 0) / BLOCK


def _between(rows: NDArray[np.floating], at: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows of a table at fractional indices, linearly interpolated."""
    at = np.clip(at, 0, len(rows) - 1)
    low = np.minimum(at.astype(int), len(rows) - 2)
    part = (at - low)[:, None]
    return rows[low] * (1 - part) + rows[low + 1] * part


def _transform(samples: Samples) -> NDArray[np.complexfloating]:
    """(frames, 1025) short-time spectra; every sample lies in WINDOW / HOP frames, the edges too."""
    frames = len(samples) // HOP + WINDOW // HOP
    padded = np.pad(samples, (WINDOW - HOP, frames * HOP + HOP - len(samples)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: frames * HOP : HOP]
    return fft.rfft(windows * _TAPER, axis=1)


def _inverse(spectra: NDArray[np.complexfloating], length: int) -> Samples:
    """Overlap-add: the samples whose transform is nearest to `spectra`."""
    pieces = (fft.irfft(spectra, axis=1) * _TAPER).reshape(len(spectra), WINDOW // HOP, HOP)
    out = np.zeros((len(spectra) + WINDOW // HOP, HOP), pieces.dtype)
    for part in range(WINDOW // HOP):
        out[part : part + len(spectra)] += pieces[:, part]
    whole = out.ravel()[WINDOW - HOP : WINDOW - HOP + length] / (WINDOW / HOP / 2)
    return np.asarray(whole, np.float32)


def _residual(cells: Cells) -> Cells:
    """Log power minus its neighbourhood, normalised and weighted by activity: about the mark's sign."""
    floor = np.percentile(cells, 60) * 1e-4 + 1e-12
    level = 10 * np.log10(cells + floor)
    level = level - ndimage.uniform_filter1d(level, 9, axis=0, mode="nearest")
    level = level - ndimage.uniform_filter1d(level, 5, axis=1, mode="nearest")
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(level * level, (9, 9)), 0)) + 1.5
    return np.clip(level / spread, -2.5, 2.5) * (cells / (cells + 10 * floor))


def _resample(samples: Samples, rate: int, target: int) -> Samples:
    if rate == target:
        return samples
    common = gcd(rate, target)
    return signal.resample_poly(samples, target // common, rate // common).astype(np.float32)


class _Key:
    """One key's layout with its template ready for FFT correlation along time."""

    def __init__(self, key: bytes) -> None:
        self.layout = Layout(key, "audio v1", TILE_BLOCKS * BANDS, Code(PAYLOAD_BITS), sync_share=0.3)
        template = self.layout.template.reshape(TILE_BLOCKS, BANDS)
        self._spectrum = np.conj(fft.rfft(template, axis=0))

    def fit(self, speed: float, folded: Sequence[Cells]) -> _Fit:
        """The best offset and shift at one speed; `folded` holds one (TILE_BLOCKS, BANDS) per offset."""
        best = _Fit(-np.inf, speed, folded[0])
        for cells in folded:
            corr = fft.irfft(fft.rfft(cells, axis=0) * self._spectrum, TILE_BLOCKS, axis=0).sum(1)
            shift = int(corr.argmax())
            score = float(corr[shift]) / (float(np.linalg.norm(cells)) + 1e-9)
            if score > best.score:
                best = _Fit(score, speed, np.roll(cells, -shift, axis=0))
        return best


class AudioMark:
    """Embeds with the first key, detects all of them. `depth_db` is the mean gain of a cell, up or down."""

    payload_bits = PAYLOAD_BITS

    def __init__(self, keys: Sequence[bytes], *, depth_db: float = 2.0) -> None:
        if not keys:
            raise UnmarkableInput("a mark needs at least one key")
        self._keys = [_Key(key) for key in keys]
        self._depth = depth_db
        self._threshold = acceptance_threshold(
            payload_bits=PAYLOAD_BITS, hypotheses=HYPOTHESES, keys=len(keys), false_accept=FALSE_ACCEPT
        )

    def embed(self, samples: Samples, rate: int, payload: int) -> Samples:
        """(N,) float32 mono at `rate` Hz -> the same with the mark. BadPayload, UnmarkableInput.

        Only the difference is resampled, so the sound outside the mark's band stays as it was. Where the
        sum would exceed full scale the whole is turned down a little instead of clipped.
        """
        _check(samples, rate)
        tile = self._keys[0].layout.tile(payload).reshape(TILE_BLOCKS, BANDS)
        work = _resample(samples, rate, WORK_RATE)
        spectra = _transform(work)
        sign = tile[np.arange(len(spectra)) // BLOCK % TILE_BLOCKS]
        cells = _residual(_Spectrogram(work).cells(1.0, 0))
        host = np.zeros_like(sign)
        host[: len(cells) * BLOCK] = np.repeat(cells, BLOCK, axis=0)[: len(host)]
        # Push where the sound itself contradicts the chip, spare it where they agree.
        gain = self._depth * sign * np.clip(1 - 0.45 * host * sign, 0.35, 1.8)
        gain = ndimage.gaussian_filter1d(gain, 0.8, axis=0)
        band = np.floor((np.arange(WINDOW // 2 + 1) - _BAND_EDGES[0]) / (_BAND_EDGES[1] - _BAND_EDGES[0]))
        inside = (band >= 0) & (band < BANDS)
        per_bin = np.zeros(spectra.shape, np.float32)
        per_bin[:, inside] = gain[:, band[inside].astype(int)]
        per_bin = ndimage.gaussian_filter1d(per_bin, 0.6, axis=1)
        delta = _inverse(spectra * (10 ** (per_bin / 20) - 1), len(work))
        back = _resample(delta, WORK_RATE, rate)[: len(samples)]
        marked = samples.astype(np.float32)  # a copy
        marked[: len(back)] += back
        peak = float(np.abs(marked).max())
        return marked / np.float32(peak) if peak > 1.0 else marked

    def detect(self, samples: Samples, rate: int) -> AudioFinding | None:
        """The mark of any of our keys, or None. UnmarkableInput for unusable samples."""
        if len(samples) < MIN_SECONDS * rate:
            return None
        _check(samples, rate)
        work = _resample(samples, rate, WORK_RATE)
        spectrogram = _Spectrogram(work / (float(np.abs(work).max()) + 1e-9))
        fits = self._fits(spectrogram, 1.0)
        for index, fit in enumerate(fits):
            payload = self._decode(index, fit)
            if payload is not None:
                return AudioFinding(payload, index, "as embedded")
        trials = list(enumerate(fits))
        for step in range(1, SPEED_STEPS + 1):
            for speed in (1 + step * SPEED_STEP, 1 - step * SPEED_STEP):
                trials += enumerate(self._fits(spectrogram, speed))
        trials.sort(key=lambda trial: -trial[1].score)
        for index, coarse in trials[:REFINED]:
            near = [self._fits(spectrogram, coarse.speed * (1 + fine))[index] for fine in FINE_SPEEDS]
            best = max(near, key=lambda fit: fit.score)
            payload = self._decode(index, best)
            if payload is not None:
                return AudioFinding(payload, index, f"speed x{best.speed:.3f}")
        return None

    def _fits(self, spectrogram: _Spectrogram, speed: float) -> list[_Fit]:
        folded = [_fold(spectrogram.cells(speed, offset)) for offset in range(BLOCK)]
        return [key.fit(speed, folded) for key in self._keys]

    def _decode(self, index: int, fit: _Fit) -> int | None:
        result = self._keys[index].layout.decode(fit.folded.ravel())
        return result[0] if result is not None and result[1] >= self._threshold else None


def _fold(cells: Cells) -> Cells:
    """Residuals of all repetitions of the tile laid on top of each other."""
    folded = np.zeros((TILE_BLOCKS, BANDS))
    if len(cells):
        residual = _residual(cells)
        for start in range(0, len(residual), TILE_BLOCKS):
            part = residual[start : start + TILE_BLOCKS]
            folded[: len(part)] += part
    return folded


def _check(samples: Samples, rate: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise UnmarkableInput(f"the sample rate must lie between {RATES[0]} and {RATES[1]} Hz")
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise UnmarkableInput("samples are a one-dimensional array of floats, full scale +-1")
    if len(samples) < MIN_SECONDS * rate:
        raise UnmarkableInput(f"the sound is shorter than {MIN_SECONDS} s")
    if not np.isfinite(samples).all():
        raise UnmarkableInput("the samples contain NaN or infinity")
