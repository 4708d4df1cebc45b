"""Test reels for curation, drawn here: known cuts and fades, moving cameras, burned-in marks.

A reel is scenes joined by hard cuts, dissolves and fades through black of known times. Scenes hold noise,
moving shapes and, in some, a panning or zooming camera or a flash, which must not be taken for cuts. Odd
seeds were looked at while thresholds were chosen; figures are given for even seeds alone (bench/curation.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Kind = Literal["cut", "dissolve", "black"]
WIDTH, HEIGHT, FPS = 320, 180, 24
CAMERAS = ("still", "pan", "zoom", "flash")


@dataclass(frozen=True)
class Transition:
    """Between two scenes: `start` and `end` in frames of the reel; equal for a hard cut, which comes
    before frame `start`."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True)
class Reel:
    frames: list[Frame]
    transitions: tuple[Transition, ...]


def scene(rng: np.random.Generator, frames: int, camera: str = "still", speed: float = 1.0) -> list[Frame]:
    """One shot: a painted backdrop larger than the picture, shapes that move, a camera, grain."""
    backdrop = _backdrop(rng)
    shapes = [_shape(rng, speed) for _ in range(int(rng.integers(2, 6)))]
    room_x, room_y = backdrop.shape[1] - WIDTH, backdrop.shape[0] - HEIGHT
    out = []
    for k in range(frames):
        t = k / FPS
        if camera == "pan":
            x = int(min(room_x, t * 60 * speed))
            picture = backdrop[room_y // 2 : room_y // 2 + HEIGHT, x : x + WIDTH].copy()
        elif camera == "zoom":
            scale = min(1.6, 1 + 0.08 * t * speed)
            w, h = int(WIDTH / scale), int(HEIGHT / scale)
            y0, x0 = (backdrop.shape[0] - h) // 2, (backdrop.shape[1] - w) // 2
            picture = cv2.resize(backdrop[y0 : y0 + h, x0 : x0 + w], (WIDTH, HEIGHT))
        else:
            picture = backdrop[room_y // 2 : room_y // 2 + HEIGHT, room_x // 2 : room_x // 2 + WIDTH].copy()
        for kind, colour, size, x, y, vx, vy in shapes:
            at = (int((x + vx * t) % WIDTH), int((y + vy * t) % HEIGHT))
            if kind:
                cv2.circle(picture, at, size, colour, -1, cv2.LINE_AA)
            else:
                cv2.rectangle(picture, at, (at[0] + size, at[1] + size), colour, -1)
        if camera == "flash" and k == frames // 2:
            picture = cv2.addWeighted(picture, 0.3, np.full_like(picture, 255), 0.7, 0)
        grain = rng.normal(0, 3, (HEIGHT, WIDTH, 1))
        out.append(np.clip(picture + grain, 0, 255).astype(np.uint8))
    return out


def _backdrop(rng: np.random.Generator) -> Frame:
    """Two colours blended over smooth noise, with blocks: (HEIGHT + 60, WIDTH + 260, 3)."""
    h, w = HEIGHT + 60, WIDTH + 260
    one, two = rng.integers(10, 245, 3), rng.integers(10, 245, 3)
    coarse = rng.random((int(rng.integers(3, 8)), int(rng.integers(5, 14)))).astype(np.float32)
    mask = np.clip(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC), 0, 1)[..., None]
    picture = (one * mask + two * (1 - mask)).astype(np.uint8)
    for _ in range(int(rng.integers(4, 14))):
        x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        corner = (x + int(rng.integers(10, 80)), y + int(rng.integers(10, 80)))
        cv2.rectangle(picture, (x, y), corner, colour, -1)
    return picture


def _shape(
    rng: np.random.Generator, speed: float
) -> tuple[bool, tuple[int, ...], int, float, float, float, float]:
    vx, vy = rng.uniform(-70, 70, 2) * speed
    colour = tuple(int(c) for c in rng.integers(0, 255, 3))
    x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
    return bool(rng.random() < 0.5), colour, int(rng.integers(10, 36)), x, y, vx, vy


def reel(seed: int, joins: Sequence[tuple[Kind, float]], seconds: float = 4.0) -> Reel:
    """Scenes of about `seconds`, joined in order by (kind, its length in seconds)."""
    rng = np.random.default_rng(seed)
    frames = scene(rng, round(seconds * FPS), CAMERAS[seed % 4])
    transitions = []
    for number, (kind, length) in enumerate(joins):
        following = scene(rng, round(rng.uniform(0.8, 1.2) * seconds * FPS), CAMERAS[(seed + number + 1) % 4])
        n = round(length * FPS)
        if kind == "cut":
            transitions.append(Transition(kind, len(frames), len(frames)))
            frames += following
        elif kind == "dissolve":
            start = len(frames) - n
            for k in range(n):
                share = (k + 1) / (n + 1)
                frames[start + k] = cv2.addWeighted(frames[start + k], 1 - share, following[k], share, 0)
            transitions.append(Transition(kind, start, len(frames)))
            frames += following[n:]
        else:
            half = n // 2
            start = len(frames) - half
            for k in range(half):
                frames[start + k] = (frames[start + k] * (1 - (k + 1) / half)).astype(np.uint8)
            for k in range(half):
                following[k] = (following[k] * (k / half)).astype(np.uint8)
            transitions.append(Transition(kind, start, len(frames) + half))
            frames += following
    return Reel(frames, tuple(transitions))


def write(
    path: Path, frames: Sequence[Frame], *, gop: int = 12, codec: str = "libx264", fps: int = FPS
) -> Path:
    """H.264 in MP4 with a keyframe every `gop` frames and B-frames, as cameras and editors write it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.options = {"crf": "20", "g": str(gop), "preset": "veryfast"} if codec == "libx264" else {}
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def logo(rng: np.random.Generator) -> tuple[Frame, NDArray[np.float32]]:
    """A stranger's mark: letters or a tile pattern, (HEIGHT, WIDTH, 3) and its opacity (HEIGHT, WIDTH, 1)."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    letters = "".join(rng.choice(list("ABCDEHKMNRSTVX"), int(rng.integers(4, 9))))
    scale = float(rng.uniform(0.45, 0.9))
    (w, h), _ = cv2.getTextSize(letters, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
    spots = [(8, h + 8), (WIDTH - w - 8, h + 8), (8, HEIGHT - 8), (WIDTH - w - 8, HEIGHT - 8)]
    spots.append(((WIDTH - w) // 2, HEIGHT // 2))
    grey = int(rng.choice([255, 255, 200, 20]))
    cv2.putText(
        picture,
        letters,
        spots[int(rng.integers(0, 5))],
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        (1, 1, 1),
        2,
        cv2.LINE_AA,
    )
    shape = picture[..., :1].astype(np.float32)
    return np.full_like(picture, grey), shape * float(rng.uniform(0.35, 0.9))


def stamped(frames: Sequence[Frame], rng: np.random.Generator) -> Iterator[Frame]:
    """The frames under one static mark."""
    picture, opacity = logo(rng)
    for frame in frames:
        yield (frame * (1 - opacity) + picture * opacity).astype(np.uint8)
