"""Clips to measure fingerprints on: moves over photographs, and the starter model's own style under a brand.

The photographs are those that scikit-image and scikit-learn carry. Thresholds and crops were chosen on
TUNING and on starter scenes of seeds below 1000; rates are measured on TEST and on seeds from 10,000.
A copy starts a 24th of a second later than the record and ends in a fresh H.264 file, unless it says
otherwise. Clips are 5 s at 8 frames a second, the rate at which the verifier looks, 640 x 360.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from byline.generation import brands, compose
from byline.generation.captions import Cue
from byline.generation.starter import scenes

WIDTH, HEIGHT, SECONDS, FPS = 640, 360, 5.0, 8
Clip = list[NDArray[np.uint8]]

TUNING = ("astronaut.png", "chelsea.png", "coins.png", "page.png", "moon.png", "brick.png", "retina.jpg")
TEST = (
    "coffee.png", "rocket.jpg", "motorcycle_left.png", "hubble_deep_field.jpg", "camera.png", "ihc.png",
    "clock_motion.png", "grass.png", "gravel.png", "text.png", "china.jpg", "flower.jpg",
)  # fmt: skip
TITLES = ("Harbour line opens", "Storm over the coast", "Council votes today", "New museum wing")


@dataclass(frozen=True)
class Source:
    """`kind` photo or starter; clips of different `name` show different things.

    `scene` is the starter's setting and place: clips that share it share their background.
    """

    kind: str
    name: str
    scene: str
    record: Clip
    copy: Clip


def photos(names: tuple[str, ...], each: int) -> Iterator[Source]:
    """`each` moves over every photograph; moves over one photograph may overlap, so they share a name."""
    import skimage.data
    import sklearn.datasets

    folders = (Path(skimage.data.__file__).parent, Path(sklearn.datasets.__file__).parent / "images")
    for number in range(each):
        for name in names:
            path = next(folder / name for folder in folders if (folder / name).is_file())
            image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            seed = [number, *name.encode()]
            yield Source("photo", name, name, _move(image, seed, 0.0), _move(image, seed, 1 / 24))


def starter(seeds: range) -> Iterator[Source]:
    """Scenes as the starter model learned them, with titles, captions and label of the house brand."""
    brand = brands.load()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        scene = scenes.sample(rng)
        frames = scenes.render(scene)[0]
        title = TITLES[seed % len(TITLES)]
        caption = [Cue(0.5, 4.5, scenes.caption(scene, rng)[:60])]
        made = list(
            compose.compose(
                [frames], 4.0, brand=brand, title=title, captions=caption, seconds=SECONDS,
                size=(WIDTH, HEIGHT), fps=24,
            )
        )  # fmt: skip
        place = f"{scene.setting} {scene.seed % scenes.PLACES}"
        yield Source("starter", f"starter {seed}", place, made[::3], made[1::3])


def _move(image: NDArray[np.uint8], seed: list[int], start: float) -> Clip:
    rng = np.random.default_rng(seed)
    scale = max(WIDTH / image.shape[1], HEIGHT / image.shape[0]) * rng.uniform(1.1, 1.9)
    spare = np.array([image.shape[1] * scale - WIDTH, image.shape[0] * scale - HEIGHT])
    place, way = rng.uniform(0, 1, 2) * spare, rng.uniform(-60, 60, 2)
    grain = np.random.default_rng([*seed, int(1000 * start)])
    clip = []
    for n in range(int(SECONDS * FPS)):
        t = start + n / FPS
        left, top = np.clip(place + way * t / SECONDS, 0, spare)
        matrix = np.array([[scale, 0, -left], [0, scale, -top]])
        moved = cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
        noisy = moved + grain.normal(0, 1, (HEIGHT, WIDTH, 1))
        clip.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return clip


def encoded(clip: Clip, crf: int = 28) -> Clip:
    """Through H.264 and back."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=Fraction(FPS))
        stream.height, stream.width = (side // 2 * 2 for side in clip[0].shape[:2])
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf), "preset": "veryfast"}
        for frame in clip:
            even = np.ascontiguousarray(frame[: stream.height, : stream.width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as back:
        return [frame.to_ndarray(format="rgb24") for frame in back.decode(video=0)]


def cropped(clip: Clip, away: float, across: float = 0.5, down: float = 0.5) -> Clip:
    """`away` of width and height cut off; 0.5, 0.5 leaves the middle."""
    rows, columns = round(HEIGHT * (1 - away)), round(WIDTH * (1 - away))
    top, left = round((HEIGHT - rows) * down), round((WIDTH - columns) * across)
    return [f[top : top + rows, left : left + columns] for f in clip]


def cropped_corner(clip: Clip, away: float) -> Clip:
    """One of the four corners remains; the clip's own pixels choose which."""
    rng = np.random.default_rng(int(clip[0].sum()))
    return cropped(clip, away, *rng.integers(0, 2, 2).astype(float))


def cropped_anywhere(clip: Clip, away: float) -> Clip:
    rng = np.random.default_rng(int(clip[0].sum()))
    return cropped(clip, away, *rng.uniform(0, 1, 2))


def mirrored(clip: Clip) -> Clip:
    return [np.ascontiguousarray(f[:, ::-1]) for f in clip]


def overlay_bar(clip: Clip) -> Clip:
    """Another house's lower third: a sixth of the height, with text."""
    changed = []
    for frame in clip:
        frame = frame.copy()
        frame[HEIGHT * 5 // 6 :] = (150, 20, 30)
        white = (cv2.FONT_HERSHEY_DUPLEX, 1.0, (255, 255, 255), 2, cv2.LINE_AA)
        cv2.putText(frame, "BREAKING: seen elsewhere", (20, HEIGHT - 20), *white)
        changed.append(frame)
    return changed


def turned(clip: Clip, degrees: float) -> Clip:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1)
    return [cv2.warpAffine(f, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) for f in clip]


def squashed(clip: Clip) -> Clip:
    """16:9 to 4:3."""
    return [cv2.resize(f, (480, 360), interpolation=cv2.INTER_AREA) for f in clip]


def letterboxed(clip: Clip) -> Clip:
    """A wide picture on a 4:3 canvas."""
    canvas = []
    for frame in clip:
        boxed = np.zeros((480, WIDTH, 3), np.uint8)
        boxed[60:420] = frame
        canvas.append(boxed)
    return canvas


def with_insert(clip: Clip) -> Clip:
    """The second half replaced by something else: random blocks that change every frame."""
    rng = np.random.default_rng(5)
    blocks = rng.integers(0, 255, (len(clip), 9, 16, 3)).astype(np.uint8)
    half = len(clip) // 2
    return [
        *clip[:half],
        *(cv2.resize(b, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST) for b in blocks[half:]),
    ]


COPIES: dict[str, Callable[[Clip], Clip]] = {
    "reencode": lambda c: encoded(c, 35),
    "crop5": lambda c: encoded(cropped(c, 0.05)),
    "hflip": lambda c: encoded(mirrored(c)),
    "crop25": lambda c: encoded(cropped(c, 0.25)),
    "crop10": lambda c: encoded(cropped(c, 0.1)),
    "crop15": lambda c: encoded(cropped(c, 0.15)),
    "crop20": lambda c: encoded(cropped(c, 0.2)),
    "crop10_corner": lambda c: encoded(cropped_corner(c, 0.1)),
    "crop25_corner": lambda c: encoded(cropped_corner(c, 0.25)),
    "crop10_anywhere": lambda c: encoded(cropped_anywhere(c, 0.1)),
    "crop25_anywhere": lambda c: encoded(cropped_anywhere(c, 0.25)),
    "hflip_crop10": lambda c: encoded(cropped(mirrored(c), 0.1)),
    "overlay_bar": lambda c: encoded(overlay_bar(c)),
    "rot3": lambda c: encoded(turned(c, 3)),
    "squash43": lambda c: encoded(squashed(c)),
    "letterbox": lambda c: encoded(letterboxed(c)),
    "half_replaced": lambda c: encoded(with_insert(c)),
}  # fmt: skip
