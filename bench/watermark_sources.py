"""The clips of the picture benchmark: 5 s of 720p made from stills that nothing was tuned on.

The stills are photographs and drawings in Debian's wallpaper packages (SOURCES names each with its
class) and any further images in the folder given by --images, plus scenes of Byline's own renderer.
Nothing is downloaded here and no image belongs to the repository: what is not installed is left
out and the result says how many of each class were used. Each still gets one motion of its own.
Tuning used other pictures: scikit-image's coffee and astronaut, scikit-learn's china and flower, and
one drawn cartoon.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bench.watermark_attacks import FPS, Clip, Frame

HEIGHT, WIDTH, SECONDS = 720, 1280, 5
COUNT = FPS * SECONDS
_LOMIRI = (
    "Picture_1A_by_freespace Wine_by_Jakkub_Mede greentock_by_Peter_Nerlich seeding_by_Clements_Engelhardt "
    "aitzgorri_by_Aitzol_Berasategi Dragonfly_by_Bolly friends_by_Aitzol_Berasategi "
    "sunset_by_Aitzol_Berasategi free_by_Peter_Nerlich picosdeeuropa_by_Aitzol_Berasategi "
    "Picture_0B_by_freespace life_by_Aitzol_Berasategi Bridge_by_Sander_Klootwijk "
    "Kleiber_by_Lukas_Baubkus Infinite-Sea_by_Aury88"
)
_MATE = "Garden Dune Wood Aqua TwoWings Storm GreenMeadow RainDrops Blinds FreshFlower LadyBird YellowFlower"
_PLASMA = "FallenLeaf Path DarkestHour summer_1am EveningGlow Grey Kite ColorfulCups OneStandsOut BytheWater"
_PLASMA_DRAWN = (
    "Altai IceCold Flow Kay Patak Volna PastelHills Canopee FlyingKonqui SafeLanding Honeywave Shell Cluster"
)
# Package -> (class, path below / with a {} for the name, names)
SOURCES: tuple[tuple[str, str, str, str], ...] = (
    ("lomiri-wallpapers-16.04, -20.04", "natural", "usr/share/backgrounds/{}.jpg", _LOMIRI),
    ("mate-backgrounds", "natural", "usr/share/backgrounds/mate/nature/{}.jpg", _MATE),
    ("plasma-workspace-wallpapers", "natural", "usr/share/wallpapers/{}/contents/images/*x*.*", _PLASMA),
    (
        "plasma-workspace-wallpapers",
        "graphic",
        "usr/share/wallpapers/{}/contents/images/*x*.*",
        _PLASMA_DRAWN,
    ),
    (
        "ukui-wallpapers",
        "graphic",
        "usr/share/backgrounds/{}.*",
        "calla string rollpaper rhythm goldfish desert",
    ),
    ("gnome-backgrounds", "graphic", "usr/share/backgrounds/gnome/{}.webp", "truchet-l adwaita-l pixels-l"),
)
SCENES = 6  # of Byline's own renderer


@dataclass(frozen=True)
class Source:
    """One clip to be: `make` draws its frames anew at every call, always the same."""

    name: str
    kind: str  # natural or graphic
    make: Callable[[], Clip]


def sources(folders: list[Path]) -> list[Source]:
    """All clips that can be made here, the classes mixed in a fixed order."""
    found = [
        Source(name, kind, partial(_moving, path, name, kind))
        for _, kind, pattern, names in SOURCES
        for name in names.split()
        if (path := _find(folders, pattern.format(name))) is not None
    ]
    found += [Source(f"scene {n}", "graphic", partial(_scene, n)) for n in range(SCENES)]
    return sorted(found, key=lambda source: hashlib.sha256(source.name.encode()).digest())


def _find(folders: list[Path], pattern: str) -> Path | None:
    for folder in folders:
        hits = [path for path in folder.glob(pattern) if path.stat().st_size > 60_000]
        hits += [path for path in folder.glob(f"*/{pattern}") if path.stat().st_size > 60_000]
        if hits:
            return max(hits, key=lambda path: path.stat().st_size)  # the landscape version
    return None


def _moving(path: Path, name: str, kind: str) -> Clip:
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
    still = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if still is None:
        raise SystemExit(f"{path} is no image that OpenCV reads")
    image = cv2.cvtColor(still, cv2.COLOR_BGR2RGB)
    shrink = 1.7 * max(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    if shrink < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    motion = ("pan", "zoom", "turn", "cut", "parallax")[int(rng.integers(5))]
    grain = rng.normal(0, 1, (HEIGHT + 64, WIDTH + 64, 1)).astype(np.float32)
    if kind == "graphic":
        return list(_frames(image, motion, rng))
    clip = []
    for number, frame in enumerate(_frames(image, motion, rng)):
        y, x = (number * 37) % 64, (number * 53) % 64
        noise = grain[y : y + HEIGHT, x : x + WIDTH]
        clip.append(np.clip(frame + noise + 0.5, 0, 255).astype(np.uint8))
    return clip


def _frames(image: Frame, motion: str, rng: np.random.Generator) -> Iterator[Frame]:
    fit = max(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    zoom, growth = fit * rng.uniform(1.15, 1.5), rng.uniform(0.0005, 0.002) * rng.choice((-1, 1))
    speed, turn = rng.uniform(0.3, 2.0, 2) * rng.choice((-1, 1), 2), rng.uniform(0.02, 0.08)
    slide = (image.shape[1] * zoom - WIDTH) / 2
    for number in range(COUNT):
        at = number - COUNT / 2
        scale, angle, shift = zoom, 0.0, np.zeros(2)
        if motion == "zoom":
            scale = zoom * (1 + growth * at + abs(growth) * COUNT / 2)
        elif motion == "turn":
            angle = turn * at
        else:
            shift = speed * at * (1.0 if motion == "pan" else 0.3)
        if motion == "cut" and number >= COUNT // 2:
            scale, shift = zoom * 1.25, np.array([min(slide, 120.0), 20.0]) - shift
        frame = _view(image, scale, angle, shift)
        if motion == "parallax":
            near = _view(image, zoom * 1.5, 0.0, -2.5 * speed * at)
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.ellipse(mask, (int(640 + 2.5 * speed[0] * at), 560), (260, 300), 0, 0, 360, 255, -1)
            frame[mask > 0] = near[mask > 0]
        yield frame


def _view(image: Frame, scale: float, degrees: float, shift: np.ndarray) -> Frame:
    matrix = cv2.getRotationMatrix2D((image.shape[1] / 2, image.shape[0] / 2), degrees, scale)
    matrix[:, 2] += np.array([WIDTH / 2 - image.shape[1] / 2, HEIGHT / 2 - image.shape[0] / 2]) + shift
    return cv2.warpAffine(
        image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def _scene(number: int) -> Clip:
    """As the starter engine delivers: few small frames, enlarged and held, under a title."""
    from byline.generation.starter import scenes

    drawn = scenes.sample(np.random.default_rng(1000 + number))
    small, _ = scenes.render(drawn, frames=COUNT // 3, width=224, height=128)
    clip = []
    for index in range(COUNT):
        frame = cv2.resize(small[index // 3], (WIDTH, 732), interpolation=cv2.INTER_CUBIC)[6:726].copy()
        frame[620:] = frame[620:] // 3
        white = (cv2.FONT_HERSHEY_DUPLEX, 1.2, (255, 255, 255), 2, cv2.LINE_AA)
        cv2.putText(frame, f"Scene {number}: a headline of the day", (60, 680), *white)
        clip.append(frame)
    return clip
