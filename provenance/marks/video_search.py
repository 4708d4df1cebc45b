"""The search for a picture mark: where it may lie, how it turns over time, what it says.

Everything here that chooses (pose, mirror image, turn, shift, weights of frames and regions) looks
at the host and at the key's synchronisation template only. The verdict looks at the data cells
only, whose signs are independent of the template's. Hence the false-accept bound counts decodings,
not poses: see threshold.py. `MAX_DECODINGS` per key and call is enforced, not estimated.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

import cv2

from byline.provenance.marks import video_geometry as geometry
from byline.provenance.marks.base import Frame
from byline.provenance.marks.coding import TailBitingCode
from byline.provenance.marks.patterns import Layout, scramble, unscramble
from byline.provenance.marks.video_geometry import OVERSAMPLE, PERIOD, TILE_CHIPS, Plane, Pose

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
        self.variants = np.stack([_conj_template(t) for t in (self.template, np.conj(self.template), mirrored, np.conj(mirrored))])

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
    payload: int
    key: int
    pose: Pose
    mirrored: bool


class Judge:
    """Decodes chips and compares with the thresholds; counts what it does."""

    def __init__(
        self, keys: Sequence[KeyTiles], candidates: tuple[int, ...] | None, blind: float, short_list: float
    ) -> None:
        self._keys = keys
        self._candidates = candidates
        self._blind, self._short_list = blind, short_list
        self._left = [MAX_DECODINGS] * len(keys)
        self._words = [
            {scramble(k.key, LABEL, c, PAYLOAD_BITS): c for c in candidates or ()} for k in keys
        ]
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
    """One call of detect(): the clip, the keys and what has been found out so far."""

    def __init__(self, keys: Sequence[KeyTiles], judge: Judge) -> None:
        self._keys = keys
        self._judge = judge

    def upright(self, clip: Clip) -> Iterator[Found]:
        """As embedded or mirrored, any turn."""
        cycles = np.arange(0, clip.count / 2 + 0.5, 0.5)
        folds = geometry.tones(clip.folds(), cycles)
        guesses = self._guesses(folds[..., 0] + 1j * folds[..., 1], cycles, Pose())
        for guess in _best(guesses, 3 * len(self._keys)):
            yield from self._follow(clip, guess, bend=False)

    def scanned(self, clip: Clip, poses: Sequence[Pose], keep: int) -> list[Guess]:
        """Upright poses, fast."""
        guesses: list[Guess] = []
        for pose in poses:
            folds = geometry.folds_at(clip.tones, pose.sx, pose.sy)
            guesses += _best(self._guesses(folds, clip.scan_cycles, pose), 1)
        return _best(guesses, keep)

    def lattice(self, clip: Clip, keep: int) -> list[Guess]:
        """Poses that the picture's own autocorrelation suggests."""
        poses: list[tuple[float, Pose]] = []
        for plane in clip.tones:
            poses += geometry.lattice_poses(plane, 3)
        poses.sort(key=lambda item: -item[0])
        guesses: list[Guess] = []
        for _, pose in poses[: 2 * keep]:
            around = [pose.moved(angle=turn) for turn in ((-0.002, 0.002) if pose.angle else (0.0,))]
            for near in around:
                planes = [geometry.fold(geometry.rectify(plane, near)) for plane in clip.tones]
                folds = np.stack(planes)
                guesses += _best(self._guesses(folds[..., 0] + 1j * folds[..., 1], clip.scan_cycles, near), 1)
        return _best(guesses, keep)

    def _guesses(self, folds: NDArray[np.complexfloating], cycles: Sequence[float], pose: Pose) -> list[Guess]:
        spectra = fft.fft2(folds.astype(np.complex64))
        guesses = []
        for index, key in enumerate(self._keys):
            for variant, transfer in enumerate(key.variants):
                power = np.abs(fft.ifft2(spectra * transfer)) ** 2
                scores = np.sqrt(2 * power.max((1, 2)) / (power.mean((1, 2)) + 1e-20))
                for score, turns in zip(scores, cycles, strict=True):
                    sign = -1.0 if variant % 2 else 1.0
                    guesses.append(Guess(float(score), index, pose, variant >= 2, sign * float(turns)))
        return guesses

    # ------------------------------------------------------------------ one guess

    def follow(self, clip: Clip, guesses: Sequence[Guess]) -> Iterator[Found]:
        for guess in guesses:
            yield from self._follow(clip, guess, bend=False)

    def bend(self, clip: Clip, guesses: Sequence[Guess]) -> Iterator[Found]:
        for guess in guesses:
            yield from self._follow(clip, guess, bend=True)

    def _follow(self, clip: Clip, guess: Guess, *, bend: bool) -> Iterator[Found]:
        """Fit turn, pose and weights to the template, decoding on the way."""
        pose = guess.pose
        key = self._keys[guess.key]
        weights = self._weights(clip, guess, pose)
        for stage in range(3 if bend else 2):
            whole = clip.combined(weights)
            if stage == 1 and pose == Pose():
                continue
            if stage == 1:
                pose = self._climb(whole, key, pose, guess.mirrored, ("sx", "sy", "angle", "shear"))
            elif stage == 2:
                pose = self._bend(whole, key, pose, guess.mirrored)
            if stage:
                weights = self._weights(clip, guess, pose)
                whole = clip.combined(weights)
            plane = geometry.rectify(whole, pose) if pose != Pose() else whole
            plane = plane[:, ::-1] if guess.mirrored else plane
            for local in (False, True):
                chips, sync = _chips(plane, key, local)
                payload = self._judge.payload(guess.key, chips, sync)
                if payload is not None:
                    yield Found(payload, guess.key, pose, guess.mirrored)
                if self._judge.refused:
                    return

    def _weights(self, clip: Clip, guess: Guess, pose: Pose) -> NDArray[np.complex64]:
        """(N,) complex: how strongly and at which angle the template stands in each frame."""
        key = self._keys[guess.key]
        if pose == Pose():
            folds = clip.folds()
        else:
            folds = np.stack([geometry.fold(geometry.rectify(plane, pose)) for plane in clip.stack])
        if guess.mirrored:
            folds = folds[:, :, -np.arange(PERIOD)]
        count = clip.count
        still = abs(guess.cycles) < 0.4
        spectra = fft.fft2(folds.astype(np.complex64))
        spectra -= 0 if still else spectra.mean(0)
        time = np.arange(count) / count
        tone = np.tensordot(np.exp(-2j * np.pi * guess.cycles * time), spectra, axes=1)
        transfer = key.variants[0]
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
        smooth = ndimage.gaussian_filter1d(base.real, width) + 1j * ndimage.gaussian_filter1d(base.imag, width)
        weights = smooth * wave / noise
        return np.asarray(weights / (np.linalg.norm(weights) + 1e-20), np.complex64)

    def _climb(self, plane: Plane, key: KeyTiles, pose: Pose, mirrored: bool, names: Sequence[str]) -> Pose:
        """Coordinate ascent of the template's correlation over the named parameters."""
        best = _fit(plane, key, pose, mirrored)
        for step in (0.003, 0.0015, 0.0007):
            for _ in range(3):
                before = best
                for name in names:
                    for sign in (1, -1):
                        other = pose.moved(**{name: sign * step * (2 if name in "gh" else 1)})
                        value = _fit(plane, key, other, mirrored)
                        if value > best:
                            best, pose = value, other
                            break
                if best == before:
                    break
        return pose

    def _bend(self, plane: Plane, key: KeyTiles, pose: Pose, mirrored: bool) -> Pose:
        """A mild perspective: first a coarse look around, then the ascent over everything."""
        tilts = np.linspace(-0.06, 0.06, 7)
        around = [pose.moved(g=float(g), h=float(h)) for g in tilts for h in tilts]
        pose = max(around, key=lambda near: _fit(plane, key, near, mirrored))
        return self._climb(plane, key, pose, mirrored, ("sx", "sy", "angle", "shear", "g", "h"))


