"""Loudness by EBU R 128: integrated LUFS (ITU-R BS.1770-4, pyloudnorm) and true peak (its annex 2).

`normalise` brings a sound to a target without a true peak above the ceiling: one gain, and a look-ahead
limiter for what then stands out. Web and streaming use -16 LUFS, broadcast -23 (EBU R 128); the ceiling
is -1 dBTP. Left out: loudness range, and gating over several files.
"""

import math
from dataclasses import dataclass

import numpy as np

WEB, BROADCAST = -16.0, -23.0
CEILING_DBTP = -1.0
SILENCE_LUFS = -70.0  # the absolute gate: below it there is no loudness to speak of
_BLOCK_S = 0.4
_OVERSAMPLING = 4
_LOOKAHEAD_S = 0.006
_TOLERANCE_LU = 0.1


@dataclass(frozen=True)
class Loudness:
    """`integrated` in LUFS, -inf for silence; `true_peak` in dBTP."""

    integrated: float
    true_peak: float


def measure(samples: np.ndarray, rate: int) -> Loudness:
    """Of float mono `samples` (N,). A sound shorter than a gating block is measured as it repeats."""
    return Loudness(_integrated(samples, rate), _decibel(true_peak(samples)))


def normalise(
    samples: np.ndarray, rate: int, target: float = WEB, ceiling: float = CEILING_DBTP
) -> np.ndarray:
    """float32 mono at `target` LUFS, no true peak above `ceiling` dBTP. Silence stays silence.

    A sound of nothing but peaks may stay below the target: the ceiling wins.
    """
    found = samples.astype(np.float64)
    for _ in range(6):
        loud = _integrated(found, rate)
        if not math.isfinite(loud) or loud < SILENCE_LUFS:
            return found.astype(np.float32)
        if abs(loud - target) <= _TOLERANCE_LU and _decibel(true_peak(found)) <= ceiling:
            break
        found = limit(found * 10 ** ((target - loud) / 20), rate, ceiling)
    return found.astype(np.float32)


def limit(samples: np.ndarray, rate: int, ceiling: float = CEILING_DBTP) -> np.ndarray:
    """The samples with every true peak at or below `ceiling` dBTP: the gain falls before a peak comes."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    highest = 10 ** (ceiling / 20)
    peaks = _peaks(samples)
    if not samples.size or peaks.max() <= highest:
        return samples
    wanted = np.minimum(1.0, highest / np.maximum(peaks, 1e-9))
    window = 2 * max(1, round(_LOOKAHEAD_S * rate)) + 1
    gain = uniform_filter1d(minimum_filter1d(wanted, window), window)
    limited = samples * gain
    # A gain that moves inside one sample can leave a trace above the ceiling.
    over = true_peak(limited) / highest
    result: np.ndarray = limited / over if over > 1 else limited
    return result


def true_peak(samples: np.ndarray) -> float:
    """The highest absolute value of the waveform between and on the samples, four-fold oversampled."""
    return float(_peaks(samples).max()) if samples.size else 0.0


def _peaks(samples: np.ndarray) -> np.ndarray:
    from scipy.signal import resample_poly

    if not samples.size:
        return np.zeros(0)
    fine = np.abs(resample_poly(samples.astype(np.float64), _OVERSAMPLING, 1))
    grouped: np.ndarray = fine.reshape(-1, _OVERSAMPLING).max(axis=1)
    return np.maximum(grouped, np.abs(samples))


def _integrated(samples: np.ndarray, rate: int) -> float:
    import pyloudnorm

    if not samples.size or not np.any(samples):
        return -math.inf
    shortest = int(_BLOCK_S * rate) + 1
    if len(samples) < shortest:
        samples = np.resize(samples, shortest)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64)))


def _decibel(value: float) -> float:
    return 20 * math.log10(value) if value > 0 else -math.inf
