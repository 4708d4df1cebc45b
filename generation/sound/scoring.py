"""What sounds beside the voice in a clip: the music and the effects that its request asks for, as one bed.

Options of a request: `music` a mood (the maker is named by `music_maker`), `effects` names with commas
between or "auto" (found in the prompt), `loudness` in LUFS. All at the soundtrack's rate; the same request
gives the same sound. What was used comes back as plain values for the record and the manifest.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation import plugins
from byline.generation.sound import effects, loudness, mixing
from byline.generation.sound.base import MOODS, MusicMaker, MusicWish
from byline.generation.soundtrack import RATE, resample

# Below the ceiling of -1 dBTP by what the AAC encoder adds.
_CEILING_DBTP = -2.0
_EFFECT_LEVEL = 0.6
AUTO = "auto"


@dataclass(frozen=True)
class Bed:
    """`samples`: float32 mono at RATE. `music`: name, version, licence, identifier, mood; {} without any."""

    samples: np.ndarray
    music: dict[str, str]
    effects: tuple[str, ...]


def load(name: str = "default") -> MusicMaker:
    """The music maker of the setting MUSIC. ConfigurationError names what is wrong."""
    maker: MusicMaker = plugins.load("MUSIC", name, "music maker")
    return maker


def check(options: Mapping[str, Any]) -> None:
    """InvalidInput for a mood or an effect that there is not, before anything is made."""
    if options.get("music", MOODS[0]) not in MOODS:
        raise InvalidInput("There is no music of this mood.", help=f"Moods: {', '.join(MOODS)}.")
    asked = _names(options)
    if asked and asked != (AUTO,) and set(asked) - set(effects.NAMES):
        raise InvalidInput(
            "There is no such sound effect.", help=f"Effects: auto, {', '.join(effects.NAMES)}."
        )


def bed(options: Mapping[str, Any], *, seconds: float, seed: int, prompt: str) -> Bed | None:
    """Music and effects of a clip of `seconds`, None when it asks for none. MusicFailed, MissingWeights."""
    chosen = _names(options)
    names = effects.choose(prompt) if chosen == (AUTO,) else chosen
    track = np.zeros(round(seconds * RATE), np.float32)
    music: dict[str, str] = {}
    if "music" in options:
        maker = load(options.get("music_maker", "default"))
        piece = maker.compose(MusicWish(seconds, options["music"], seed, prompt))
        track += _fit(resample(piece.samples, piece.rate, RATE), len(track))
        music = {**asdict(maker.info), "mood": options["music"]}
    for name in names:
        sound = resample(effects.make(name, seconds, seed), effects.RATE, RATE)
        track += _EFFECT_LEVEL * _fit(sound, len(track))
    return Bed(track, music, names) if music or names else None


def finish(voice: np.ndarray | None, bed: Bed | None, options: Mapping[str, Any]) -> mixing.Mix:
    """Voice over bed at the loudness that the request asks for (-16 LUFS when it does not say)."""
    under = bed.samples if bed else None
    return mixing.mix(voice, under, RATE, target=_target(options), ceiling=_CEILING_DBTP)


def levelled(samples: np.ndarray, options: Mapping[str, Any]) -> np.ndarray:
    """A finished sound that was changed since, at its loudness again."""
    return loudness.normalise(samples, RATE, _target(options), _CEILING_DBTP)


def _target(options: Mapping[str, Any]) -> float:
    return float(options.get("loudness", loudness.WEB))


def _names(options: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for part in str(options.get("effects", "")).split(",") if (name := part.strip()))


def _fit(samples: np.ndarray, count: int) -> np.ndarray:
    return np.pad(samples[:count], (0, max(0, count - len(samples))))
