"""Restoring a recording: denoise -> separate -> restore -> enhance, each step alone and measured.

Embedded are a Wiener filter on a tracked noise floor (decision-directed: Ephraim and Malah 1984), repair of
clicks and clipped peaks by autoregressive interpolation (Janssen, Veldhuis and Vries 1986), and high-pass,
presence and compression. Separating voice from music needs a trained model: the setting SEPARATORS names one
(separation.py); without it the step says "not available" and passes the sound on. No step makes up words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.sound import loudness

STEPS = ("denoise", "separate", "restore", "enhance")
_FRAME_S = 0.032
_FLOOR_DB = -20.0  # how far noise is turned down; silence behind words sounds broken
_NOISE_S, _QUIET = 8.0, 0.08  # the noise is what sounds in the quietest 8 % of eight seconds
_ORDER = 32  # of the autoregressive model
_LONGEST_GAP_S = 0.004
_CLIPPED = 0.985  # of the highest sample


@dataclass(frozen=True)
class Step:
    """One link. `applied` False: switched off, or `note` says why. `before` and `after` in `unit`."""

    name: str
    applied: bool
    measure: str = ""
    unit: str = ""
    before: float = 0.0
    after: float = 0.0
    note: str = ""


def restore(
    samples: np.ndarray, rate: int, *, steps: Sequence[str] = STEPS, separator: str = ""
) -> tuple[np.ndarray, tuple[Step, ...]]:
    """float32 mono through the chosen steps in their fixed order, with what each one did.

    `separator` is a name of the setting SEPARATORS. InvalidInput for an unknown step or no sound.
    """
    unknown = set(steps) - set(STEPS)
    if unknown:
        raise InvalidInput("there is no such restoration step", help=f"Steps: {', '.join(STEPS)}.")
    if samples.ndim != 1 or len(samples) < rate * 0.1 or not np.isfinite(samples).all():
        raise InvalidInput("a recording is mono, made of numbers, and a tenth of a second at least")
    sound, report = samples.astype(np.float64), []
    for name in STEPS:
        if name not in steps:
            report.append(Step(name, False, note="switched off"))
        elif name == "denoise":
            before, sound = sound, denoise(sound, rate)
            values = noise_floor(before, rate), noise_floor(sound, rate)
            report.append(Step(name, True, "noise floor", "dBFS", *values))
        elif name == "separate":
            sound, step = _separated(sound, rate, separator)
            report.append(step)
        elif name == "restore":
            before, sound = sound, repair(sound, rate)
            values = float(len(damaged(before))), float(len(damaged(sound)))
            report.append(Step(name, True, "damaged samples", "samples", *values))
        else:
            before, sound = sound, enhance(sound, rate)
            values = loudness.measure(before, rate).integrated, loudness.measure(sound, rate).integrated
            report.append(Step(name, True, "integrated loudness", "LUFS", *values))
    return sound.astype(np.float32), tuple(report)


def denoise(samples: np.ndarray, rate: int) -> np.ndarray:
    """Steady noise turned down by up to 20 dB; what stands out of it stays."""
    from scipy.signal import istft, stft

    size = 2 ** round(np.log2(rate * _FRAME_S))
    _, _, bins = stft(samples, rate, nperseg=size, noverlap=size * 3 // 4)
    power = np.abs(bins) ** 2
    posterior = power / np.maximum(_noise(power, round(_NOISE_S * rate / (size // 4))), 1e-14)
    gain = np.empty_like(power)
    floor = 10 ** (_FLOOR_DB / 20)
    clean = np.maximum(posterior[:, 0] - 1, 0)
    for column in range(power.shape[1]):
        prior = 0.96 * clean + 0.04 * np.maximum(posterior[:, column] - 1, 0)
        gain[:, column] = np.maximum(prior / (1 + prior), floor)
        clean = gain[:, column] ** 2 * posterior[:, column]
    _, sound = istft(bins * gain, rate, nperseg=size, noverlap=size * 3 // 4)
    result: np.ndarray = sound[: len(samples)]
    return np.pad(result, (0, len(samples) - len(result)))


def _noise(power: np.ndarray, stretch: int) -> np.ndarray:
    """(bins, frames): the mean spectrum of the quietest frames of each stretch, where nobody speaks."""
    noise = np.empty_like(power)
    for start in range(0, power.shape[1], stretch):
        part = power[:, start : start + stretch]
        if part.shape[1] < stretch // 2:  # what is left at the end
            part = power[:, -stretch:]
        total = part.sum(axis=0)
        quiet = part[:, total <= np.quantile(total, _QUIET)]
        noise[:, start : start + stretch] = quiet.mean(axis=1, keepdims=True)
    return noise


def noise_floor(samples: np.ndarray, rate: int) -> float:
    """Level in dBFS of the quietest tenth of 20 ms frames: what is heard when nobody speaks."""
    hop = max(1, round(0.02 * rate))
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    level = np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1))
    return float(20 * np.log10(max(float(np.percentile(level, 10)), 1e-7)))


def damaged(samples: np.ndarray) -> np.ndarray:
    """Indices of clipped samples (three or more in a row at the top) and of clicks of a few samples."""
    return np.flatnonzero(_clipped(samples) | _clicks(samples))


def _clipped(samples: np.ndarray) -> np.ndarray:
    size = np.abs(samples)
    flat: np.ndarray = size >= _CLIPPED * max(float(size.max(initial=0.0)), 1e-9)
    flat &= _runs(flat, 3)
    # Ordinary peaks touch the top once or twice; clipping does it again and again.
    return flat if flat.sum() >= 12 else np.zeros(len(samples), bool)


def _clicks(samples: np.ndarray) -> np.ndarray:
    """Where the second difference is far beyond its neighbourhood's: a tick, not an onset."""
    from scipy.ndimage import binary_dilation, median_filter

    jumps = np.abs(np.diff(samples, n=2, prepend=0.0, append=0.0))
    local = median_filter(jumps, size=129, mode="nearest")
    ticks = jumps > np.maximum(25 * local, 0.05)
    long = _runs(binary_dilation(ticks, iterations=2), 24)
    found: np.ndarray = binary_dilation(ticks & ~long, iterations=1)
    return found


