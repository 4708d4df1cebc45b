"""Forced alignment of English speech with its script (PocketSphinx, model in the wheel, offline).

The aligner is made to explain the sound by these words in this order and gives up when its search
beam runs empty. How narrow the beam may be before it gives up is the measure: the right text passes
a narrow one, another text does not. It cannot hear a single changed word for certain, and it says
nothing about languages other than English. Free recognition is left out: of formant voices it
understands too little to be evidence.
"""

import functools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byline.safety.screen import pronunciation

RATE = 16_000
FRAME_S = 0.01
# -log10 of the beam. Measured with the default voice: 24 of 24 true sentences held at 56 or narrower;
# of 48 other texts one did, and it left 39 % of the speech unexplained; one exchanged word passed in 7
# of 24.
NARROW, WIDE = 64, 128
BEAMS = (24, 32, 48, NARROW, WIDE)  # narrow first: a wide beam sometimes fails where a narrow one holds
_LOUD = 0.1  # of the 95th percentile of the frames' level: quieter frames count as silence


class AlignerMissing(Exception):
    """PocketSphinx or its English model is not installed."""


@dataclass(frozen=True)
class Alignment:
    """`words`: (written, start s, end s); empty when the text could not be aligned at all.

    `beam`: the narrowest of those tried that held, None for none. `coverage`: share of the script's
    letters in words whose pronunciation is known and not guessed. `unexplained`: share of the loud
    frames that the alignment takes for silence between words: how it passes over speech that is not
    in the script.
    """

    words: tuple[tuple[str, float, float], ...]
    beam: int | None
    coverage: float
    unexplained: float


def align(samples: np.ndarray, rate: int, script: str, beams: tuple[int, ...] = BEAMS) -> Alignment:
    """Align float32 mono `samples` with `script`. AlignerMissing when it cannot run here."""
    decoder = _decoder(beams[0])
    spoken, coverage = _spoken(decoder, script)
    if not spoken:
        return Alignment((), None, coverage, 1.0)
    pcm = _pcm(samples, rate)
    for beam in beams:
        segments = _search(_decoder(beam), spoken, pcm)
        if segments is not None:
            times = tuple(
                (word, first * FRAME_S, (last + 1) * FRAME_S)
                for (word, _), (first, last) in zip(spoken, segments, strict=True)
            )
            return Alignment(times, beam, coverage, _unexplained(pcm, segments))
    return Alignment((), None, coverage, 1.0)


_lock = threading.Lock()  # a decoder holds one utterance; the words added to it stay


@functools.cache
def _decoder(beam: int) -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise AlignerMissing("pocketsphinx is not installed") from error
    model = Path(pocketsphinx.get_model_path("en-us"))
    width = float(f"1e-{beam}")
    return pocketsphinx.Decoder(
        pocketsphinx.Config(
            hmm=str(model / "en-us"),
            dict=str(model / "cmudict-en-us.dict"),
            lm=None,
            beam=width,
            pbeam=width,
            wbeam=width,
            dither=False,
            samprate=float(RATE),
            loglevel="FATAL",
        )
    )


def _spoken(decoder: Any, script: str) -> tuple[list[tuple[str, list[str]]], float]:
    """(written word, its readings) for the words that can be said, and the share of letters they are."""
    words = pronunciation.written_words(script)
    said = []
    for word in words:
        ways = pronunciation.readings(word, decoder.lookup_word)
        if ways:
            said.append((word, ways))
    letters = sum(len(word) for word in words)
    known = sum(len(word) for word in words if pronunciation.is_known(word, decoder.lookup_word))
    return said, known / letters if letters else 0.0


def _search(decoder: Any, spoken: list[tuple[str, list[str]]], pcm: bytes) -> list[tuple[int, int]] | None:
    """First and last frame of each spoken word, or None when the beam ran empty."""
    with _lock:
        names = []
        for word, ways in spoken:
            name = word.lower()
            if decoder.lookup_word(name) != ways[0] or len(ways) > 1:
                name = _add(decoder, f"_{name}", ways)
            names.append(name)
        decoder.set_align_text(" ".join(names))
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return None
        found = [(s.word, s.start_frame, s.end_frame) for s in decoder.seg()]
    segments = [(first, last) for word, first, last in found if not word.startswith("<")]
    return segments if len(segments) == len(spoken) else None


def _add(decoder: Any, name: str, ways: list[str]) -> str:
    """Add a word with its readings; the decoder picks the one that fits. Adding again is a no-op."""
    for number, way in enumerate(ways, start=1):
        alternative = name if number == 1 else f"{name}({number})"
        if decoder.lookup_word(alternative) is None:
            decoder.add_word(alternative, way, True)
    return name


def _pcm(samples: np.ndarray, rate: int) -> bytes:
    from math import gcd

    from scipy.signal import resample_poly

    divisor = gcd(rate, RATE)
    at_rate = resample_poly(samples, RATE // divisor, rate // divisor) if rate != RATE else samples
    return bytes((np.clip(at_rate, -1, 1) * 32767).astype("<i2").tobytes())


def levels(pcm: bytes) -> np.ndarray:
    """Root mean square of each 10 ms frame of 16 kHz 16-bit samples, full scale 1.0."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
    size = int(RATE * FRAME_S)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    rms: np.ndarray = np.sqrt((frames**2).mean(axis=1))
    return rms


def _unexplained(pcm: bytes, segments: list[tuple[int, int]]) -> float:
    level = levels(pcm)
    loud = level > max(_LOUD * float(np.percentile(level, 95)), 1e-4)
    explained = np.zeros(len(level), bool)
    for first, last in segments:
        explained[first : last + 1] = True
    return float((loud & ~explained).sum() / max(1, loud.sum()))
