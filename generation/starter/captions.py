"""The words of a drawn scene: one of many ways to say it, so that concepts are learned and not strings."""

from collections.abc import Iterable

import numpy as np

from byline.generation.starter import vocabulary as words
from byline.generation.starter.scene import Scene


def pick(rng: np.random.Generator, options: Iterable[str]) -> str:
    found = list(options)
    return found[int(rng.integers(len(found)))]


def article(text: str) -> str:
    return ("an " if text[:1].lower() in "aeiou" else "a ") + text


def plural(noun: str) -> str:
    """Of the vocabulary's nouns; "slice of pizza" bends its first word."""
    first, _, rest = noun.partition(" of ")
    if rest:
        return f"{plural(first)} of {rest}"
    if first in ("sheep", "fish", "cattle"):
        return first
    if first in ("box", "fox", "bus", "octopus", "cactus"):
        return first + "es"
    return first[:-1] + "ies" if first.endswith("y") and first[-2] not in "aeiou" else first + "s"


def _thing(subject: str, colour: str, count: int, rng: np.random.Generator) -> str:
    nouns = words.OBJECTS.get(subject) or words.SPRITES[subject][1]
    noun = pick(rng, nouns)
    said = f"{pick(rng, words.COLOUR_WORDS[colour])} " if colour else ""
    if count > 1:
        return f"{pick(rng, words.COUNTS[count])} {said}{plural(noun)}"
    return article(said + noun)


def _plural_verb(motion: str) -> str:
    """ "moves right" -> "move right", "is bouncing" -> "are bouncing"."""
    verb, _, rest = motion.partition(" ")
    if verb == "is":
        verb = "are"
    elif verb == "goes":
        verb = "go"
    else:
        verb = verb[:-1]
    return f"{verb} {rest}".strip()


def _person(scene: Scene, rng: np.random.Generator, drop: float) -> str:
    gender = pick(rng, words.GENDERS[scene.gender])
    said_age = rng.random() > drop or scene.age == "child"
    parts = [pick(rng, words.AGES[scene.age]) if said_age else ""]
    if rng.random() > drop:
        parts.append(pick(rng, words.SKINS[scene.skin][1]))
    if scene.profession:
        parts += [gender if rng.random() > drop else "", pick(rng, words.PROFESSIONS[scene.profession])]
        return article(" ".join(p for p in parts if p))
    if scene.age == "child":
        gender = ("girl" if scene.gender == "woman" else "boy") if rng.random() < 0.75 else "child"
        parts[0] = parts[0] if rng.random() < 0.4 else ""
    elif gender in ("female", "male"):
        gender = scene.gender
    if gender != "child" and rng.random() < drop / 3:
        gender = "person"
    feminine = ("dress", "skirt", "outfit")
    garment = pick(rng, feminine if scene.gender == "woman" else ("shirt", "jacket", "suit"))
    colour = pick(rng, words.COLOUR_WORDS[scene.colour])
    return article(" ".join(p for p in [*parts, gender] if p)) + f" in {article(colour)} {garment}"


def caption(scene: Scene, rng: np.random.Generator, *, drop: float = 0.3) -> str:
    """One way to say the scene. Each attribute of a person is left out with probability `drop`."""
    place = pick(rng, words.SETTINGS[scene.setting])
    if scene.time:
        place += f" {pick(rng, words.TIMES[scene.time])}"
    motions = words.PERSON_MOTIONS if scene.is_person else words.OBJECT_MOTIONS
    motion = pick(rng, motions[scene.motion])
    if scene.is_person:
        who = _person(scene, rng, drop)
    else:
        who = _thing(scene.subject, scene.colour, scene.count, rng)
        if scene.other:
            who += f" and {_thing(scene.other, scene.other_colour, 1, rng)}"
        if scene.other or scene.count > 1:
            motion = _plural_verb(motion)
    ending = ""
    if scene.camera:
        ending = f", {pick(rng, words.CAMERAS[scene.camera])}"
    elif scene.style:
        ending = f", {pick(rng, words.STYLES[scene.style])}"
    order = rng.random()
    quiet = scene.motion == "still" and (bool(scene.camera) or order < 0.4)
    if quiet:
        return f"{who} {place}{ending}"
    if order < 0.08:
        return f"{place} {who} {motion}{ending}"
    if order < 0.2:
        return f"{who} {place} {motion}{ending}"
    return f"{who} {motion} {place}{ending}"
