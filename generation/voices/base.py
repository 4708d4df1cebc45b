"""What a voice is: text in, mono samples and word times out.

A plug-in implements `Voice` and is named in the setting VOICES (`byline.generation.voices.load`).
Word times are seconds from the first sample and drive the captions; a voice that cannot give them
returns an empty tuple and the captions come from forced alignment. Nothing here clones a voice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from byline.audit.base.errors import BylineError, InvalidInput

MAX_CHARACTERS = 3000  # about three minutes of speech; a clip is never longer
MAX_SECONDS = 240.0


class UnspeakableText(InvalidInput):
    code = "unspeakable_text"
    help = "Give a voice-over of 1 to 3000 characters with words that can be read aloud."


class UnknownLanguage(InvalidInput):
    code = "unknown_language"
    help = "Use a language tag the voice offers, for example en-us, de, es or hi."


class SpeechFailed(BylineError):
    """The synthesiser broke or gave no sound. The job fails; nothing is published without its voice."""

    code = "speech_failed"
    status = 502
    help = "Try again; if it repeats, run the voice's self-check and read the worker's log."


class Word(NamedTuple):
    """One spoken word as written, with its punctuation; times in seconds from the first sample."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Speech:
    """`samples`: float32 mono in [-1, 1], shape (N,), at `rate` Hz. `words` in spoken order.

    `timing` says where the words' times come from: "engine", or "sentence" where the voice gave only the
    times of whole sentences and the words share them by their letters.
    """

    samples: np.ndarray
    rate: int
    words: tuple[Word, ...]
    timing: str = "engine"

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class VoiceInfo:
    """What the manifest says about the voice. `synthetic` True: no real speaker is imitated.

    `identifier` is a purl or hub id of the program and the voice data, "" where there is none.
    `speaker_sha256` is that of the file the timbre comes from. Where a real person spoke it, `synthetic` is
    False and the speech stage asks for that person's consent to this very file.
    """

    name: str
    version: str
    licence: str
    synthetic: bool = True
    identifier: str = ""
    speaker_sha256: str = ""
    weights_sha256: str = ""


@dataclass(frozen=True)
class VoiceExample:
    """A known answer for the contract test: this text takes between these many seconds."""

    text: str
    language: str
    words: int
    shortest_s: float
    longest_s: float


class Voice(Protocol):
    """Same text, parameters, machine and versions give the same samples."""

    @property
    def info(self) -> VoiceInfo: ...

    def languages(self) -> Sequence[str]:
        """Language tags that `speak` accepts, sorted."""
        ...

    def speak(self, text: str, *, language: str = "en-us", rate: int = 165, pitch: int = 50) -> Speech:
        """Read `text` aloud. `rate` in words a minute, `pitch` 0..99.

        UnspeakableText, UnknownLanguage: the caller's text or tag. SpeechFailed: no sound came.
        """
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError when this voice cannot work here."""
        ...

    def examples(self) -> Sequence[VoiceExample]: ...
