"""How far a change of a sound lies under the masking threshold, band by band: the noise-to-mask ratio.

The threshold is J. D. Johnston's ("Transform coding of audio signals using perceptual noise criteria", IEEE
J. Sel. Areas Commun. 6, 1988): energy per critical band, spread with Schroeder's function, lowered by 5.5 dB
under noise and by 14.5 dB plus one per band under tones, told apart by spectral flatness. The total is that
of ITU-R BS.1387 (PEAQ): 10 log10 of the mean of noise over threshold across frames and bands; 0 dB is the
threshold. Written apart from the mark's own mask: other windows, other bins. Two departures: bins below the
threshold in quiet (full scale at 90 dB SPL) count as that threshold when flatness is taken, and only bands
2 to 19 (200 Hz to 6.4 kHz: where the mark is) and frames within 60 dB of the loudest count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW = 2048
BANDS = 25
COUNTED = slice(2, 20)
FULL_SCALE_DB_SPL = 90.0


@dataclass(frozen=True)
class NoiseToMask:
    """`total_db`: ITU-R BS.1387's mean. `audible`: share of (frame, band) above the threshold."""

    total_db: float
    audible: float


def noise_to_mask(before: NDArray[np.floating], after: NDArray[np.floating], rate: int) -> NoiseToMask:
    """(N,), (N,) mono at `rate` Hz, full scale +-1."""
    taper = np.hanning(WINDOW)
    hertz = np.fft.rfftfreq(WINDOW, 1 / rate)
    band = (13 * np.arctan(0.00076 * hertz) + 3.5 * np.arctan((hertz / 7500) ** 2)).astype(int)
    sound, noise = _power(before, taper), _power(after.astype(float) - before, taper)
    energy, change = (
        np.stack([p[:, band == b].sum(1) for b in range(BANDS)], axis=1) for p in (sound, noise)
    )
    apart = np.arange(BANDS)[:, None] - np.arange(BANDS) + 0.474
    spread = 10 ** ((15.81 + 7.5 * apart - 17.5 * np.sqrt(1 + apart**2)) / 10)
    spread /= spread.sum(axis=1, keepdims=True)
    heard = sound[:, (hertz > 250) & (hertz < 7200)] + 1e-9
    flatness = 10 * np.log10(np.exp(np.log(heard).mean(1)) / heard.mean(1))
    tonal = np.clip(flatness / -60, 0, 1)[:, None]
    offset = tonal * (14.5 + np.arange(1, BANDS + 1)) + (1 - tonal) * 5.5
    khz = np.array([hertz[band == b].mean() if (band == b).any() else rate / 2 for b in range(BANDS)]) / 1000
    in_quiet = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4  # Terhardt 1979
    mask = np.maximum(energy @ spread.T * 10 ** (-offset / 10), 10 ** ((in_quiet - FULL_SCALE_DB_SPL) / 10))
    loud = energy.sum(1) > 1e-6 * energy.sum(1).max()
    ratio = (change[loud] / mask[loud])[:, COUNTED]
    return NoiseToMask(float(10 * np.log10(ratio.mean() + 1e-12)), float((ratio > 1).mean()))


def _power(samples: NDArray[np.floating], taper: NDArray[np.floating]) -> NDArray[np.floating]:
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[:: WINDOW // 2]
    return np.asarray(np.abs(np.fft.rfft(frames * taper, axis=1)) ** 2 / (taper.sum() / 2) ** 2)
