"""Does a voice stay the same over a long script? A spectral statistic of two stretches, compared.

The statistic is the mean and spread of 12 mel-cepstral coefficients and of the pitch over voiced frames: the
timbre, not the words. `drift` is the distance between first and last stretch over that between stretches of
one voice that surely did not change (the neighbours in the middle): about 1 for a steady voice.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from byline.audit.base.errors import InvalidInput

RATE = 16_000
STRETCH_S = 20.0
_FRAME, _HOP, _MELS, _KEPT = 512, 160, 26, 12


@dataclass(frozen=True)
class Drift:
    """`ends`: distance of the first to the last stretch; `usual`: median distance of neighbours between."""

    ends: float
    usual: float

    @property
    def ratio(self) -> float:
        return self.ends / max(self.usual, 1e-9)


def drift(samples: np.ndarray, rate: int, stretch: float = STRETCH_S) -> Drift:
    """Of float32 mono speech of at least three stretches. InvalidInput when it is shorter."""
    from byline.generation.soundtrack import resample

    sound = resample(samples, rate, RATE)
    count = int(len(sound) / RATE // stretch)
    if count < 3:
        raise InvalidInput(f"drift is measured over {3 * stretch:.0f} s of speech or more")
    size = round(stretch * RATE)
    starts = np.linspace(0, len(sound) - size, count).astype(int)
    told = [statistic(sound[start : start + size], RATE) for start in starts]
    neighbours = [distance(a, b) for a, b in itertools.pairwise(told)]
    return Drift(distance(told[0], told[-1]), float(np.median(neighbours)))


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Euclidean distance of two statistics."""
    return float(np.linalg.norm(first - second))


def statistic(samples: np.ndarray, rate: int) -> np.ndarray:
    """float64 (26,): mean and spread of 12 cepstral coefficients and of the pitch in semitones."""
    from scipy.fft import dct

    from byline.generation.soundtrack import resample

    sound = resample(samples, rate, RATE).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
    level = np.sqrt((frames**2).mean(axis=1))
    voiced = frames[level > 0.1 * np.percentile(level, 95)]
    if len(voiced) < 20:
        raise InvalidInput("there is no voice to be heard")
    power = np.abs(np.fft.rfft(voiced * np.hanning(_FRAME), axis=1)) ** 2
    mel = np.log(np.maximum(power @ _filters().T, 1e-10))
    cepstra = dct(mel, norm="ortho", axis=1)[:, 1 : _KEPT + 1]
    pitch = 12 * np.log2(np.maximum(_pitch(voiced), 40.0) / 100.0)[:, None]
    features = np.hstack([cepstra, pitch])
    return np.concatenate([features.mean(axis=0), features.std(axis=0)])


def _filters() -> np.ndarray:
    """(26, 257): triangles evenly spaced on the mel scale from 60 Hz to 7.6 kHz."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (60.0, 7600.0))
    points = 700 * (10 ** (np.linspace(low, high, _MELS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(_FRAME, 1 / RATE)
    left, centre, right = points[:-2, None], points[1:-1, None], points[2:, None]
    return np.maximum(0.0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))


def _pitch(frames: np.ndarray) -> np.ndarray:
    """Hz of each frame: the strongest autocorrelation between 70 and 400 Hz."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * _FRAME, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :_FRAME]
    shortest, longest = RATE // 400, RATE // 70
    best = correlation[:, shortest:longest].argmax(axis=1) + shortest
    hertz: np.ndarray = RATE / best
    return hertz
