"""Listens to the voice-over: is this the text that was moderated, said at a plausible pace?

The text was judged before it was spoken; this check would notice that another sound was attached, that
the voice fell silent, or that there is speech beside the script. It aligns the script with the sound
(alignment.py). Three outcomes: it fits; it does not (a person listens); or the script cannot be
judged here (other languages, many unknown words), which is "not checked". One exchanged word can pass.
"""

from typing import Any

import numpy as np

from byline.safety.checks import Check
from byline.safety.screen import alignment, pronunciation

NAME = "output.speech"
COVERAGE = 0.75  # of the script's letters in words with a known pronunciation
UNEXPLAINED = 0.10  # share of loud frames outside the words
_PACE = (4.0, 32.0)  # letters a second; espeak-ng at 80..450 words a minute spans 5..29
_SILENT = 0.003  # root mean square, full scale 1.0


def screen(samples: np.ndarray, rate: int, script: str, *, language: str = "en-us") -> Check:
    """Compare float32 mono `samples` at `rate` Hz with the `script` they should speak."""
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        return Check(NAME, "failed", detail="the sound is empty, not mono, or not numbers")
    level = float(np.sqrt((samples.astype(np.float64) ** 2).mean()))
    letters = sum(map(str.isalnum, script))
    seconds = len(samples) / rate
    evidence: dict[str, Any] = {"seconds": round(seconds, 2), "level": round(level, 4)}
    if level < _SILENT:
        return _odd("the voice-over is silent", evidence)
    if language.lower().partition("-")[0] != "en":
        return Check(NAME, "unavailable", detail="only English can be aligned", evidence=evidence)
    if not letters / _PACE[1] <= seconds:
        return _odd("the voice-over is too short for its script", evidence)
    try:
        found = alignment.align(samples, rate, script)
        evidence |= {"coverage": round(found.coverage, 3), "beam": found.beam}
        if found.coverage < COVERAGE:
            detail = "too many words have no known pronunciation"
            return Check(NAME, "unavailable", detail=detail, evidence=evidence)
        fits = _fits(found, samples, rate, script)
    except alignment.AlignerMissing as error:
        return Check(NAME, "unavailable", detail=str(error), evidence=evidence)
    except RuntimeError as error:  # what PocketSphinx raises
        return Check(NAME, "failed", detail=f"the aligner broke: {type(error).__name__}", evidence=evidence)
    evidence["unexplained"] = round(found.unexplained, 3)
    if not fits:
        return _odd("the voice-over does not fit its script", evidence)
    return Check(NAME, "available", detail="fits its script", evidence=evidence)


def _fits(found: alignment.Alignment, samples: np.ndarray, rate: int, script: str) -> bool:
    """Aligned narrowly, or widely where the same words in another order do not align at all."""
    if found.beam is None or found.unexplained > UNEXPLAINED:
        return False
    if found.beam <= alignment.NARROW:
        return True
    words = pronunciation.written_words(script)
    half = len(words) // 2
    others = (words[::-1], words[half:] + words[:half])
    return len(words) >= 4 and all(
        alignment.align(samples, rate, " ".join(other), (found.beam,)).beam is None for other in others
    )


def _odd(detail: str, evidence: dict[str, Any]) -> Check:
    return Check(NAME, "available", "review", detail, "deception", evidence=evidence)
