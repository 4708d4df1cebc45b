"""Saying aloud that a sound is generated, at its start: in words, or in Morse code as GB 45438-2025 allows.

For whoever does not see the label: the audio description always begins with it, other tracks where the
setting LABELS says so. The rest of the track steps back while it is heard.
"""

import numpy as np

from byline.generation.sound import mixing

WORDS = {"en": "A I generated.", "de": "Mit K I erzeugt.", "es": "Generado con I A.", "fr": "Généré par I A."}
_UNIT_S = 0.08
_TONE_HZ, _TONE = 800.0, 0.2
_MORSE = "10111000" + "101"  # A is short long, I is short short; three units of silence between the letters
_BACK_DB = -12.0
_EDGE_S = 0.05


def words(language: str) -> tuple[str, str]:
    """The disclaimer and the language it is in: that of the tag, else English."""
    primary = language.lower().replace("_", "-").partition("-")[0]
    return (WORDS[primary], language) if primary in WORDS else (WORDS["en"], "en-us")


def morse(rate: int) -> np.ndarray:
    """ "AI" in Morse code, float32 mono: short long, short short."""
    unit = round(_UNIT_S * rate)
    keyed = np.repeat([float(sign) for sign in _MORSE], unit)
    edge = max(1, round(0.005 * rate))  # without a click
    shape = np.convolve(keyed, np.ones(edge) / edge, mode="same")
    tone = _TONE * np.sin(2 * np.pi * _TONE_HZ * np.arange(len(keyed)) / rate)
    return np.asarray(tone * shape, np.float32)


def under(track: np.ndarray, rate: int, spans: list[tuple[float, float]]) -> np.ndarray:
    """The track, 12 dB quieter during `spans` of seconds, without a jump."""
    gain = np.ones(len(track))
    for start, end in spans:
        gain[max(0, round((start - _EDGE_S) * rate)) : round((end + _EDGE_S) * rate)] = 10 ** (_BACK_DB / 20)
    width = max(1, round(_EDGE_S * rate))
    padded = np.pad(gain, width, mode="edge")
    total = np.concatenate([[0.0], np.cumsum(padded)])
    smooth = (total[2 * width + 1 :] - total[: -2 * width - 1]) / (2 * width + 1)
    return np.asarray(track * smooth[: len(track)], np.float32)


def announced(track: np.ndarray, rate: int, notice: np.ndarray) -> np.ndarray:
    """`notice` at the start of `track`, which steps back for it; as long as the track."""
    quieter = under(track, rate, [(0.0, len(notice) / rate)])
    return quieter + mixing.placed([(0.0, notice)], len(track) / rate, rate)[: len(track)]
