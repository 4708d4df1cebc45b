"""The search for a picture mark: where it may lie, how it turns over time, what it says.

Everything here that chooses (pose, mirror image, turn, shift, weights of frames and regions) looks
at the host and at the key's synchronisation template only. The verdict looks at the data cells
only, whose signs are independent of the template's. Hence the false-accept bound counts decodings,
not poses: see threshold.py. `MAX_DECODINGS` per key and call is enforced, not estimated.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from byline.provenance.marks import video_geometry as geometry
from byline.provenance.marks.base import Frame
from byline.provenance.marks.coding import TailBitingCode
from byline.provenance.marks.patterns import Layout, scramble, unscramble
from byline.provenance.marks.video_geometry import OVERSAMPLE, PERIOD, TILE_CHIPS, Matrix, Plane, Pose

LABEL = "video v2"  # of every sub-key: another version of the pattern takes another label
PAYLOAD_BITS = 64
CELLS = TILE_CHIPS * TILE_CHIPS  # of one tile; there are two
SYNC_SHARE = 0.25
MAX_DECODINGS = 256
GATE = 5.0  # sync score from which a decoding is tried: noise reaches it once in fifty poses


class KeyTiles:
    """One key's layout over tiles A and B, with its template ready for correlation."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.layout = Layout(key, LABEL, 2 * CELLS, TailBitingCode(PAYLOAD_BITS), SYNC_SHARE)
        one, other = (_drawn(part) for part in self.layout.template.reshape(2, TILE_CHIPS, TILE_CHIPS))
        self.template = (one + 1j * other).astype(np.complex64)
        mirrored = self.template[:, -np.arange(PERIOD)]
        # As found, turning the other way, and both again in the mirror.
        self.variants = np.stack(
            [_conj_template(t) for t in (self.template, np.conj(self.template), mirrored, np.conj(mirrored))]
        )

    def tiles(self, payload: int) -> NDArray[np.float32]:
        """(2, 36, 36) of +-1 for a payload."""
        word = scramble(self.key, LABEL, payload, PAYLOAD_BITS)
        return self.layout.tile(word).reshape(2, TILE_CHIPS, TILE_CHIPS)


