"""What happens to a marked clip on its way: the attacks of the picture benchmark, each ending in pixels.

A clip is 5 s of RGB frames at 24 per second. Every attack but the first passes one lossy encoder: in the
end, or, where its line says "after crf23", before the change, which then happens in memory. H.264 is
x264 with preset superfast at the CRF given; its files carry no metadata.
The detector then gets what the verifier's decoder keeps: 8 frames per second, long side <= 1280.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

FPS = 24
KEPT_FPS = 8
PRESET = "superfast"
VP9 = {"deadline": "realtime", "cpu-used": "8", "b": "0"}
Frame = NDArray[Any]  # (H, W, 3) uint8 RGB
Clip = list[Frame]


def kept(clip: Clip, fps: int = FPS) -> Clip:
    """The frames that the verifier's decoder keeps."""
    return clip[:: round(fps / KEPT_FPS)]


def recode(
    frames: Iterable[Frame],
    crf: int,
    codec: str = "libx264",
    fps: int = FPS,
    kept_fps: int = KEPT_FPS,
    options: dict[str, str] | None = None,
) -> tuple[Clip, int]:
    """(kept frames, bytes of the file) after one codec. Odd sizes lose a line."""
    buffer = io.BytesIO()
    stream: Any = None
    with av.open(buffer, "w", format="mp4") as out:
        for frame in frames:
            height, width = (side // 2 * 2 for side in frame.shape[:2])
            if stream is None:
                stream = out.add_stream(codec, rate=Fraction(fps))
                stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
                stream.thread_count = 1
                stream.options = {"crf": str(crf), **(options or {"preset": PRESET})}
            even = np.ascontiguousarray(frame[:height, :width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        assert stream is not None
        out.mux(stream.encode())
    size, step = buffer.tell(), round(fps / kept_fps)
    buffer.seek(0)
    with av.open(buffer, "r") as back:
        back.streams.video[0].thread_count = 1
        decoded = enumerate(back.decode(video=0))
        return [_shown(frame) for number, frame in decoded if number % step == 0], size


def _shown(frame: Any) -> Frame:
    scale = min(1.0, 1280 / max(frame.width, frame.height))
    if scale == 1.0:
        return np.asarray(frame.to_ndarray(format="rgb24"))
    size = round(frame.width * scale), round(frame.height * scale)
    return np.asarray(frame.to_ndarray(format="rgb24", width=size[0], height=size[1]))


def scaled(clip: Iterable[Frame], x: float, y: float) -> Iterator[Frame]:
    return (cv2.resize(f, None, fx=x, fy=y, interpolation=cv2.INTER_AREA) for f in clip)


def cropped(clip: Iterable[Frame], share: float) -> Iterator[Frame]:
    """Loses `share` of the width and of the height, more at the left and top than at the other sides."""
    for frame in clip:
        height, width = frame.shape[:2]
        y, x = int(height * share * 0.6), int(width * share * 0.6)
        yield frame[y : y + int(height * (1 - share)), x : x + int(width * (1 - share))]


def turned(clip: Iterable[Frame], degrees: float) -> Iterator[Frame]:
    for frame in clip:
        height, width = frame.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        yield cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_CUBIC)


def coloured(clip: Iterable[Frame]) -> Iterator[Frame]:
    """Hue turned, contrast 0.8, brighter by 20."""
    for frame in clip:
        hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + 6) % 180
        yield cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), alpha=0.8, beta=40)


def noisy(clip: Iterable[Frame], sigma: float) -> Iterator[Frame]:
    rng = np.random.default_rng(5)
    size = next(iter(clip)).shape if isinstance(clip, list) else (720, 1280, 3)
    grain = [rng.normal(0, sigma, size).astype(np.int16) for _ in range(3)]
    for number, frame in enumerate(clip):
        moved = np.roll(grain[number % 3], (31 * number, 57 * number), (0, 1))
        yield np.clip(frame + moved, 0, 255).astype(np.uint8)


def tilted(clip: Iterable[Frame], share: float) -> Iterator[Frame]:
    """Perspective: two corners move inwards by `share` of the picture's sides."""
    for frame in clip:
        h, w = frame.shape[:2]
        here = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        there = np.array(
            [[w * share, h * share], [w, 0], [w * (1 - share), h * (1 - share)], [0, h]], np.float32
        )
        yield cv2.warpPerspective(frame, cv2.getPerspectiveTransform(here, there), (w, h))


