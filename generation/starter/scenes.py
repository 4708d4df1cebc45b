"""Captioned procedural clips: one subject, one motion, one setting, drawn at four times the size.

`sample` chooses what is in a clip, `caption` says it in one of many ways, `render` draws it and
the mask of its subject. Everything follows from the generator or the scene's own seed, so a
scene can be drawn again bit for bit. Left out: two subjects, camera moves, text.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from byline.generation.starter import vocabulary as words
from byline.generation.starter.backgrounds import GROUND, paint
from byline.generation.starter.objects import draw_object
from byline.generation.starter.people import DRESSES, Person, Pose, draw_person

WIDTH, HEIGHT, FRAMES = 112, 64, 17
PLACES = 3  # variants of each setting: little varies beyond what the caption says, which is learned sooner
SCALE = 4  # drawn larger, then averaged down: smooth edges
HAIRS = ((26, 20, 18), (26, 20, 18), (90, 54, 28))
# Colours that vanish against a setting; a scene never pairs them.
UNSEEN = {
    ("night", "black"),
    ("snow", "white"),
    ("sunset", "orange"),
    ("forest", "green"),
    ("meadow", "green"),
    ("room", "brown"),
}


@dataclass(frozen=True)
class Scene:
    """What is in a clip. `person` is None for an object; then `subject` is a key of words.OBJECTS."""

    setting: str
    motion: str
    seed: int
    subject: str = ""
    colour: str = ""
    gender: str = ""
    age: str = ""
    skin: str = ""
    profession: str = ""

    @property
    def is_person(self) -> bool:
        return bool(self.gender)


def _pick(rng: np.random.Generator, options: object) -> str:
    return str(rng.choice(list(options)))  # type: ignore[call-overload]


def sample(rng: np.random.Generator, people: float = 0.45) -> Scene:
    """A random scene; `people` is the share of clips that show a person."""
    setting, seed = _pick(rng, words.SETTINGS), int(rng.integers(1 << 30))
    if rng.random() >= people:
        colour = _pick(rng, words.COLOURS)
        while (setting, colour) in UNSEEN:
            colour = _pick(rng, words.COLOURS)
        return Scene(setting, _pick(rng, words.OBJECT_MOTIONS), seed, _pick(rng, words.OBJECTS), colour)
    profession = _pick(rng, words.PROFESSIONS) if rng.random() < 0.7 else ""
    age = (
        _pick(rng, ("child", "adult", "adult", "older"))
        if not profession
        else _pick(rng, ("adult", "adult", "older"))
    )
    colour = "" if profession else _pick(rng, [c for c in words.COLOURS if (setting, c) not in UNSEEN])
    return Scene(
        setting,
        _pick(rng, words.PERSON_MOTIONS),
        seed,
        "",
        colour,
        _pick(rng, words.GENDERS),
        age,
        _pick(rng, words.SKINS),
        profession,
    )


def _article(text: str) -> str:
    return ("an " if text[:1].lower() in "aeiou" else "a ") + text


def caption(scene: Scene, rng: np.random.Generator, *, drop: float = 0.3) -> str:
    """One way to say the scene. Each attribute of a person is left out with probability `drop`."""
    setting = _pick(rng, words.SETTINGS[scene.setting])
    if not scene.is_person:
        noun = _pick(rng, words.OBJECTS[scene.subject])
        motion = _pick(rng, words.OBJECT_MOTIONS[scene.motion])
        who = _article(f"{_pick(rng, words.COLOUR_WORDS[scene.colour])} {noun}")
    else:
        motion = _pick(rng, words.PERSON_MOTIONS[scene.motion])
        gender = _pick(rng, words.GENDERS[scene.gender])
        said_age = rng.random() > drop or scene.age == "child"
        parts = [_pick(rng, words.AGES[scene.age]) if said_age else ""]
        if rng.random() > drop:
            parts.append(_pick(rng, words.SKINS[scene.skin][1]))
        if scene.profession:
            parts += [gender if rng.random() > drop else "", _pick(rng, words.PROFESSIONS[scene.profession])]
            who = _article(" ".join(p for p in parts if p))
        else:
            if scene.age == "child":
                gender = ("girl" if scene.gender == "woman" else "boy") if rng.random() < 0.75 else "child"
                parts[0] = parts[0] if rng.random() < 0.4 else ""
            elif gender in ("female", "male"):
                gender = scene.gender
            if gender != "child" and rng.random() < drop / 3:
                gender = "person"
            garment = _pick(
                rng, ("dress", "skirt", "outfit") if scene.gender == "woman" else ("shirt", "jacket", "suit")
            )
            colour = _pick(rng, words.COLOUR_WORDS[scene.colour])
            who = _article(" ".join(p for p in [*parts, gender] if p)) + f" in {_article(colour)} {garment}"
    order = rng.random()
    if order < 0.12:
        return f"{setting} {who} {motion}"
    if order < 0.2:
        return f"{who} {setting} {motion}"
    if order < 0.26:
        return f"{who} {setting}" if scene.motion == "still" else f"{who} {motion} {setting}"
    return f"{who} {motion} {setting}"


def _object_frame(
    draw: ImageDraw.ImageDraw, scene: Scene, u: float, layout: np.ndarray, size: tuple[int, int]
) -> None:
    """Draw the object at time `u` (0..1). Positions in frame heights; `layout` holds five uniform draws."""
    width, height = size
    aspect, m = width / height, scene.motion
    r = 0.22 + 0.04 * layout[0]
    x, y, angle = aspect * (0.42 + 0.16 * layout[1]), 0.46 + 0.08 * layout[2], 0.0
    facing = 1 if layout[3] < 0.5 else -1
    reach = 0.85 + 0.15 * layout[4]
    if m in ("right", "left"):
        facing = 1 if m == "right" else -1
        x = aspect / 2 + facing * (u - 0.5) * (aspect - 0.5) * reach
    elif m in ("rise", "fall"):
        y = 0.5 + (0.5 - u if m == "rise" else u - 0.5) * 0.56 * reach
    elif m == "bounce":
        y = 0.74 - 0.46 * abs(math.sin(math.pi * (2 * u + 0.3 * layout[4])))
    elif m == "spin":
        angle = 2 * math.pi * u * reach
    elif m == "grow":
        r *= 0.5 + 1.2 * u * reach
    elif m == "shrink":
        r *= 1.7 - 1.2 * u * reach
    draw_object(
        draw,
        scene.subject,
        words.COLOURS[scene.colour],
        x * height,
        y * height,
        r * height,
        angle,
        2 * u,
        facing,
    )


def _person_frame(
    draw: ImageDraw.ImageDraw, scene: Scene, u: float, layout: np.ndarray, size: tuple[int, int]
) -> None:
    """Draw the person at time `u` (0..1), feet on the ground line."""
    width, height = size
    aspect, m = width / height, scene.motion
    tall = (0.54 if scene.age == "child" else 0.8) + 0.03 * layout[0]
    x, y = aspect * (0.44 + 0.12 * layout[1]), GROUND + 0.03
    dress = scene.profession
    colour = words.COLOURS[scene.colour] if scene.colour else (200, 200, 200)
    person = Person(
        scene.gender, scene.age, scene.skin, dress, colour, HAIRS[int(layout[2] * len(HAIRS)) % len(HAIRS)]
    )
    stride = left = right = mouth = lean = 0.0
    left, right = 0.25, -0.25
    beat = 2 * math.pi * (u * 2 + layout[3])
    if m in ("right", "left"):
        way = 1 if m == "right" else -1
        x = aspect / 2 + way * (u - 0.5) * (aspect - 0.5)
        stride, left, right, lean = (
            0.55 * math.sin(beat),
            0.5 * math.sin(beat),
            -0.5 * math.sin(beat),
            0.03 * way,
        )
    elif m == "wave":
        right = -2.5 + 0.45 * math.sin(beat)
    elif m == "jump":
        lift = abs(math.sin(math.pi * (2 * u + 0.2 * layout[3])))
        y, left, right = y - 0.15 * lift, 0.3 + 1.6 * lift, -0.3 - 1.6 * lift
    elif m == "dance":
        lean, stride = 0.07 * math.sin(beat), 0.25 * math.sin(beat)
        left, right = 1.6 + 0.9 * math.sin(beat), -1.6 + 0.9 * math.sin(beat)
    elif m == "talk":
        mouth, right = 0.5 + 0.5 * math.sin(2 * beat), -0.9 + 0.35 * math.sin(beat)
    elif m == "grow":
        tall *= 0.55 + 0.5 * u
        stride = 0.3 * math.sin(beat)
    pose = Pose(x * height, y * height, tall * height, stride, left, right, mouth, lean)
    draw_person(draw, person, pose)


def render(
    scene: Scene, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT
) -> tuple[np.ndarray, np.ndarray]:
    """Draw it. Returns uint8 frames (T, h, w, 3) and the subject's mask, bool (T, h, w)."""
    size = (width * SCALE, height * SCALE)
    layout = np.random.default_rng(scene.seed + 1).random(5)
    place = scene.seed % PLACES
    still = paint(scene.setting, size, place)
    empty = np.asarray(still.reduce(SCALE))
    out = np.empty((frames, height, width, 3), np.uint8)
    mask = np.empty((frames, height, width), bool)
    for t in range(frames):
        u = t / max(1, frames - 1)
        if scene.setting == "sea":
            picture = paint(scene.setting, size, place, u)
            empty = np.asarray(picture.reduce(SCALE))
        else:
            picture = still.copy()
        (_person_frame if scene.is_person else _object_frame)(ImageDraw.Draw(picture), scene, u, layout, size)
        out[t] = np.asarray(picture.reduce(SCALE))
        mask[t] = np.abs(out[t].astype(np.int16) - empty).max(-1) > 10
    return out, mask


def sheet(
    clips: list[np.ndarray], path: str, columns: tuple[int, ...] = (0, 4, 8, 12, 16), zoom: int = 2
) -> None:
    """Write a contact sheet: one clip per row, the given frames side by side."""
    rows = [np.concatenate([clip[c] for c in columns if c < len(clip)], 1) for clip in clips]
    image = Image.fromarray(np.concatenate(rows, 0))
    image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST).save(path)


assert set(words.PROFESSIONS) == set(DRESSES), "every profession needs a dress"
