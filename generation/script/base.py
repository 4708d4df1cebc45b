"""What a script writer is: a Protocol and the values that go in and come out.

A writer turns a document into shots. A plug-in implements `ScriptWriter` and is named in the setting
SCRIPT_WRITERS. It sends no text anywhere: what is written and what comes of it stay on this host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation.script.documents import Document
from byline.generation.script.storyboard import Shot, Writer

WORDS_A_SECOND = 165 / 60  # the voices' usual rate
PAUSE_S = 0.8  # before and after what is said in a shot
LONGEST_SHOT_S = 12.0
SHORTEST_SHOT_S = 3.0


class WriterFailed(BylineError):
    """The writer gave no storyboard. The message says why without a word of the text."""

    code = "script_writer_failed"
    status = 502
    help = "The extractive writer always works; a language model may need a larger one."


class TextTooLong(InvalidInput):
    code = "text_too_long"
    help = "Ask for a summary of fewer seconds, or make several films."


@dataclass(frozen=True)
class Wish:
    """What the editor asks for. `seconds` None: every sentence is spoken and nothing is left out."""

    seconds: float | None = None
    language: str = ""  # "": guessed from the text
    style: str = ""  # added to every visual, such as "flat illustration"


@dataclass(frozen=True)
class Draft:
    """What a writer gives back. `used`: how many of the source's sentences are in it, if that can be said."""

    title: str
    shots: tuple[Shot, ...]
    writer: Writer
    used: int


@dataclass(frozen=True)
class WriterExample:
    """A known answer for the contract test: shots and words that must be in them."""

    text: str
    wish: Wish
    at_least: int
    words: tuple[str, ...]


class ScriptWriter(Protocol):
    def write(self, document: Document, wish: Wish, sentences: Sequence[str]) -> Draft:
        """Shots for the document in `wish.language`. WriterFailed, TextTooLong, MissingWeights."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights when this writer cannot work here."""
        ...

    def examples(self) -> Sequence[WriterExample]: ...


def spoken_seconds(text: str) -> float:
    """About how long a voice takes: by words, or by characters in scripts without spaces."""
    unspaced = sum("\u0e00" <= c <= "\u0eff" or "\u3040" <= c <= "\u9fff" for c in text)
    return (
        (len(text.split()) - (1 if unspaced else 0)) / WORDS_A_SECOND + unspaced / 4.5
        if text.strip()
        else 0.0
    )


def shot_seconds(audio: str) -> float:
    """The length of a shot that says this, to the tenth of a second."""
    return max(SHORTEST_SHOT_S, round(spoken_seconds(audio) + 2 * PAUSE_S, 1))
