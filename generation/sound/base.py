"""What a music maker is: a Protocol and the values that go in and come out.

A plug-in implements `MusicMaker` and is named in the setting MUSIC. It fetches nothing, and the same wish
on the same machine with the same versions gives the same samples. What it made is named in the manifest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from byline.audit.base.errors import BylineError

MOODS = ("calm", "bright", "tense", "sombre")


class MusicFailed(BylineError):
    """The maker broke or gave no sound."""

    code = "music_failed"
    status = 502
    help = "Try again, or leave the music out."


@dataclass(frozen=True)
class MusicInfo:
    """What made the music. `identifier` is a purl or hub id, "" where there is none."""

    name: str
    version: str
    licence: str
    identifier: str = ""


@dataclass(frozen=True)
class MusicWish:
    """`mood` is one of MOODS; `prompt` is for makers that read text and comes from the editor."""

    seconds: float
    mood: str = "calm"
    seed: int = 0
    prompt: str = ""


@dataclass(frozen=True)
class Piece:
    """`samples`: float32 mono in [-1, 1], shape (N,), at `rate` Hz. `beats` in seconds, () when unknown."""

    samples: np.ndarray
    rate: int
    beats: tuple[float, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


class MusicMaker(Protocol):
    @property
    def info(self) -> MusicInfo: ...

    def compose(self, wish: MusicWish) -> Piece:
        """A piece of exactly `wish.seconds`, faded in and out. MusicFailed, MissingWeights."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights when this maker cannot work here."""
        ...

    def examples(self) -> Sequence[MusicWish]: ...
