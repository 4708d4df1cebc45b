"""From a short, small shot to its picture at any moment, at a working size.

Key frames are enlarged once by an edge-preserving pyramid made for flat art: each doubling is
sharpened towards, never past, the darkest and lightest neighbours, so edges get crisp without the
ringing of a plain unsharp mask. Between key frames the picture is moved along the optical flow (DIS)
from both sides (the flow at time t is composed as in Super SloMo, arXiv 1712.00080, section 3.1);
where the flow explains the change no better than a plain blend, it is faded out. Learned
interpolation and new detail are left out.
"""

from collections.abc import Callable
from functools import cached_property

import cv2
import numpy as np

_FLOW_WIDTH = 176  # the flow needs no more, and it is the costly part
_FLAT = 4.0  # grey levels: a difference below it is noise, and noise has no direction


class Shot:
    """`frames`: (T, h, w, 3) uint8. `size`: (width, height) of the pictures that `at` returns. `prepare`
    changes a key frame before it is enlarged; it may give back a larger one."""

    def __init__(
        self,
        frames: np.ndarray,
        size: tuple[int, int],
        prepare: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self._frames = frames
        self._size = size
        self._prepare = prepare
        self._keys: dict[int, np.ndarray] = {}
        self._flows: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def at(self, position: float) -> np.ndarray:
        """The picture at `position` in frames, 0 <= position <= T - 1; (height, width, 3) uint8, fresh."""
        last = len(self._frames) - 1
        index = min(int(position), max(0, last - 1))
        t = position - index
        if last == 0 or t < 1e-3:
            return self._key(index).copy()
        if t > 1 - 1e-3:
            return self._key(index + 1).copy()
        forward, backward = self._flow(index)
        to_first = (t * t) * backward - (t * (1 - t)) * forward
        to_second = ((1 - t) * (1 - t)) * forward - (t * (1 - t)) * backward
        first = self._moved(self._key(index), to_first)
        second = self._moved(self._key(index + 1), to_second)
        moved = cv2.addWeighted(first, 1 - t, second, t, 0)
        return self._settled(index, t, moved, cv2.absdiff(first, second))

    def _settled(self, index: int, t: float, moved: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
        """`moved`, but the plain blend where both key frames agree and their moved versions do not.

        That is the still background beside a moving thing, which the flow would drag along.
        """
        here, there = self._key(index), self._key(index + 1)
        still = cv2.addWeighted(here, 1 - t, there, t, 0)
        change = _smooth_grey(cv2.absdiff(here, there))
        weight = np.clip(1.6 - _smooth_grey(disagreement) / (change + 2.0), 0, 1)
        return cv2.blendLinear(moved, still, weight, 1 - weight)

    def _key(self, index: int) -> np.ndarray:
        if index not in self._keys:
            for old in [number for number in self._keys if number < index - 1]:
                del self._keys[old]
            frame = self._frames[index]
            self._keys[index] = enlarge(self._prepare(frame) if self._prepare else frame, self._size)
        return self._keys[index]

    def _flow(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index not in self._flows:
            self._flows.clear()
            self._flows[index] = flows(self._key(index), self._key(index + 1))
        return self._flows[index]

    @cached_property
    def _grid(self) -> np.ndarray:
        width, height = self._size
        return np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)

    def _moved(self, picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
        width, height = self._size
        scale = width / flow.shape[1]
        target = cv2.resize(flow * scale, (width, height), interpolation=cv2.INTER_LINEAR)
        target += self._grid
        return _follow(picture, target)


def enlarge(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale to cover `size` (width, height), cutting what hangs over, with edges kept crisp."""
    picture = _cover(frame, size)
    width, height = size
    if width <= 1.5 * picture.shape[1]:
        return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    # What the decoder left of mottle goes first; sharpening would make it the loudest thing.
    picture = cv2.bilateralFilter(picture, 5, 20, 1.5).astype(np.float32)
    while picture.shape[1] < width:
        step = min(2.0, width / picture.shape[1])
        to = (round(picture.shape[1] * step), round(picture.shape[0] * step))
        to = size if abs(to[0] - width) <= 2 else to
        picture = _sharpened(cv2.resize(picture, to, interpolation=cv2.INTER_LINEAR))
    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _sharpened(picture: np.ndarray) -> np.ndarray:
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)  # rounds off the stairs of the small pixels
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    low, high = cv2.erode(picture, kernel), cv2.dilate(picture, kernel)
    for _ in range(2):
        soft = cv2.GaussianBlur(picture, (0, 0), 2.0)
        picture = np.clip(cv2.addWeighted(picture, 2.5, soft, -1.5, 0), low, high)
    return cv2.GaussianBlur(picture, (0, 0), 0.6)


def _cover(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = frame.shape[:2]
    wanted = size[0] / size[1]
    if width / height > wanted:
        keep = round(height * wanted)
        left = (width - keep) // 2
        return np.ascontiguousarray(frame[:, left : left + keep])
    keep = round(width / wanted)
    top = (height - keep) // 2
    return np.ascontiguousarray(frame[top : top + keep])


def flows(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forward and backward motion at a small size, (h, w, 2) float32, in pixels of that size."""
    height = round(first.shape[0] * _FLOW_WIDTH / first.shape[1])
    small = [cv2.resize(key, (_FLOW_WIDTH, height), interpolation=cv2.INTER_AREA) for key in (first, second)]
    grey = _contrasted(small[0], small[1])
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    finder.setFinestScale(0)
    still = np.zeros((*grey[0].shape, 2), np.float32)
    forward = finder.calc(grey[0], grey[1], still.copy())
    backward = finder.calc(grey[1], grey[0], still.copy())
    return _trusted(small[0], small[1], forward), _trusted(small[1], small[0], backward)


def _contrasted(first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    """Both pictures in grey, mixed so that what changed stands out: a purple bird before a grey wall of
    the same lightness is invisible to the usual mix, and then nothing is seen to move."""
    change = (first.astype(np.float32) - second).reshape(-1, 3)
    axis = np.linalg.eigh(change.T @ change / len(change) + 0.1 * np.ones((3, 3), np.float32))[1][:, -1]
    mixed = [
        cv2.transform(picture.astype(np.float32), axis[None].astype(np.float32))
        for picture in (first, second)
    ]
    low, high = min(m.min() for m in mixed), max(m.max() for m in mixed)
    scale = 255 / max(float(high - low), 16.0)
    return [((m - low) * scale).astype(np.uint8) for m in mixed]


def _smooth_grey(difference: np.ndarray) -> np.ndarray:
    """Mean over a small neighbourhood of an absolute difference, (h, w) float32."""
    return cv2.blur(cv2.cvtColor(difference, cv2.COLOR_RGB2GRAY), (7, 7)).astype(np.float32)


def follow(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """`picture` moved back along `flow`, (h, w, 2) float32 in its pixels: the frame the flow started from."""
    height, width = picture.shape[:2]
    grid = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    return _follow(picture, grid + flow)


def _follow(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Each pixel taken from where `where` points, (h, w, 2) float32 x and y."""
    x, y = cv2.split(where)
    moved: np.ndarray = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


def _trusted(here: np.ndarray, there: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The flow, faded where following it does not bring `there` closer to `here` than staying put."""
    followed = follow(there, flow)
    stay = cv2.blur(cv2.absdiff(here, there).max(axis=2), (5, 5)).astype(np.float32)
    went = cv2.blur(cv2.absdiff(here, followed).max(axis=2), (5, 5)).astype(np.float32)
    gain = np.clip((stay - went) / (stay + _FLAT), 0, 1)
    # Widened, so that a moving thing keeps its edge, then softened, so that nothing tears.
    weight = np.clip(2.5 * cv2.dilate(gain, np.ones((7, 7), np.uint8)), 0, 1)
    return flow * cv2.GaussianBlur(weight, (0, 0), 2.5)[..., None]
