"""Captioned procedural clips, drawn at four times their size and averaged down.

`sample` chooses what is in a clip, `caption` says it in one of many ways, `render` draws it and the mask
of its subject. Everything follows from the generator or the scene's own seed, so a scene can be drawn
again bit for bit. Subjects stand on an 8-pixel grid in every fourth frame, the frames that the autoencoder
keeps: a subject that moves one step is then the same patch one place on, which a small model learns
hundreds of times sooner than a subject at any offset.
"""

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from byline.generation.starter import sprites
from byline.generation.starter import vocabulary as words
from byline.generation.starter.backgrounds import GROUND, at_time, paint
from byline.generation.starter.captions import caption as caption
from byline.generation.starter.objects import draw_object
from byline.generation.starter.people import DRESSES, Person, Pose, draw_person
from byline.generation.starter.scene import POPULATIONS as POPULATIONS
from byline.generation.starter.scene import UNSEEN as UNSEEN
from byline.generation.starter.scene import Scene as Scene
from byline.generation.starter.scene import sample as sample

WIDTH, HEIGHT, FRAMES = 112, 64, 17
PLACES = 4  # variants of each setting
SCALE = 4  # drawn larger, then averaged down: smooth edges
HAIRS = ((26, 20, 18), (26, 20, 18), (90, 54, 28))
_GRID = 8 / 64  # the autoencoder's patch, in frame heights
_PAN = 64 / 64  # how far a pan goes, in frame heights: a patch of the transformer per key frame


@lru_cache(maxsize=256)
def _background(setting: str, time: str, size: tuple[int, int], place: int, phase: float) -> Image.Image:
    return at_time(paint(setting, size, place, phase), time)


def _thing(
    picture: Image.Image, subject: str, colour: str, at: tuple[float, float, float, float, int], height: int
) -> None:
    """Lay one thing over the picture: x, y, radius in frame heights, angle, facing."""
    x, y, r, angle, facing = at
    if colour:
        rgb = words.COLOURS[colour]
        # The shapes overshoot their unit radius; the sprites fill their square.
        draw = ImageDraw.Draw(picture)
        draw_object(draw, subject, rgb, x * height, y * height, 0.94 * r * height, angle, 0.18, facing)
    else:
        sprites.stamp(picture, subject, x * height, y * height, r * height, angle, facing)


def _things(picture: Image.Image, scene: Scene, u: float, layout: np.ndarray, size: tuple[int, int]) -> None:
    """Draw the subject, or several, at time `u` (0..1). `layout` holds five uniform draws."""
    width, height = size
    middle, m = width / height / 2, scene.motion
    many = scene.count if not scene.other else 2
    r = 0.29 if many == 1 else 0.2
    x, y, angle = middle, 0.5, 0.0
    facing = 1 if layout[3] < 0.5 else -1
    if m in ("right", "left"):
        facing = 1 if m == "right" else -1
        x = middle + facing * (u - 0.5) * 1.0
    elif m in ("rise", "fall"):
        y = 0.5 + (0.5 - u if m == "rise" else u - 0.5) * 0.5
    elif m == "bounce":
        y = 0.5 + _GRID - 3 * _GRID * abs(math.sin(2 * math.pi * u))
    elif m == "spin":
        angle = math.pi * u
    elif m == "grow":
        r *= 0.5 + u
    elif m == "shrink":
        r *= 1.5 - u
    elif m == "shake":
        x += 2 * _GRID * math.sin(2 * math.pi * u)
    spread = {1: (0.0,), 2: (-0.25, 0.25), 3: (-0.5, 0.0, 0.5)}[many]
    for k, dx in enumerate(spread):
        kind, colour = scene.subject, scene.colour
        if scene.other and k == 1:
            kind, colour = scene.other, scene.other_colour
        _thing(picture, kind, colour, (x + dx, y, r, angle, facing), height)


