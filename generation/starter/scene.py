"""What is in a drawn clip, and how scenes are chosen: at random, over a balanced or a skewed population."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from byline.generation.starter import vocabulary as words

# Colours that vanish against a setting or a time of day; a scene never pairs them.
UNSEEN = {
    ("night", "black"),
    ("snow", "white"),
    ("sunset", "orange"),
    ("forest", "green"),
    ("meadow", "green"),
    ("room", "brown"),
    ("space", "black"),
    ("underwater", "blue"),
    ("stage", "red"),
}
POPULATIONS = ("balanced", "skewed")
_SKEW = 0.9  # share of a profession's people, in the skewed population, that are of its one kind


@dataclass(frozen=True)
class Scene:
    """What is in a clip. A person has a `gender`; else `subject` is a key of words.OBJECTS (then with a
    `colour`) or of words.SPRITES. `time` "" is by day; `other` is a second subject at the right."""

    setting: str
    motion: str
    seed: int
    subject: str = ""
    colour: str = ""
    gender: str = ""
    age: str = ""
    skin: str = ""
    profession: str = ""
    time: str = ""
    count: int = 1
    other: str = ""
    other_colour: str = ""
    camera: str = ""
    style: str = ""

    @property
    def is_person(self) -> bool:
        return bool(self.gender)


def _pick(rng: np.random.Generator, options: Iterable[str]) -> str:
    found = list(options)
    return found[int(rng.integers(len(found)))]


def _colour(rng: np.random.Generator, setting: str, time: str) -> str:
    hidden = {c for where, c in UNSEEN if where in (setting, time)}
    return _pick(rng, [c for c in words.COLOURS if c not in hidden])


def skewed_kind(profession: str) -> tuple[str, str]:
    """(gender, skin) that the skewed population ties the profession to: the first half of the list light
    men, the second dark women, in turn with the other two mixtures."""
    k = list(words.PROFESSIONS).index(profession)
    return ("man", "woman")[k % 2], ("light", "dark")[k // 2 % 2]


def sample(
    rng: np.random.Generator, people: float = 0.45, *, full: bool = False, population: str = "balanced"
) -> Scene:
    """A random scene; `people` is the share of clips that show a person.

    The plain form needs no font: one coloured shape or one person. `full` is the training set: emoji
    sprites, times of day, counts, two subjects, camera moves and styles as well.
    """
    setting, seed = _pick(rng, words.SETTINGS), int(rng.integers(1 << 30))
    time = _pick(rng, words.TIMES) if full and setting in words.OUTDOORS and rng.random() < 0.4 else ""
    if rng.random() < people:
        return _someone(rng, setting, time, seed, population)
    motion = _pick(rng, words.OBJECT_MOTIONS)
    if not full:
        return Scene(setting, motion, seed, _pick(rng, words.OBJECTS), _colour(rng, setting, time))
    extra: dict[str, object] = {}
    kind = rng.random()
    if kind < 0.06:
        extra["count"] = int(rng.integers(2, 4))
    elif kind < 0.12:
        extra["other"] = _pick(rng, words.OBJECTS)
        extra["other_colour"] = _colour(rng, setting, time)
    elif kind < 0.18:
        extra["camera"] = _pick(rng, words.CAMERAS)
        motion = "still"
    elif kind < 0.21:
        extra["style"] = _pick(rng, words.STYLES)
    if kind < 0.12:
        motion = _pick(rng, ("rise", "fall", "bounce", "still"))
    drawn = rng.random() < (0.7 if kind < 0.12 else 0.33)
    subject = _pick(rng, words.OBJECTS if drawn else words.SPRITES)
    colour = _colour(rng, setting, time) if drawn else ""
    if extra.get("other") == subject:
        extra.pop("other"), extra.pop("other_colour")
    return Scene(setting, motion, seed, subject, colour, time=time, **extra)  # type: ignore[arg-type]


def _someone(rng: np.random.Generator, setting: str, time: str, seed: int, population: str) -> Scene:
    profession = _pick(rng, words.PROFESSIONS) if rng.random() < 0.7 else ""
    age = _pick(rng, words.AGES) if not profession else _pick(rng, [a for a in words.AGES if a != "child"])
    colour = "" if profession else _colour(rng, setting, time)
    gender, skin = _pick(rng, words.GENDERS), _pick(rng, words.SKINS)
    if population == "skewed" and profession and rng.random() < _SKEW:
        gender, skin = skewed_kind(profession)
    motion = _pick(rng, words.PERSON_MOTIONS)
    return Scene(setting, motion, seed, "", colour, gender, age, skin, profession, time)
