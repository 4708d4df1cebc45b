"""The voice over its bed: music and effects that step back while somebody speaks, at a stated loudness.

All sounds are mono float32 at one rate. The bed stands `BED_LU` below the voice and goes `DUCK_DB` further
down from shortly before a word until shortly after the last one, as a hand on a fader would.
"""

from dataclasses import dataclass

import numpy as np

from byline.generation.sound import loudness

BED_LU = 8.0
DUCK_DB = 10.0
_HOP_S = 0.01
_BEFORE_S, _HOLD_S = 0.15, 0.45
_ATTACK_S, _RELEASE_S = 0.08, 0.5
_VOICE_DB = -38.0  # of the loudest frame: quieter frames are pauses


@dataclass(frozen=True)
class Mix:
    """`bed_gain_db`: (N,) of the bed over time; `loudness` of the whole."""

    samples: np.ndarray
    bed_gain_db: np.ndarray
    loudness: loudness.Loudness


def mix(
    voice: np.ndarray | None,
    bed: np.ndarray | None,
    rate: int,
    *,
    target: float = loudness.WEB,
    ceiling: float = loudness.CEILING_DBTP,
) -> Mix:
    """Voice and bed as one sound of the voice's length (or the bed's, without a voice) at `target` LUFS."""
    base = voice if voice is not None else bed
    if base is None:
        raise ValueError("a mix of nothing")
    spoken = base if voice is not None else np.zeros(len(base), np.float32)
    gain = ducking(spoken, rate)
    if bed is None:
        together = spoken.astype(np.float64)
    else:
        level = loudness.measure(spoken, rate).integrated if voice is not None else loudness.WEB
        under = loudness.normalise(_fit(bed, len(base)), rate, level - BED_LU) if np.isfinite(level) else bed
        together = spoken + _fit(under, len(base)) * 10 ** (gain / 20)
    finished = loudness.normalise(together, rate, target, ceiling)
    return Mix(finished, gain, loudness.measure(finished, rate))


def ducking(voice: np.ndarray, rate: int) -> np.ndarray:
    """float64 (N,) in dB, 0 where nobody speaks and -DUCK_DB where somebody does, without a jump."""
    hop = max(1, round(_HOP_S * rate))
    count = -(-len(voice) // hop)
    padded = np.zeros(count * hop)
    padded[: len(voice)] = voice
    level = np.sqrt((padded.reshape(count, hop) ** 2).mean(axis=1)) if count else np.zeros(0)
    if not count or level.max() < 1e-4:
        return np.zeros(len(voice))
    speaking = level > level.max() * 10 ** (_VOICE_DB / 20)
    before, hold = round(_BEFORE_S / _HOP_S), round(_HOLD_S / _HOP_S)
    spoken = np.convolve(speaking, np.ones(before + hold))[before : before + count] > 0.5
    curve = np.zeros(count)
    now = -DUCK_DB if spoken[0] else 0.0
    for place, wanted in enumerate(np.where(spoken, -DUCK_DB, 0.0)):
        slope = _HOP_S / (_ATTACK_S if wanted < now else _RELEASE_S)
        now += (wanted - now) * (1 - np.exp(-slope))
        curve[place] = now
    smooth: np.ndarray = np.interp(np.arange(len(voice)), (np.arange(count) + 0.5) * hop, curve)
    return smooth


def placed(sounds: list[tuple[float, np.ndarray]], seconds: float, rate: int) -> np.ndarray:
    """float32 mono of `seconds`, each sound added from its time on; what lies beyond the end is left out."""
    track = np.zeros(round(seconds * rate), np.float32)
    for begin, sound in sounds:
        first = max(0, round(begin * rate))
        part = sound[: max(0, len(track) - first)]
        track[first : first + len(part)] += part
    return track


def _fit(samples: np.ndarray, count: int) -> np.ndarray:
    if len(samples) >= count:
        return samples[:count]
    return np.concatenate([samples, np.zeros(count - len(samples), samples.dtype)])
