"""The sound mark: 32 bits as keyed spread spectrum on the log-energies of a spectrogram, found blind.

Promises: three seconds of speech and more carry an allocated 32-bit id through AAC, MP3 and Opus,
resampling, filters, noise, cuts, echo, a music bed and speed changes up to 9 %; docs/watermark_audio.md
holds the measured rates. Gains are multiplicative and stay under a masking threshold (audio_mask.py), so
the mark hides under the sound that carries it, tones are touched less than noise, and silence stays
silent. Sound without a mark of our keys is accepted with probability below FALSE_ACCEPT (threshold.py).
Leaves out: neural codecs and re-synthesis, pitch or tempo changed alone, locating the mark to the sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from byline.provenance.marks import audio_spectrum as plane
from byline.provenance.marks.audio_mask import gain_limits
from byline.provenance.marks.audio_pattern import PAYLOAD_BITS, PERIOD, Pattern
from byline.provenance.marks.base import (
    FALSE_ACCEPT,
    AudioFinding,
    Samples,
    UnmarkableInput,
    check_candidates,
)
from byline.provenance.marks.threshold import acceptance_threshold

RATES = (8_000, 192_000)
MIN_SECONDS = 0.25  # shorter than this there is nothing to transform
MAX_KEYS = 16

# Embedding
MASK_SHARE = 1.2  # of the threshold; gains blur over time and bins, so that the change itself stays below it
ROUNDS = 2
_PUSH, _LEAST, _MOST = 0.45, 0.35, 1.8
_WANTED = 0.8  # residual that a cell should show
_FRAMES_AT_ONCE = 4096  # 44 s of spectra in memory

# Detection. Time spans are in hops; at speed 1 a segment may be as long as the pattern, at other speeds a
# short piece tolerates a coarser grid of speeds.
SEGMENT, SEGMENT_STEP = PERIOD * plane.BLOCK - 8, PERIOD * plane.BLOCK // 2
PIECE = 12 * plane.WORK_RATE // plane.HOP
MOST_PIECES = 4
SPEED_STEP, SPEED_STEPS = 0.00625, 15  # 1 +- 9.4 %
FINE_SPEEDS = tuple(SPEED_STEP / 6 * step for step in range(-3, 4))
REFINED = 6  # (piece, key, speed) looked at more closely
DECODED, DECODED_SHORT_LIST = 16, 64  # positions tried per stage, blind and with a short list
_PEAKS = 2  # positions kept of one correlation


@dataclass(frozen=True)
class _Fit:
    """A position where one key's template fits; `residuals` are shared with other fits."""

    score: float
    key_index: int
    speed: float
    piece: int
    position: int
    residuals: plane.Cells


