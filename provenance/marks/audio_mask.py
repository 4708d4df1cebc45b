"""How much each moment and band of a sound can be turned up or down before the change is heard.

The masking model of J. D. Johnston, "Transform coding of audio signals using perceptual noise criteria" (IEEE
J. Sel. Areas Commun. 6, 1988): energy per critical band, spread over its neighbours (M. R. Schroeder et al.,
J. Acoust. Soc. Am. 66, 1979), lowered by 5.5 dB under noise and by 14.5 dB plus one per band under tones;
the spectral flatness says which of the two it is. One change to it: energy below the threshold in quiet
counts as that threshold, or else the empty bands of a decoded file would pass for a tone.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from byline.provenance.marks.audio_spectrum import BAND_EDGES, WINDOW, WORK_RATE, Spectra

CRITICAL_BANDS = 25
_QUIET = 1e-9  # power of a bin, full scale 1: nobody hears less at a normal listening level
_MOST_DB = 20.0
_SMOOTH = 1.5  # frames: gains that jump would be heard themselves

_HERTZ = np.arange(WINDOW // 2 + 1) * WORK_RATE / WINDOW
_MARKED = (BAND_EDGES[0] * WORK_RATE / WINDOW < _HERTZ) & (BAND_EDGES[-1] * WORK_RATE / WINDOW > _HERTZ)
_FULL_SCALE = (np.sqrt(np.hanning(WINDOW)).sum() / 2) ** 2


def bark(hertz: NDArray[np.floating]) -> NDArray[np.floating]:
    """Critical-band rate (Zwicker & Terhardt, J. Acoust. Soc. Am. 68, 1980)."""
    return 13 * np.arctan(0.00076 * hertz) + 3.5 * np.arctan((hertz / 7500) ** 2)


_FIRST_BINS = np.searchsorted(bark(_HERTZ), np.arange(CRITICAL_BANDS))
_OF_BAND = bark((BAND_EDGES[:-1] + BAND_EDGES[1:]) / 2 * WORK_RATE / WINDOW).astype(int)
_apart = np.arange(CRITICAL_BANDS)[:, None] - np.arange(CRITICAL_BANDS) + 0.474
_SPREAD = 10 ** ((15.81 + 7.5 * _apart - 17.5 * np.sqrt(1 + _apart**2)) / 10)
_SPREAD /= _SPREAD.sum(axis=1, keepdims=True)


def gain_limits(spectra: Spectra, share: float) -> NDArray[np.floating]:
    """(frames, BANDS) dB: where the change reaches `share` (in amplitude) of the masking threshold."""
    power = np.abs(spectra) ** 2 / _FULL_SCALE
    energy = np.add.reduceat(power, _FIRST_BINS, axis=1)
    audible = power[:, _MARKED] + _QUIET
    flatness = 10 * (np.log10(audible).mean(axis=1) - np.log10(audible.mean(axis=1)))
    tonal = np.clip(flatness / -60, 0, 1)[:, None]
    offset = tonal * (14.5 + np.arange(1, CRITICAL_BANDS + 1)) + (1 - tonal) * 5.5
    threshold = energy @ _SPREAD.T * 10 ** (-offset / 10)
    limit = 20 * np.log10(1 + share * np.sqrt(threshold / (energy + 1e-20)))
    limit = np.minimum(ndimage.gaussian_filter1d(limit, _SMOOTH, axis=0), _MOST_DB)
    return np.asarray(limit[:, _OF_BAND])