def rescreened(clip: Iterable[Frame]) -> Iterator[Frame]:
    """A screen filmed by hand: 4 % perspective, pixel grid resampled (moire), blur, gamma, noise."""
    rng = np.random.default_rng(6)
    rows = 1 - 0.12 * (np.arange(1440) % 2)[:, None, None].astype(np.float32)
    grain = rng.normal(0, 3, (720, 1280, 3)).astype(np.float32)
    curve = (255 * (np.arange(256) / 255) ** 1.15).astype(np.uint8)
    for number, frame in enumerate(clip):
        panel = cv2.resize(frame, (2560, 1440), interpolation=cv2.INTER_NEAREST)
        panel = cv2.convertScaleAbs(panel * rows)
        h, w = panel.shape[:2]
        here = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        shake = 2 * np.array([np.sin(number / 5), np.cos(number / 7)], np.float32)
        there = np.array([[45, 22], [1262, 10], [1235, 704], [20, 690]], np.float32) + shake
        seen = cv2.warpPerspective(panel, cv2.getPerspectiveTransform(here, there), (1280, 720))
        seen = cv2.LUT(cv2.GaussianBlur(seen, (0, 0), 0.8), curve)
        yield np.clip(seen + np.roll(grain, 91 * number, 1), 0, 255).astype(np.uint8)


def barred(clip: Iterable[Frame]) -> Iterator[Frame]:
    """Letterbox: 16:9 in a 4:3 frame of 960 x 720."""
    for frame in clip:
        small = cv2.resize(frame, (960, 540), interpolation=cv2.INTER_AREA)
        yield cv2.copyMakeBorder(small, 90, 90, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def inset(clip: Iterable[Frame]) -> Iterator[Frame]:
    """Picture in picture at half size over a foreign moving ground."""
    rng = np.random.default_rng(9)
    ground = cv2.resize(
        rng.integers(0, 256, (60, 110, 3), dtype=np.uint8), (1600, 900), interpolation=cv2.INTER_CUBIC
    )
    grain = rng.integers(0, 20, ground.shape, dtype=np.uint8)
    ground = cv2.add(ground, np.asarray(grain, np.uint8))
    for number, frame in enumerate(clip):
        canvas = np.roll(ground, -2 * number, 1)[:720, :1280].copy()
        canvas[310:670, 590:1230] = cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA)
        yield canvas


class Versions:
    """A marked clip and its re-encoded versions, each made once."""

    def __init__(self, marked: Clip) -> None:
        self.marked = marked
        self._made: dict[int, Clip] = {}

    def every(self, crf: int) -> Clip:
        """All frames after H.264 at this CRF."""
        if crf not in self._made:
            self._made[crf] = recode(self.marked, crf, kept_fps=FPS)[0]
        return self._made[crf]

    def at(self, crf: int) -> Clip:
        return kept(self.every(crf))


def _dropped(clip: Clip) -> Clip:
    keep = np.random.default_rng(4).random(len(clip)) >= 0.2
    return [frame for frame, stays in zip(clip, keep, strict=True) if stays]


# "after crf23": the marked clip has been through H.264 at CRF 23, then this happens in memory.
ATTACKS: dict[str, Callable[[Versions], Clip]] = {
    "none": lambda v: kept(v.marked),  # in memory
    "crf23": lambda v: v.at(23),
    "crf28": lambda v: v.at(28),
    "crf33": lambda v: recode(v.marked, 33)[0],
    "crf40": lambda v: recode(v.marked, 40)[0],
    "scale50": lambda v: recode(scaled(v.marked, 0.5, 0.5), 23)[0],
    "scale75": lambda v: list(scaled(v.at(23), 0.75, 0.75)),  # after crf23
    "crop10": lambda v: list(cropped(v.at(23), 0.10)),  # after crf23
    "crop25": lambda v: list(cropped(v.at(23), 0.25)),  # after crf23
    "fps24": lambda v: kept([f for n, f in enumerate(v.every(28)) if n % 5]),  # after crf28: 4 of 5 stay
    "cut2s": lambda v: kept(v.every(23)[37:85]),  # after crf23
    "drop20": lambda v: kept(_dropped(v.every(23))),  # after crf23
    "colour": lambda v: list(coloured(v.at(23))),  # after crf23
    "noise10": lambda v: list(noisy(v.at(23), 10)),  # after crf23
    "hflip": lambda v: [np.ascontiguousarray(f[:, ::-1]) for f in v.at(23)],  # after crf23
    "rot5": lambda v: list(turned(v.at(23), 5)),  # after crf23
    "social": lambda v: recode(scaled(cropped(v.marked, 0.08), 0.6, 0.6), 30)[0],
    "persp4": lambda v: list(tilted(v.at(23), 0.04)),  # after crf23
    "vp9": lambda v: recode(v.marked, 36, "libvpx-vp9", options=VP9)[0],
    "av1": lambda v: recode(v.marked, 36, "libsvtav1", options={"preset": "12"})[0],
    "squash43": lambda v: list(scaled(v.at(23), 0.75, 1.0)),  # after crf23
    "letterbox": lambda v: list(barred(v.at(23))),  # after crf23
    "pip50": lambda v: recode(inset(v.marked), 23)[0],
    "rescreen": lambda v: recode(rescreened(v.at(23)), 26, fps=KEPT_FPS)[0],  # after crf23, filmed at 8 fps
}