def _someone(picture: Image.Image, scene: Scene, u: float, layout: np.ndarray, size: tuple[int, int]) -> None:
    """Draw the person at time `u` (0..1), feet on the ground line."""
    width, height = size
    middle, m = width / height / 2, scene.motion
    tall = 0.66 if scene.age == "child" else 0.86
    x, y = middle, GROUND + 0.04
    dress = scene.profession
    colour = words.COLOURS[scene.colour] if scene.colour else (200, 200, 200)
    hair = HAIRS[int(layout[2] * len(HAIRS)) % len(HAIRS)]
    person = Person(scene.gender, scene.age, scene.skin, dress, colour, hair)
    stride = mouth = lean = 0.0
    left, right = 0.25, -0.25
    beat = math.sin(2 * math.pi * (u * 2 + 0.25))  # 1, -1, 1, ... in the key frames
    if m in ("right", "left"):
        way = 1 if m == "right" else -1
        x = middle + way * (u - 0.5) * 1.0
        stride, left, right, lean = 0.55 * beat, 0.5 * beat, -0.5 * beat, 0.03 * way
    elif m == "wave":
        right = -2.5 + 0.45 * beat
    elif m == "jump":
        lift = abs(math.sin(2 * math.pi * u))
        y, left, right = y - 0.15 * lift, 0.3 + 1.6 * lift, -0.3 - 1.6 * lift
    elif m == "dance":
        lean, stride = 0.07 * beat, 0.25 * beat
        left, right = 1.6 + 0.9 * beat, -1.6 + 0.9 * beat
    elif m == "talk":
        mouth, right = 0.5 + 0.5 * beat, -0.9 + 0.35 * beat
    elif m == "grow":
        tall *= 0.55 + 0.5 * u
        stride = 0.3 * beat
    pose = Pose(x * height, y * height, tall * height, stride, left, right, mouth, lean)
    draw_person(ImageDraw.Draw(picture), person, pose)


def _styled(frame: np.ndarray, style: str) -> np.ndarray:
    if not style:
        return frame
    values = frame.astype(np.float32)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    if style == "grey":
        out = np.repeat(grey[..., None], 3, -1)
    elif style == "sepia":
        out = grey[..., None] * np.array([1.07, 0.88, 0.62], np.float32)
    else:
        out = 0.5 * values + 124
    return out.clip(0, 255).astype(np.uint8)


def _seen(picture: Image.Image, camera: str, u: float, size: tuple[int, int]) -> Image.Image:
    """The part of a picture that the camera shows at time `u`."""
    width, height = size
    if camera.startswith("pan"):
        way = u if camera == "pan right" else 1 - u
        offset = round(way * _PAN * height)
        return picture.crop((offset, 0, offset + width, height))
    if camera.startswith("zoom"):
        part = 1 / (1 + 0.8 * (u if camera == "zoom in" else 1 - u))
        w, h = width * part, height * part
        box = ((width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2)
        return picture.resize(size, Image.Resampling.BILINEAR, box=box)
    return picture


def render(
    scene: Scene, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT, scale: int = SCALE
) -> tuple[np.ndarray, np.ndarray]:
    """Draw it. Returns uint8 frames (T, h, w, 3) and the subject's mask, bool (T, h, w)."""
    size = (width * scale, height * scale)
    layout = np.random.default_rng(scene.seed + 1).random(5)
    place = scene.seed % PLACES
    wide = size
    if scene.camera.startswith("pan"):
        wide = (size[0] + round(_PAN * size[1]), size[1])
    out = np.empty((frames, height, width, 3), np.uint8)
    mask = np.empty((frames, height, width), bool)
    for t in range(frames):
        u = t / max(1, frames - 1)
        phase = u if scene.setting == "sea" else 0.0
        empty = _background(scene.setting, scene.time, wide, place, phase)
        picture = empty.copy()
        (_someone if scene.is_person else _things)(picture, scene, u, layout, wide)
        full = np.asarray(_seen(picture, scene.camera, u, size).reduce(scale))
        bare = np.asarray(_seen(empty, scene.camera, u, size).reduce(scale)).astype(np.int16)
        mask[t] = np.abs(full - bare).max(-1) > 10
        out[t] = _styled(full, scene.style)
    return out, mask


def sheet(
    clips: list[np.ndarray], path: str, columns: tuple[int, ...] = (0, 4, 8, 12, 16), zoom: int = 2
) -> None:
    """Write a contact sheet: one clip per row, the given frames side by side."""
    rows = [np.concatenate([clip[c] for c in columns if c < len(clip)], 1) for clip in clips]
    image = Image.fromarray(np.concatenate(rows, 0))
    image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST).save(path)


assert set(words.PROFESSIONS) == set(DRESSES), "every profession needs a dress"