def _conj_template(template: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Transfer function for sum_x d(x + s) * template(x) as a function of s."""
    return np.asarray(np.conj(fft.fft2(np.conj(template))), np.complex64)


def _drawn(tile: Plane) -> Plane:
    return _wrapped_blur(np.kron(tile, np.ones((OVERSAMPLE, OVERSAMPLE), np.float32)), 0.5)


def _wrapped_blur(tile: Plane, sigma: float) -> Plane:
    padded = np.pad(tile, 4, mode="wrap")
    return np.asarray(cv2.GaussianBlur(padded, (0, 0), sigma), np.float32)[4:-4, 4:-4]


@dataclass(frozen=True)
class Guess:
    """One way the mark may lie: judged by the template alone."""

    score: float
    key: int
    pose: Pose
    mirrored: bool
    cycles: float  # turns over the clip, negative for the other direction


@dataclass(frozen=True)
class Found:
    """An accepted payload and the map from the upright tile grid to the plane it was read from."""

    payload: int
    key: int
    mirrored: bool
    matrix: Matrix
    size: tuple[int, int]


class Judge:
    """Decodes chips and compares with the thresholds; counts what it does."""

    def __init__(
        self, keys: Sequence[KeyTiles], candidates: tuple[int, ...] | None, blind: float, short_list: float
    ) -> None:
        self._keys = keys
        self._candidates = candidates
        self._blind, self._short_list = blind, short_list
        self._left = [MAX_DECODINGS] * len(keys)
        self._words = [{scramble(k.key, LABEL, c, PAYLOAD_BITS): c for c in candidates or ()} for k in keys]
        self.refused = False  # an accepted mark that is not on the short list: the answer is none

    def payload(self, index: int, chips: NDArray[np.floating], sync: float) -> int | None:
        """The accepted payload of these (2592,) chips, or None."""
        if self._left[index] == 0:
            return None
        self._left[index] -= 1
        key, layout = self._keys[index], self._keys[index].layout
        if sync >= GATE:
            result = layout.decode(chips)
            if result is not None and result[2] >= self._blind:
                payload = unscramble(key.key, LABEL, result[0], PAYLOAD_BITS)
                if self._candidates is None or payload in self._candidates:
                    return payload
                self.refused = True
                return None
        if self._words[index]:
            result = layout.best_of(chips, list(self._words[index]))
            if result is not None and result[2] >= self._short_list:
                return self._words[index][result[0]]
        return None


class Clip:
    """Whitened residuals of one clip and everything that is folded from them."""

    def __init__(self, frames: Sequence[Frame], short: int, fps: float) -> None:
        self.stack = geometry.whitened(frames, short)
        self.count = len(frames)
        self.scan_cycles = _scan_cycles(self.count, fps)
        self._tones: NDArray[np.float32] | None = None

    @property
    def tones(self) -> NDArray[np.float32]:
        if self._tones is None:
            self._tones = geometry.tones(self.stack, self.scan_cycles)
        return self._tones

    def tone(self, cycles: float) -> Plane:
        """(H, W, 2): what turns so often over the clip; negative for the other direction."""
        nearest = int(np.abs(np.array(self.scan_cycles) - abs(cycles)).argmin())
        if abs(self.scan_cycles[nearest] - abs(cycles)) < 0.02:
            plane = self.tones[nearest]
        else:
            plane = geometry.tones(self.stack, [abs(cycles)])[0]
        return plane if cycles >= 0 else plane * np.array([1, -1], np.float32)

    def folds(self) -> NDArray[np.float32]:
        return np.stack([geometry.fold(plane) for plane in self.stack])

    def combined(self, weights: NDArray[np.complex64]) -> Plane:
        """(H, W, 2): sum over frames of weight x plane, real and imaginary."""
        flat = self.stack.reshape(self.count, -1)
        both = [part @ flat for part in (weights.real.astype(np.float32), weights.imag.astype(np.float32))]
        return np.stack([part.reshape(self.stack.shape[1:]) for part in both], axis=-1)


def _scan_cycles(count: int, fps: float) -> list[float]:
    """Turns over the clip that marks of 24 to 30 frames per second make; 0 for what a codec froze."""
    low, high = count * 0.36 / fps, count * 0.56 / fps
    return [0.0, *np.linspace(low, high, int(np.clip(np.ceil((high - low) / 0.5), 1, 8)) + 1).round(2)]


class Search:
    """One call of detect(): the keys, the judge and the order of looking."""

    def __init__(self, keys: Sequence[KeyTiles], judge: Judge) -> None:
        self._keys = keys
        self._judge = judge
        self.near: list[Guess] = []  # what a later step may still bend into place

    def upright(self, clip: Clip) -> Iterator[Found]:
        """As embedded or mirrored, any turn."""
        cycles = np.arange(0, clip.count / 2 + 0.5, 0.5)
        folds = geometry.tones(clip.folds(), cycles)
        guesses = self._guesses(folds[..., 0] + 1j * folds[..., 1], cycles, Pose())
        self.near += best(guesses, 2)
        for guess in best(guesses, 2 + len(self._keys)):
            if guess.score >= GATE - 0.5:
                matrix, size = guess.pose.matrix(clip.stack.shape[1:], guess.mirrored)
                yield from self._decode(clip, guess, matrix, size)

    def scanned(self, clip: Clip, poses: Sequence[Pose], keep: int) -> list[Guess]:
        """Upright poses, fast."""
        guesses: list[Guess] = []
        planes = np.ascontiguousarray(clip.tones.transpose(1, 0, 3, 2))
        for pose in poses:
            folds = geometry.folds_at(planes, pose.sx, pose.sy)
            guesses += best(self._guesses(folds, clip.scan_cycles, pose), 1)
        return _apart(guesses, keep)

    def lattice(self, clip: Clip, keep: int) -> list[Guess]:
        """Poses that the picture's own autocorrelation suggests."""
        poses: list[tuple[float, Pose]] = []
        for plane in clip.tones:
            poses += geometry.lattice_poses(plane, 3)
        poses.sort(key=lambda item: -item[0])
        guesses: list[Guess] = []
        for _, pose in poses[: 2 * keep]:
            planes = [geometry.rectify(p, *pose.matrix(p.shape, mirrored=False)) for p in clip.tones]
            folds = np.stack([geometry.fold(plane) for plane in planes])
            guesses += best(self._guesses(folds[..., 0] + 1j * folds[..., 1], clip.scan_cycles, pose), 1)
        return _apart(guesses, keep)

    def _guesses(
        self, folds: NDArray[np.complexfloating], cycles: Sequence[float] | geometry.Axis, pose: Pose
    ) -> list[Guess]:
        spectra = fft.fft2(folds.astype(np.complex64))
        guesses = []
        for index, key in enumerate(self._keys):
            for variant, transfer in enumerate(key.variants):
                surface = fft.ifft2(spectra * transfer)
                power = surface.real**2 + surface.imag**2
                scores = np.sqrt(2 * power.max((1, 2)) / (power.mean((1, 2)) + 1e-20))
                sign = -1.0 if variant % 2 else 1.0
                for score, turns in zip(scores, cycles, strict=True):
                    guesses.append(Guess(float(score), index, pose, variant >= 2, sign * float(turns)))
        return guesses

    # ------------------------------------------------------------------ one guess

    def follow(self, clip: Clip, guesses: Sequence[Guess]) -> Iterator[Found]:
        """Fit the pose to the template, first without, then with perspective, and decode."""
        for guess in guesses:
            key = self._keys[guess.key]
            matrix, size = guess.pose.matrix(clip.stack.shape[1:], guess.mirrored)
            whole = _phased(clip.tone(guess.cycles), key, matrix, size)
            for bent in (False, True):
                blocks = Blocks(geometry.rectify(whole, matrix, size), key)
                fitted = matrix @ blocks.fit(bent)
                if blocks.score < GATE:
                    continue
                matrix = fitted
                yield from self._decode(clip, guess, matrix, size)
                whole = clip.combined(self._weights(clip, guess, matrix, size))

    def _decode(self, clip: Clip, guess: Guess, matrix: Matrix, size: tuple[int, int]) -> Iterator[Found]:
        key = self._keys[guess.key]
        whole = clip.combined(self._weights(clip, guess, matrix, size))
        plane = geometry.rectify(whole, matrix, size)
        for local in (False, True):
            chips, sync = _chips(plane, key, local)
            payload = self._judge.payload(guess.key, chips, sync)
            if payload is not None:
                yield Found(payload, guess.key, guess.mirrored, matrix, size)
            if self._judge.refused:
                return

    def _weights(
        self, clip: Clip, guess: Guess, matrix: Matrix, size: tuple[int, int]
    ) -> NDArray[np.complex64]:
        """(N,) complex: how strongly and at which angle the template stands in each frame."""
        transfer = self._keys[guess.key].variants[0]
        folds = np.stack([geometry.fold(geometry.rectify(plane, matrix, size)) for plane in clip.stack])
        count = clip.count
        still = abs(guess.cycles) < 0.4
        spectra = fft.fft2(folds.astype(np.complex64))
        spectra -= 0 if still else spectra.mean(0)
        time = np.arange(count) / count
        tone = np.tensordot(np.exp(-2j * np.pi * guess.cycles * time), spectra, axes=1)
        power = np.abs(fft.ifft2(tone * transfer))
        dy, dx = np.unravel_index(int(power.argmax()), power.shape)
        shift = np.exp(2j * np.pi * (fft.fftfreq(PERIOD)[:, None] * dy + fft.fftfreq(PERIOD)[None] * dx))
        track = (spectra * (shift * transfer)).sum((1, 2)) / PERIOD**2
        noise = np.mean(np.abs(spectra) ** 2, axis=(1, 2)) + 1e-20
        near = guess.cycles + np.arange(-0.6, 0.61, 0.05)
        fits = np.abs(np.exp(-2j * np.pi * np.outer(near, time)) @ (track / noise))
        turns = 0.0 if still else float(near[fits.argmax()])
        wave = np.exp(2j * np.pi * turns * time)
        base = track / wave
        width = max(2.0, count / 8)
        smooth = ndimage.gaussian_filter1d(base.real, width) + 1j * ndimage.gaussian_filter1d(
            base.imag, width
        )
        weights = smooth * wave / noise
        return np.asarray(weights / (np.linalg.norm(weights) + 1e-20), np.complex64)


class Blocks:
    """Where the template fits in each region of a rectified plane, and the map that joins the regions.

    Each region's correlation with the template is computed once, for all shifts; a map that moves the
    regions is then scored by looking values up, so that thousands of maps can be tried.
    """

    def __init__(self, plane: Plane, key: KeyTiles) -> None:
        height, width = plane.shape[:2]
        edge = max(48, min(height, width) // 5)
        tops, lefts = range(0, height - edge // 2, edge), range(0, width - edge // 2, edge)
        centres, folds = [], []
        for top in tops:
            for left in lefts:
                part = plane[top : top + edge, left : left + edge]
                canvas = np.zeros((2 * PERIOD, 2 * PERIOD, 2), np.float32)
                y, x = top % PERIOD, left % PERIOD
                part = part[: 2 * PERIOD - y, : 2 * PERIOD - x]
                canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
                folds.append(geometry.fold(canvas))
                centres.append((left + part.shape[1] / 2, top + part.shape[0] / 2))
        whole = np.stack(folds)
        spectra = fft.fft2((whole[..., 0] + 1j * whole[..., 1]).astype(np.complex64))
        surfaces = fft.ifft2(spectra * key.variants[1]).real
        self._noise = float(np.sqrt((surfaces.var((1, 2))).sum())) + 1e-20
        self._surfaces = surfaces.astype(np.float32).ravel()
        self._middle = np.array([width / 2, height / 2])
        self._unit = width / 2
        self._centres = (np.array(centres) - self._middle) / self._unit  # (B, 2) about +-1
        total = surfaces.sum(0)
        self._start = np.array(np.unravel_index(int(total.argmax()), total.shape))
        self.score = float(total.max()) / self._noise

    def fit(self, bent: bool) -> Matrix:
        """The map (3, 3) from the plane in which the regions agree best to this plane."""
        rng = np.random.default_rng(1)
        # dx, dy in samples / unit; a, b, c, d of the linear part; g, h of the depth
        spread = np.array([1.5 / self._unit] * 2 + [0.008] * 4 + [0.0] * 2)
        mean = np.zeros(8)
        if bent:
            spread = np.array([3.0 / self._unit] * 2 + [0.025] * 4 + [0.04] * 2)
        value = float(self._values(mean[None])[0])
        if bent:
            tried = mean + spread * rng.normal(size=(8000, 8))
            likely = tried[np.argsort(-self._values(tried, coarse=True))[:50]]
            values = self._values(likely)
            if values.max() > value:
                value, mean = float(values.max()), likely[int(values.argmax())]
        for number in range(8):
            tried = mean + spread * 0.65**number * rng.normal(size=(400, 8))
            values = self._values(tried)
            if values.max() > value:
                value, mean = float(values.max()), tried[int(values.argmax())]
        self.score = float(value) / self._noise
        return self._matrix(mean)

    def _values(self, maps: NDArray[np.float64], *, coarse: bool = False) -> NDArray[np.float64]:
        """The template's sum over the regions for each of (n, 8) maps; `coarse` takes the nearest samples."""
        x, y = self._centres.T.astype(np.float32)
        dx, dy, a, b, c, d, g, h = (column[:, None] for column in maps.T.astype(np.float32))
        depth = 1 + g * x + h * y
        at_x = self._start[1] + self._unit * (((1 + a) * x + b * y + dx) / depth - x)
        at_y = self._start[0] + self._unit * ((c * x + (1 + d) * y + dy) / depth - y)
        base = PERIOD**2 * np.arange(len(self._centres))
        if coarse:
            near_x, near_y = np.rint(at_x).astype(int) % PERIOD, np.rint(at_y).astype(int) % PERIOD
            return np.asarray(self._surfaces.take(base + near_y * PERIOD + near_x).sum(1))
        low_x, low_y = np.floor(at_x).astype(int), np.floor(at_y).astype(int)
        part_x, part_y = at_x - low_x, at_y - low_y
        total = np.zeros(at_x.shape, np.float32)
        for oy, wy in ((0, 1 - part_y), (1, part_y)):
            row = base + (low_y + oy) % PERIOD * PERIOD
            for ox, wx in ((0, 1 - part_x), (1, part_x)):
                total += wy * wx * self._surfaces.take(row + (low_x + ox) % PERIOD)
        return np.asarray(total.sum(1))

    def _matrix(self, best: NDArray[np.float64]) -> Matrix:
        dx, dy, a, b, c, d, g, h = best
        core = np.array([[1 + a, b, dx], [c, 1 + d, dy], [g, h, 1]])
        to = np.array([[self._unit, 0, self._middle[0]], [0, self._unit, self._middle[1]], [0, 0, 1]])
        return np.asarray(to @ core @ np.linalg.inv(to))


def _phased(tone: Plane, key: KeyTiles, matrix: Matrix, size: tuple[int, int]) -> Plane:
    """A complex tone turned so that tile A lies in the first part and tile B in the second."""
    folded = geometry.fold(geometry.rectify(tone, matrix, size))
    surface = fft.ifft2(fft.fft2(folded[..., 0] + 1j * folded[..., 1]) * key.variants[0])
    turn = np.exp(-1j * np.angle(surface.ravel()[np.abs(surface).argmax()]))
    real, imaginary = tone[..., 0], tone[..., 1]
    first = turn.real * real - turn.imag * imaginary
    second = -(turn.imag * real + turn.real * imaginary)
    return np.stack([first, second], axis=-1).astype(np.float32)


def best(guesses: Sequence[Guess], count: int) -> list[Guess]:
    return sorted(guesses, key=lambda guess: -guess.score)[:count]


def _apart(guesses: Sequence[Guess], count: int) -> list[Guess]:
    """The best guesses that are not neighbours of a better one."""
    kept: list[Guess] = []
    for guess in best(guesses, len(guesses)):
        if len(kept) == count:
            break
        if all(_distance(guess.pose, other.pose) > 0.011 or guess.key != other.key for other in kept):
            kept.append(guess)
    return kept


def _distance(one: Pose, other: Pose) -> float:
    turn = abs(one.angle - other.angle)
    return max(abs(math.log(one.sx / other.sx)), abs(math.log(one.sy / other.sy)), turn)


def _surface(folded: Plane, key: KeyTiles) -> NDArray[np.float32]:
    """Correlation of a folded, phased (72, 72, 2) plane with tiles A and B, over all shifts."""
    spectrum = fft.fft2(folded[..., 0] + 1j * folded[..., 1])
    return np.asarray(fft.ifft2(spectrum * key.variants[1]).real, np.float32)


def _chips(plane: Plane, key: KeyTiles, local: bool) -> tuple[NDArray[np.float32], float]:
    """(2592,) chips of a rectified, phased plane and the template's score; `local` weighs regions."""
    folded = geometry.fold(plane)
    surface = _surface(folded, key)
    dy, dx = (int(k) for k in np.unravel_index(int(surface.argmax()), surface.shape))
    if local:
        plane = plane * _regions(plane, np.roll(key.template, (dy, dx), (0, 1)))[..., None]
        folded = geometry.fold(plane)
        surface = _surface(folded, key)
        dy, dx = (int(k) for k in np.unravel_index(int(surface.argmax()), surface.shape))
    aligned = np.roll(folded, (-dy, -dx), (0, 1))
    fine = [_subsample(surface, dy, dx, axis) for axis in (0, 1)]
    chips = []
    for part in range(2):
        moved = _shifted(aligned[..., part], fine)
        smooth = _wrapped_blur(moved, 0.5)
        chip = smooth.reshape(TILE_CHIPS, OVERSAMPLE, TILE_CHIPS, OVERSAMPLE).sum((1, 3)).ravel()
        chips.append(chip - chip.mean())
    return np.concatenate(chips), float(surface.max()) / (float(surface.std()) + 1e-20)


def _subsample(surface: NDArray[np.float32], dy: int, dx: int, axis: int) -> float:
    """Where between the samples the peak lies: the vertex of a parabola through three."""
    near = np.roll(surface, (1 - dy, 1 - dx), (0, 1))[:3, :3]
    before, top, after = (near[:, 1] if axis == 0 else near[1]).astype(float)
    bottom = before - 2 * top + after
    return float(np.clip(0.5 * (before - after) / bottom, -0.5, 0.5)) if bottom < 0 else 0.0


def _shifted(tile: Plane, shift: Sequence[float]) -> Plane:
    turn = np.exp(
        2j * np.pi * (fft.fftfreq(PERIOD)[:, None] * shift[0] + fft.rfftfreq(PERIOD)[None] * shift[1])
    )
    return np.asarray(fft.irfft2(fft.rfft2(tile) * turn, tile.shape), np.float32)


def _regions(plane: Plane, template: NDArray[np.complex64]) -> Plane:
    """(H, W) weights: where the template shows, relative to the noise there."""
    height, width = plane.shape[:2]
    reps = height // PERIOD + 1, width // PERIOD + 1
    reference = np.tile(template, reps)[:height, :width]
    size = (PERIOD // 2 * 2 + 1,) * 2
    match = cv2.blur(
        np.ascontiguousarray(plane[..., 0] * reference.real + plane[..., 1] * reference.imag), size
    )
    noise = cv2.blur(np.ascontiguousarray((plane**2).sum(-1)), size)
    floor = 0.1 * float(noise.mean()) + 1e-20
    gain = np.maximum(match, 0) / (noise + floor)
    return np.asarray(gain / (float(gain.max()) + 1e-20), np.float32)
