"""Sound cues: cepstra, contrast, chroma, modulation and the long-term spectrum of mono sound.

Linear-frequency cepstra (LFCC) are the baseline of ASVspoof (Todisco et al. 2018); MFCC, spectral
contrast (Jiang et al. 2002) and chroma are the usual descriptors. Measured with logistic
regression on 394 clips: AUC .92 on a corpus it resembles, .60 on another, .65 to .97 over
vocoders left out. So features for calibration on the newsroom's own sound, nothing more.
Everything is NumPy and SciPy at 16 kHz; at most 60 seconds are looked at.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from byline.provenance.forensics.base import Extractor, NotApplicable, Sample

RATE = 16_000
WINDOW, HOP = 512, 256
MIN_SECONDS, MAX_SECONDS = 1.0, 60.0
LFCC, MFCC, BANDS = 20, 13, 24
CONTRAST_EDGES = (0, 200, 400, 800, 1600, 3200, 8000)
MODULATION_EDGES = (0.5, 1, 2, 4, 8, 16, 30)

Frames = NDArray[np.float64]  # (frames, WINDOW // 2 + 1) power


def mono16k(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Mono float sound at 16 kHz, level normalised. NotApplicable when it is short or silent."""
    if samples.size < MIN_SECONDS * rate:
        raise NotApplicable(f"less than {MIN_SECONDS:g} s of sound")
    sound = samples[: int(MAX_SECONDS * rate)].astype(np.float64)
    if rate != RATE:
        common = gcd(rate, RATE)
        sound = signal.resample_poly(sound, RATE // common, rate // common)
    level = float(np.sqrt(np.mean(sound**2)))
    if level < 1e-4:
        raise NotApplicable("the sound is silent")
    return np.asarray(sound / level, np.float64)


def power_frames(sound: NDArray[np.float64]) -> Frames:
    """Short-time power of the frames that are not silence (40 dB below the loudest)."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    power = np.abs(fft.rfft(windows * np.hanning(WINDOW), axis=1)) ** 2
    loud = power.sum(1)
    kept: Frames = power[loud > loud.max() * 1e-4]
    if len(kept) < 16:
        raise NotApplicable("too little sound to measure")
    return kept


@cache
def _filters(kind: str, count: int) -> NDArray[np.float64]:
    """Triangular filters (count, WINDOW // 2 + 1), spaced linearly or on the mel scale."""
    top = RATE / 2
    if kind == "linear":
        centres = np.linspace(0, top, count + 2)
    else:
        mels = np.linspace(0, 2595 * np.log10(1 + top / 700), count + 2)
        centres = 700 * (10 ** (mels / 2595) - 1)
    at = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    rise = (at - centres[:-2, None]) / np.diff(centres)[:-1, None]
    fall = (centres[2:, None] - at) / np.diff(centres)[1:, None]
    return np.maximum(np.minimum(rise, fall), 0)


def cepstra(power: Frames, kind: str, count: int) -> NDArray[np.float64]:
    """(frames, count) cepstral coefficients over linear ("linear") or mel ("mel") filters."""
    log = np.log(power @ _filters(kind, 2 * count).T + 1e-8)
    return np.asarray(fft.dct(log, norm="ortho", axis=1)[:, :count], np.float64)


def _contrast(power: Frames) -> list[float]:
    at = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    found = []
    for low, high in pairwise(CONTRAST_EDGES):
        band = np.log(power[:, (at >= low) & (at < high)] + 1e-8)
        found.append(float(np.mean(np.percentile(band, 90, axis=1) - np.percentile(band, 10, axis=1))))
    return found


def _chroma(power: Frames) -> NDArray[np.float64]:
    at = np.arange(1, WINDOW // 2 + 1) * RATE / WINDOW
    inside = (at > 100) & (at < 4000)
    pitch = np.round(12 * np.log2(at[inside] / 440)).astype(int) % 12
    total = np.bincount(pitch, power[:, 1:][:, inside].sum(0), 12)
    return np.asarray(total / (total.sum() + 1e-9), np.float64)


def _modulation(sound: NDArray[np.float64]) -> list[float]:
    """Share of the envelope's energy per modulation band, 0.5 to 30 Hz: the rhythm of speech."""
    step = RATE // 100
    envelope = np.abs(sound[: len(sound) // step * step]).reshape(-1, step).mean(1)
    power = np.abs(fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
    at = fft.rfftfreq(len(envelope), 0.01)
    bands = [float(power[(at >= a) & (at < b)].sum()) for a, b in pairwise(MODULATION_EDGES)]
    return [band / (sum(bands) + 1e-9) for band in bands]


def _compute(sample: Sample) -> NDArray[np.float64]:
    if sample.media.samples is None:
        raise NotApplicable("the file has no sound")
    sound = mono16k(sample.media.samples, sample.media.rate)
    power = power_frames(sound)
    linear, mel = cepstra(power, "linear", LFCC), cepstra(power, "mel", MFCC)
    average = np.log(power.mean(0) @ _filters("linear", BANDS).T + 1e-8)
    return np.concatenate(
        [
            linear.mean(0), linear.std(0), np.diff(linear, axis=0).std(0),
            mel.mean(0), mel.std(0),
            _contrast(power), _chroma(power), _modulation(sound),
            average - average.mean(),
        ]
    )  # fmt: skip


def _numbered(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}_{i:02d}" for i in range(count))


EXTRACTOR = Extractor(
    source="audio",
    version="audio-1",
    kinds=frozenset({"audio", "video"}),
    names=(
        *_numbered("lfcc_mean", LFCC),
        *_numbered("lfcc_spread", LFCC),
        *_numbered("lfcc_change", LFCC),
        *_numbered("mfcc_mean", MFCC),
        *_numbered("mfcc_spread", MFCC),
        *_numbered("contrast", len(CONTRAST_EDGES) - 1),
        *_numbered("chroma", 12),
        *_numbered("modulation", len(MODULATION_EDGES) - 1),
        *_numbered("long_term", BANDS),
    ),
    limits="Separates voices it resembles; near chance on a new corpus, microphone or codec.",
    compute=_compute,
)