def _best(guesses: Sequence[Guess], count: int) -> list[Guess]:
    return sorted(guesses, key=lambda guess: -guess.score)[:count]


def _surface(folded: Plane, key: KeyTiles) -> NDArray[np.float32]:
    """Correlation of a folded, phased (72, 72, 2) plane with tiles A and B, over all shifts."""
    spectrum = fft.fft2(folded[..., 0] + 1j * folded[..., 1])
    return np.asarray(fft.ifft2(spectrum * key.variants[1]).real, np.float32)


def _fit(plane: Plane, key: KeyTiles, pose: Pose, mirrored: bool) -> float:
    folded = geometry.fold(geometry.rectify(plane, pose))
    surface = _surface(folded[:, -np.arange(PERIOD)] if mirrored else folded, key)
    return float(surface.max()) / (float(surface.std()) + 1e-20)


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
    match = cv2.blur(np.ascontiguousarray(plane[..., 0] * reference.real + plane[..., 1] * reference.imag), size)
    noise = cv2.blur(np.ascontiguousarray((plane**2).sum(-1)), size)
    floor = 0.1 * float(noise.mean()) + 1e-20
    gain = np.maximum(match, 0) / (noise + floor)
    return np.asarray(gain / (float(gain.max()) + 1e-20), np.float32)