class AudioMark:
    """Embeds with the first key, detects all of them (newest first, at most MAX_KEYS).

    `depth_db` is the largest mean gain of a cell, up or down; masking lowers it further.
    """

    payload_bits = PAYLOAD_BITS

    def __init__(self, keys: Sequence[bytes], *, depth_db: float = 3.5) -> None:
        if not 0 < len(keys) <= MAX_KEYS:
            raise UnmarkableInput(f"a mark needs one to {MAX_KEYS} keys")
        self._patterns = [Pattern(key) for key in keys]
        self._depth = depth_db

    def embed(self, samples: Samples, rate: int, payload: int) -> Samples:
        """(N,) float32 mono at `rate` Hz -> the same with the mark. BadPayload, UnmarkableInput.

        Only the difference is resampled, so the sound outside the mark's band stays as it was. Where the
        sum would exceed full scale the whole is turned down a little instead of clipped.
        """
        _check(samples, rate)
        pattern = self._patterns[0]
        work = plane.resample(samples, rate, plane.WORK_RATE)
        delta = np.zeros_like(work)
        frames = plane.frame_count(len(work))
        for first in range(0, frames, _FRAMES_AT_ONCE):
            spectra = plane.transform(work, first, first + _FRAMES_AT_ONCE)
            blocks = (first + np.arange(len(spectra))) // plane.BLOCK
            sign = pattern.rows(payload, pattern.start(payload) + blocks)
            factor = 10 ** (self._gains(spectra, sign) / 20)
            plane.add_inverse(delta, spectra * (factor - 1), first)
        back = plane.resample(delta, plane.WORK_RATE, rate)[: len(samples)]
        marked = samples.astype(np.float32)  # a copy
        marked[: len(back)] += back
        peak = float(np.abs(marked).max())
        return marked / np.float32(peak) if peak > 1.0 else marked

    def _gains(self, spectra: plane.Spectra, sign: NDArray[np.float32]) -> NDArray[np.float32]:
        """(frames, bins) dB."""
        limit = np.minimum(gain_limits(spectra, MASK_SHARE), self._depth)
        seen = _per_frame(plane.residual(plane.block_means(plane.band_energies(spectra))), len(spectra))
        # Push where the sound itself contradicts the sign, spare it where they agree; then look again.
        push = np.clip(1 - _PUSH * seen * sign, _LEAST, _MOST)
        gains = _per_bin(limit * sign * push)
        for _ in range(ROUNDS - 1):
            energies = plane.band_energies(spectra * 10 ** (gains / 20))
            seen = _per_frame(plane.residual(plane.block_means(energies)), len(spectra))
            push = np.clip(push + _PUSH * (_WANTED - seen * sign), _LEAST, _MOST)
            gains = _per_bin(limit * sign * push)
        return gains

    def detect(
        self, samples: Samples, rate: int, *, candidates: Sequence[int] | None = None
    ) -> AudioFinding | None:
        """The mark of any of our keys, or None. UnmarkableInput for unusable samples.

        With `candidates` only these ids count, and less evidence suffices (base.py). BadPayload for more
        than MAX_CANDIDATES of them or one that does not fit.
        """
        wanted = check_candidates(candidates, PAYLOAD_BITS)
        if len(samples) < MIN_SECONDS * rate or wanted == ():
            return None
        _check(samples, rate)
        work = plane.resample(samples, rate, plane.WORK_RATE)
        spectrogram = plane.Spectrogram(work / (float(np.abs(work).max()) + 1e-9))
        found = self._as_embedded(spectrogram, wanted)
        return found if found is not None else self._at_other_speeds(spectrogram, wanted)

    def _as_embedded(
        self, spectrogram: plane.Spectrogram, wanted: tuple[int, ...] | None
    ) -> AudioFinding | None:
        starts = _segments(spectrogram.frames)
        for start in starts:
            fits = self._fits(spectrogram, 1.0, start, SEGMENT, tuple(range(plane.BLOCK)))
            found = self._decode(fits, wanted, len(starts))
            if found is not None:
                return AudioFinding(*found, "as embedded")
        return None

    def _at_other_speeds(
        self, spectrogram: plane.Spectrogram, wanted: tuple[int, ...] | None
    ) -> AudioFinding | None:
        pieces = _pieces(spectrogram.frames)
        steps = [sign * step for step in range(1, SPEED_STEPS + 1) for sign in (1, -1)]
        coarse: dict[tuple[int, int, float], float] = {}
        for piece in pieces:
            for step in steps:
                fits = self._fits(spectrogram, 1 + step * SPEED_STEP, piece, PIECE, (0, plane.BLOCK // 2))
                for fit in fits:
                    place = piece, fit.key_index, fit.speed
                    coarse[place] = max(coarse.get(place, 0.0), fit.score)
        chosen = sorted(coarse, key=lambda place: -coarse[place])[:REFINED]
        near = {(piece, speed + fine) for piece, _, speed in chosen for fine in FINE_SPEEDS}
        fits = []
        for piece, speed in sorted(near):
            fits += self._fits(spectrogram, speed, piece, PIECE, tuple(range(plane.BLOCK)))
        found = self._decode(fits, wanted, 1)
        best = max(fits, key=lambda fit: fit.score, default=None)
        if found is None or best is None:
            return None
        return AudioFinding(*found, f"speed x{best.speed:.3f}")

    def _fits(
        self, spectrogram: plane.Spectrogram, speed: float, first: int, length: int, offsets: tuple[int, ...]
    ) -> list[_Fit]:
        """The best positions of every key on one stretch at one speed."""
        stretch = spectrogram.at_speed(speed, first, first + length)
        fits = []
        for offset in offsets:
            residuals = plane.residual(stretch.cells(offset))[:PERIOD]
            length_of = float(np.linalg.norm(residuals))
            if length_of == 0.0:
                continue
            spectrum = fft.rfft(residuals, PERIOD, axis=0)
            for index, pattern in enumerate(self._patterns):
                scores = pattern.fits(spectrum)
                for position in np.argpartition(scores, -_PEAKS)[-_PEAKS:]:
                    score = float(scores[position]) / length_of
                    fits.append(_Fit(score, index, speed, first, int(position), residuals))
        return fits

    def _decode(self, fits: list[_Fit], wanted: tuple[int, ...] | None, calls: int) -> tuple[int, int] | None:
        """(payload, key index) of the first of the best fits whose data score passes."""
        most = DECODED if wanted is None else DECODED_SHORT_LIST
        threshold = stage_threshold(most * calls, None if wanted is None else len(wanted))
        for fit in sorted(fits, key=lambda fit: -fit.score)[:most]:
            pattern = self._patterns[fit.key_index]
            if wanted is None:
                payload, score = pattern.decode(fit.residuals, fit.position)
            else:
                payload, score = pattern.nearest(fit.residuals, fit.position, wanted)
            if score >= threshold:
                return payload, fit.key_index
        return None


def stage_threshold(decodings: int, candidates: int | None) -> float:
    """What a data score must reach in one of the two stages (as embedded, other speeds).

    The template picked (key, speed, position); the signs of the data cells are independent of it. So the
    hypotheses are the decodings, and the number of keys is among them.
    """
    return acceptance_threshold(
        payload_bits=PAYLOAD_BITS if candidates is None else float(np.log2(candidates)),
        hypotheses=decodings,
        keys=1,
        false_accept=FALSE_ACCEPT,
        share=0.5,
    )


def _segments(frames: int) -> list[int]:
    """First frames of overlapping segments that cover the sound; one if it fits."""
    if frames <= SEGMENT:
        return [0]
    return [*range(0, frames - SEGMENT, SEGMENT_STEP), frames - SEGMENT]


def _pieces(frames: int) -> list[int]:
    """First frames of at most MOST_PIECES pieces, spread evenly."""
    count = min(max(1, round(frames / PIECE)), MOST_PIECES)
    return sorted({int(at) for at in np.linspace(0, max(0, frames - PIECE), count)})


def _per_frame(cells: plane.Cells, frames: int) -> plane.Cells:
    """(blocks, BANDS) -> (frames, BANDS), zeros for an incomplete last block."""
    out = np.zeros((frames, plane.BANDS), np.float32)
    repeated = np.repeat(cells, plane.BLOCK, axis=0)
    out[: len(repeated)] = repeated
    return out


_edges = plane.BAND_EDGES
_BAND_OF_BIN = np.floor((np.arange(plane.WINDOW // 2 + 1) - _edges[0]) / (_edges[1] - _edges[0])).astype(int)
_INSIDE = (_BAND_OF_BIN >= 0) & (_BAND_OF_BIN < plane.BANDS)
_BLUR_FRAMES, _BLUR_BINS = 1.0, 1.2  # abrupt gains would spread into bands that do not mask them


def _per_bin(gains: NDArray[np.floating]) -> NDArray[np.float32]:
    """(frames, BANDS) -> (frames, bins), blurred."""
    smooth = ndimage.gaussian_filter1d(gains, _BLUR_FRAMES, axis=0)
    out = np.zeros((len(gains), plane.WINDOW // 2 + 1), np.float32)
    out[:, _INSIDE] = smooth[:, _BAND_OF_BIN[_INSIDE]]
    return np.asarray(ndimage.gaussian_filter1d(out, _BLUR_BINS, axis=1))


def _check(samples: Samples, rate: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise UnmarkableInput(f"the sample rate must lie between {RATES[0]} and {RATES[1]} Hz")
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise UnmarkableInput("samples are a one-dimensional array of floats, full scale +-1")
    if len(samples) < MIN_SECONDS * rate:
        raise UnmarkableInput(f"the sound is shorter than {MIN_SECONDS} s")
    if not np.isfinite(samples).all():
        raise UnmarkableInput("the samples contain NaN or infinity")