def _runs(flags: np.ndarray, least: int) -> np.ndarray:
    """Which flags stand in a run of at least so many."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    kept = np.zeros(len(flags), bool)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        kept[begin:end] = end - begin >= least
    return kept


def repair(samples: np.ndarray, rate: int) -> np.ndarray:
    """Damaged samples replaced by what the sound around them predicts; gaps over 4 ms are left alone."""
    clipped = _clipped(samples)
    flags = clipped | _clicks(samples)
    flags &= ~_runs(flags, round(_LONGEST_GAP_S * rate) + 1)
    if not flags.any():
        return samples
    mended = samples.copy()
    block, margin = round(0.04 * rate), 4 * _ORDER
    start = 0
    places = np.flatnonzero(flags)
    while start < len(places):
        first = places[start]
        group = places[start : np.searchsorted(places, first + block)]
        low, high = max(0, first - margin - block // 2), min(len(samples), group[-1] + margin + block // 2)
        mended[low:high] = _interpolate(mended[low:high], flags[low:high], clipped[low:high])
        flags[group] = False
        start += len(group)
    return mended


def _interpolate(part: np.ndarray, unknown: np.ndarray, clipped: np.ndarray) -> np.ndarray:
    """Least squares of the autoregressive prediction error over the unknown samples, three rounds."""
    from scipy.linalg import solve_toeplitz, toeplitz

    places = np.flatnonzero(unknown)
    if not 0 < len(places) < len(part) // 2 or len(part) < 3 * _ORDER:
        return part
    sound = part.copy()
    known = np.flatnonzero(~unknown)
    sound[places] = np.interp(places, known, part[known])
    for _ in range(3):
        correlation = np.correlate(sound, sound, "full")[len(sound) - 1 : len(sound) + _ORDER]
        correlation[0] *= 1 + 1e-6
        if correlation[0] <= 1e-12:
            return part
        weights = np.concatenate([[1.0], -solve_toeplitz(correlation[:-1], correlation[1:])])
        spread = np.correlate(weights, weights, "full")[_ORDER:]
        row = np.zeros(len(sound))
        row[: _ORDER + 1] = spread
        matrix = toeplitz(row)
        left = matrix[np.ix_(places, places)]
        right = -matrix[np.ix_(places, known)] @ sound[known]
        found = np.linalg.solve(left + 1e-9 * np.eye(len(places)), right)
        # Beyond the clip is where the peak was: never below it, and not without bounds.
        sign, size = np.sign(part[places]), np.abs(part[places])
        found = np.where(clipped[places], sign * np.clip(np.abs(found), size, 3 * size), found)
        sound[places] = found
    return sound


def enhance(samples: np.ndarray, rate: int) -> np.ndarray:
    """Rumble out (70 Hz), 3 dB of presence around 3 kHz, 3:1 above -20 dB of the peak, -16 LUFS, -1 dBTP."""
    from scipy.signal import butter, sosfilt, sosfiltfilt

    sound = sosfilt(butter(2, 70, "highpass", fs=rate, output="sos"), samples)
    high = min(5000.0, 0.45 * rate)
    sound = sound + 0.41 * sosfiltfilt(butter(1, [2000, high], "bandpass", fs=rate, output="sos"), sound)
    level = np.sqrt(np.maximum(sosfiltfilt(butter(1, 12, fs=rate, output="sos"), sound**2), 1e-12))
    threshold = max(float(level.max()), 1e-6) * 10 ** (-14 / 20)
    over = np.maximum(level / threshold, 1.0)
    compressed = sound * over ** (1 / 3 - 1)
    return loudness.normalise(compressed, rate).astype(np.float64)


def _separated(sound: np.ndarray, rate: int, separator: str) -> tuple[np.ndarray, Step]:
    if not separator:
        return sound, Step("separate", False, note="not available: no separator is configured")
    from byline.generation.sound import separation

    stems = separation.load(separator).separate(sound.astype(np.float32), rate)
    speech = stems["speech"].astype(np.float64)
    rest = sound - speech
    ratio = 10 * np.log10(max(float((speech**2).sum()), 1e-12) / max(float((rest**2).sum()), 1e-12))
    return speech, Step("separate", True, "speech over the rest", "dB", 0.0, float(ratio), f"by {separator}")
