"""Beats of a song: onsets, tempo and the grid that fits both. Pure, on mono sound.

Onset strength is the rise of a log-compressed spectrum, summed over bands (spectral flux). The tempo is the
lag at which that curve repeats best, weighted towards 120 a minute, and the beats are the path of strong
onsets at about that distance found by dynamic programming (Ellis 2007, "Beat Tracking by Dynamic
Programming"). One steady tempo is assumed; a song that speeds up is followed loosely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.soundtrack import resample

RATE, HOP, WINDOW = 22_050, 128, 1_024
ONSET = 0.75  # of the window: where an onset stands when its spectrum rises most
BANDS = 24
SLOWEST, FASTEST, PREFERRED = 50.0, 220.0, 120.0  # beats a minute
_TIGHT = 100.0  # how much the distance between beats may vary: larger is stricter
MAX_SECONDS = 600.0
_SILENT = 1e-4
_STEADY = 0.2  # below, the curve repeats no better than noise does
_LEAST_RISE = 0.05  # spread of the onset curve below which nothing begins anywhere


class NoBeat(InvalidInput):
    code = "no_beat"
    help = "Use a song with a clear beat, of at least three seconds."


@dataclass(frozen=True)
class Beats:
    """`tempo` in beats a minute, `times` in seconds, rising; `clarity` 0 to 1: how well the onsets repeat."""

    tempo: float
    times: tuple[float, ...]
    clarity: float


def detect(samples: np.ndarray, rate: int) -> Beats:
    """Beats of mono float32 `samples`. NoBeat when it is silent, too short or has no regular onsets."""
    if samples.ndim != 1 or not np.isfinite(samples).all() or not 4_000 <= rate <= 200_000:
        raise InvalidInput("a song is mono, made of numbers, at a usual rate")
    if not 3 <= len(samples) / rate <= MAX_SECONDS:
        raise NoBeat(f"a song of {len(samples) / rate:.1f} s has no beat that can be counted on")
    if float(np.abs(samples).max()) < _SILENT:
        raise NoBeat("the song is silent")
    strength = onset_strength(resample(samples.astype(np.float32), rate, RATE))
    lag, clarity = _period(strength)
    if clarity < _STEADY or float(strength.max()) < 1:
        raise NoBeat("the song has no regular beat")
    places = _path(strength, lag)
    times = (places * HOP + ONSET * WINDOW) / RATE
    seconds = len(samples) / rate
    kept = tuple(float(t) for t in times if 0 <= t < seconds)
    if len(kept) < 2:
        raise NoBeat("the song has no regular beat")
    # The spacing of all beats is finer than the lag, which is a whole number of hops.
    tempo = 60 / float(np.median(np.diff(kept)))
    return Beats(round(tempo, 2), kept, round(clarity, 3))


def onset_strength(samples: np.ndarray) -> np.ndarray:
    """One value for each hop, 0 or more, with the slow part taken off and a spread of one."""
    count = 1 + max(0, len(samples) - WINDOW) // HOP
    framed = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]
    levels = np.empty((count, BANDS), np.float32)
    shape = np.hanning(WINDOW).astype(np.float32)
    edges = np.unique(np.geomspace(2, WINDOW // 2, BANDS + 1).astype(int))
    for start in range(0, count, 4_096):  # a long song's spectrum need not be held whole
        power = np.abs(np.fft.rfft(framed[start : start + 4_096] * shape, axis=1)) ** 2
        bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
        levels[start : start + 4_096, : bands.shape[1]] = np.log1p(1e3 * bands / WINDOW)
    levels = levels[:, : len(edges) - 1]
    rise = np.maximum(levels[1:] - levels[:-1], 0).sum(axis=1)
    rise = np.concatenate([[0.0], rise])
    slow = _smooth(rise, round(0.4 * RATE / HOP))
    clear = np.maximum(rise - slow, 0)
    return np.asarray(clear / max(float(clear.std()), _LEAST_RISE))


def _smooth(values: np.ndarray, size: int) -> np.ndarray:
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(values, max(1, size)))


def _period(strength: np.ndarray) -> tuple[float, float]:
    """The lag in hops between two beats, and how well the curve repeats there (0 to 1)."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import fftconvolve

    soft = gaussian_filter1d(strength, 2.0)  # so that beats need not fall on whole hops
    curve = soft - soft.mean()
    repeats = fftconvolve(curve, curve[::-1])[len(curve) - 1 :]
    repeats = repeats / max(float(repeats[0]), 1e-9)
    lags = np.arange(len(repeats))
    slow, fast = 60 * RATE / HOP / SLOWEST, 60 * RATE / HOP / FASTEST
    possible = (lags >= fast) & (lags <= min(slow, len(curve) - 1))
    if not possible.any():
        return 1.0, 0.0
    tempo = 60 * RATE / HOP / np.maximum(lags, 1)
    wanted = np.exp(-0.5 * (np.log2(tempo / PREFERRED) / 0.9) ** 2)
    best = int(np.argmax(np.where(possible, repeats * wanted, -np.inf)))
    return float(best), float(np.clip(repeats[best], 0, 1))


def _path(strength: np.ndarray, lag: float) -> np.ndarray:
    """The hops of the beats: strong onsets about `lag` apart, by dynamic programming."""
    from scipy.ndimage import gaussian_filter1d

    local = gaussian_filter1d(strength, max(1.0, lag / 32))
    score, before = local.copy(), np.full(len(local), -1)
    steps = np.arange(-round(2 * lag), -max(1, round(lag / 2)) + 1)
    cost = -_TIGHT * np.log(-steps / lag) ** 2
    for place in range(len(local)):
        reach = place + steps
        usable = reach >= 0
        if not usable.any():
            continue
        gains = score[reach[usable]] + cost[usable]
        best = int(np.argmax(gains))
        if gains[best] > 0:
            score[place] += gains[best]
            before[place] = reach[usable][best]
    tail = max(0, len(score) - round(1.5 * lag))
    place = tail + int(np.argmax(score[tail:]))
    path = [place]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    found = np.array(path[::-1])
    heard = np.flatnonzero(local[found] >= 0.1 * np.median(local[found]))  # not before and after the music
    return found[heard[0] : heard[-1] + 1]


def envelope(samples: np.ndarray, rate: int, fps: float, count: int) -> np.ndarray:
    """(count,) 0 to 1: how loud the song is at each frame, against its own quiet and loud parts."""
    edges = np.round(np.arange(count + 1) * rate / fps).astype(int)
    squares = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    inside = np.minimum(edges, len(samples))
    energy = (squares[inside[1:]] - squares[inside[:-1]]) / np.maximum(np.diff(edges), 1)
    level = np.sqrt(np.maximum(energy, 0))
    low, high = np.percentile(level, [5, 95])
    return np.asarray(np.clip((level - low) / max(float(high - low), 1e-9), 0, 1))


def cut_times(beats: Beats, seconds: float, shortest: float) -> tuple[float, ...]:
    """Beats before `seconds` on which to cut, the first one at least `shortest` after the beginning and
    all as regular as the song: every n-th beat."""
    spacing = 60 / beats.tempo
    every = max(1, int(np.ceil(shortest / spacing - 1e-6)))
    inside = [t for t in beats.times if t < seconds - shortest / 2]
    start = next((k for k, t in enumerate(inside) if t >= shortest / 2), len(inside))
    return tuple(inside[start::every])
