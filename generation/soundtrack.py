"""The clip's speech at 48 kHz, placed in time, exactly as long as the picture.

What sounds beside it is sound/scoring.py. Word times move with the speech, so that captions stay in step.
"""

from dataclasses import dataclass
from math import gcd

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.voices.base import Speech, Word

RATE = 48_000
LEAD_IN_S = 0.4  # a voice on the very first frame sounds cut off
TAIL_S = 0.3


class SpeechTooLong(InvalidInput):
    code = "speech_too_long"
    help = "Shorten the voice-over or ask for a longer clip."


@dataclass(frozen=True)
class Soundtrack:
    """`samples`: float32 mono, round(seconds * rate) of them. `words` in seconds of the clip."""

    samples: np.ndarray
    rate: int
    words: tuple[Word, ...]


def needed_seconds(speech: Speech) -> float:
    """The shortest clip that holds this speech."""
    return LEAD_IN_S + speech.seconds + TAIL_S


def lay(speech: Speech, *, seconds: float) -> Soundtrack:
    """Place `speech` in a clip of `seconds`. SpeechTooLong when it does not fit."""
    if needed_seconds(speech) > seconds + 1e-6:
        raise SpeechTooLong(f"the speech takes {speech.seconds:.1f} s of a clip of {seconds:.1f} s")
    track = np.zeros(round(seconds * RATE), np.float32)
    voice = resample(speech.samples, speech.rate, RATE)
    first = round(LEAD_IN_S * RATE)
    voice = voice[: len(track) - first]
    track[first : first + len(voice)] = voice
    words = tuple(Word(word.text, word.start + LEAD_IN_S, word.end + LEAD_IN_S) for word in speech.words)
    return Soundtrack(track, RATE, words)


def resample(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """float32 mono at another rate (polyphase filter)."""
    if rate == to:
        return samples.astype(np.float32)
    from scipy.signal import resample_poly

    divisor = gcd(rate, to)
    resampled: np.ndarray = resample_poly(samples, to // divisor, rate // divisor)
    return np.clip(resampled, -1.0, 1.0).astype(np.float32)
