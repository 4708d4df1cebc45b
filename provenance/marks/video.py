"""The picture mark: 64 bits as keyed spread spectrum on luma, found blind.

Promises: same frames, payload and key give the same output on every run; rescaling, cropping,
mirroring, small rotations, frame-rate changes, cuts and H.264 at CRF 33 leave it readable on clips
of a few seconds (bench/ holds the measured rates); a clip without a mark of our keys is accepted
with probability below FALSE_ACCEPT, proven in threshold.py for any content chosen without the key.
The pattern is the same in every frame, so no time base is needed. Leaves out: squeezed aspect
ratios, picture-in-picture, re-generation by another model, and hiding the mark from someone who
averages many clips of one key (rotate keys).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from byline.provenance.marks import video_geometry as geometry
from byline.provenance.marks.base import (
    FALSE_ACCEPT,
    Frame,
    UnmarkableInput,
    VideoFinding,
    check_candidates,
)
from byline.provenance.marks.coding import Code
from byline.provenance.marks.patterns import Layout
from byline.provenance.marks.threshold import acceptance_threshold
from byline.provenance.marks.video_geometry import OVERSAMPLE, PERIOD, TILE_CHIPS, Plane, Pose

PAYLOAD_BITS = 64
MIN_SIDE = 96  # below it a chip is under one pixel
MAX_SIDE = 16384
REFINED = 6  # poses that are refined and decoded after the search
LOCAL_ROUNDS = 2
BUSY_GAIN, BUSY_CAP = 0.5, 6.0  # amplitude gained per grey level of texture, up to this level
TEXTURED_AREA = 0.3  # share of a frame that must be busy for the full energy

# (pose, mirror, shift) in which a decoding of one key can end: the identity, or one of the searched
# poses after refinement. The fitted homographies are tested on data cells, so only decodings count.
SEARCH_HYPOTHESES = 2 * PERIOD * PERIOD * (1 + geometry.CANDIDATES * geometry.REFINEMENTS)
LOCAL_HYPOTHESES = REFINED * LOCAL_ROUNDS


@dataclass(frozen=True)
class _Sync:
    """Where one key's template fits best into a folded plane."""

    score: float
    shift: tuple[int, int]


@dataclass(frozen=True)
class _Rule:
    """What one call of detect() accepts: which payloads (None: all), and from which scores on."""

    candidates: tuple[int, ...] | None
    searched: float
    fitted: float


class _Key:
    """One key's layout with its template ready for FFT correlation."""

    def __init__(self, key: bytes) -> None:
        self.layout = Layout(key, "video v1", TILE_CHIPS * TILE_CHIPS, Code(PAYLOAD_BITS), sync_share=0.3)
        template = self.layout.template.reshape(TILE_CHIPS, TILE_CHIPS)
        self.template = _wrapped_blur(np.kron(template, np.ones((OVERSAMPLE, OVERSAMPLE), np.float32)), 0.5)
        self._spectrum = np.conj(fft.rfft2(self.template))

    def sync(self, folded: Plane) -> _Sync:
        corr = fft.irfft2(fft.rfft2(folded) * self._spectrum, folded.shape)
        y, x = np.unravel_index(int(corr.argmax()), corr.shape)
        return _Sync(float(corr[y, x]) / (float(np.linalg.norm(folded)) + 1e-9), (int(y), int(x)))

    def decode(
        self, folded: Plane, shift: tuple[int, int], candidates: Sequence[int] | None
    ) -> tuple[int, float, float] | None:
        aligned = _wrapped_blur(np.roll(folded, (-shift[0], -shift[1]), (0, 1)), 0.5)
        chips = aligned.reshape(TILE_CHIPS, OVERSAMPLE, TILE_CHIPS, OVERSAMPLE).sum((1, 3)).ravel()
        chips = chips - chips.mean()
        return self.layout.decode(chips) if candidates is None else self.layout.best_of(chips, candidates)


def _wrapped_blur(tile: Plane, sigma: float) -> Plane:
    padded = np.pad(tile, 4, mode="wrap")
    return np.asarray(cv2.GaussianBlur(padded, (0, 0), sigma), np.float32)[4:-4, 4:-4]


class VideoMark:
    """Embeds with the first key, detects all of them.

    `psnr_db` bounds the mark's energy over a frame, `flat_psnr_db` that in smooth areas, where the eye
    sees most: flat graphics therefore come out at `flat_psnr_db`, textured pictures at `psnr_db`.
    At most `max_frames`, spread over the clip, are looked at when detecting.
    """

    payload_bits = PAYLOAD_BITS

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        psnr_db: float = 42.7,
        flat_psnr_db: float = 47.5,
        max_frames: int = 48,
    ) -> None:
        if not keys:
            raise UnmarkableInput("a mark needs at least one key")
        self._keys = [_Key(key) for key in keys]
        self._rms = 255 / 10 ** (psnr_db / 20)
        self._flat_rms = 255 / 10 ** (flat_psnr_db / 20)
        self._max_frames = max_frames

    def _rule(self, candidates: tuple[int, ...] | None) -> _Rule:
        bits = PAYLOAD_BITS if candidates is None else math.log2(len(candidates))
        searched, fitted = (
            acceptance_threshold(
                payload_bits=bits,
                hypotheses=hypotheses,
                keys=len(self._keys),
                false_accept=FALSE_ACCEPT,
                share=0.5,
            )
            for hypotheses in (SEARCH_HYPOTHESES, LOCAL_HYPOTHESES)
        )
        return _Rule(candidates, searched, fitted)

    # ------------------------------------------------------------------ embedding

    def embed(self, frames: Iterable[Frame], payload: int) -> Iterator[Frame]:
        """Yield each (H, W, 3) uint8 RGB frame with the mark in its luma, chroma differences untouched.

        Streaming: one frame in, one out. BadPayload, or UnmarkableInput for frames of a wrong shape.
        """
        tile = self._keys[0].layout.tile(payload).reshape(TILE_CHIPS, TILE_CHIPS)
        pattern = dither = np.empty((0, 0), np.float32)
        for frame in frames:
            _check_frame(frame)
            if pattern.shape != frame.shape[:2]:
                pattern = _spread(tile, *frame.shape[:2])
                dither = _dither(*frame.shape[:2])
            yield self._add(frame, pattern, dither)

    def _add(self, frame: Frame, pattern: Plane, dither: Plane) -> Frame:
        height, width = pattern.shape
        light, busy = _mask(frame)
        mask = light * (1.0 + BUSY_GAIN * np.minimum(busy, BUSY_CAP))
        # Captions on flat grounds are busy too: a frame earns the higher energy only by area.
        textured = min(float(np.mean(busy > 1.0)) / TEXTURED_AREA, 1.0)
        energy = self._flat_rms + textured * (self._rms - self._flat_rms)
        gain = min(self._flat_rms / _rms(light), energy / _rms(mask))
        wide = cv2.resize(mask * gain, (width, height), interpolation=cv2.INTER_LINEAR)
        cv2.multiply(wide, pattern, dst=wide)
        cv2.add(wide, dither, dst=wide)
        up, down = cv2.convertScaleAbs(np.maximum(wide, 0)), cv2.convertScaleAbs(np.minimum(wide, 0))
        raised = cv2.add(frame, cv2.cvtColor(up, cv2.COLOR_GRAY2RGB))
        lowered = cv2.subtract(raised, cv2.cvtColor(down, cv2.COLOR_GRAY2RGB), dst=raised)
        return np.asarray(lowered, np.uint8)

    # ------------------------------------------------------------------ detecting

    def detect(
        self, frames: Sequence[Frame], *, candidates: Sequence[int] | None = None
    ) -> VideoFinding | None:
        """The mark of any of our keys in frames of one size, or None. UnmarkableInput for unusable frames.

        With `candidates` only these payloads count and less evidence suffices (marks/base.py).
        """
        wanted = check_candidates(candidates, PAYLOAD_BITS)
        if not frames or wanted == ():
            return None
        rule = self._rule(wanted)
        picked = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), self._max_frames)).round())
        chosen = [frames[int(i)] for i in picked]
        for frame in chosen:
            _check_frame(frame)
            if frame.shape != chosen[0].shape:
                raise UnmarkableInput("all frames of a clip must have one size")
        plain = geometry.accumulate(chosen)
        planes = {"": plain, "mirrored": np.ascontiguousarray(plain[:, ::-1])}
        for words, plane in planes.items():
            folded = geometry.fold(plane)
            for index in range(len(self._keys)):
                found = self._decode(folded, index, self._keys[index].sync(folded), rule)
                if found is not None:
                    return VideoFinding(found, index, words or "as embedded")
        return self._search(planes, rule)

    def _decode(self, folded: Plane, index: int, sync: _Sync, rule: _Rule) -> int | None:
        result = self._keys[index].decode(folded, sync.shift, rule.candidates)
        return result[0] if result is not None and result[1] >= rule.searched else None

    def _search(self, planes: dict[str, Plane], rule: _Rule) -> VideoFinding | None:
        poses = geometry.candidate_poses(planes[""])
        trials = []
        for words, plane in planes.items():
            for pose in poses:
                seen = Pose(pose.scale, -pose.angle) if words else pose
                around = [geometry.fold(geometry.rectify(plane, near)) for near in seen.neighbours(0)]
                for index, key in enumerate(self._keys):
                    trials.append((max(key.sync(folded).score for folded in around), index, words, seen))
        trials.sort(key=lambda trial: -trial[0])
        for _, index, words, pose in trials[:REFINED]:
            found = self._refine(planes[words], index, pose, rule)
            if found is not None:
                return VideoFinding(found[0], index, _describe(words, *found[1:]))
        return None

    def _refine(self, plane: Plane, index: int, pose: Pose, rule: _Rule) -> tuple[int, Pose, bool] | None:
        """Climb towards the pose that fits the template best, trying to decode all along the way.

        The template alone may prefer a slightly wrong pose that the payload does not survive.
        """
        key = self._keys[index]
        for stage in range(len(geometry.STAGES)):
            ranked = []
            for near in pose.neighbours(stage):
                folded = geometry.fold(geometry.rectify(plane, near))
                ranked.append((key.sync(folded), near, folded))
            ranked.sort(key=lambda item: -item[0].score)
            for sync, near, folded in ranked:
                payload = self._decode(folded, index, sync, rule)
                if payload is not None:
                    return payload, near, False
            sync, pose, _ = ranked[0]
        return self._unbend(geometry.rectify(plane, pose), index, sync, pose, rule)

    def _unbend(
        self, plane: Plane, index: int, sync: _Sync, pose: Pose, rule: _Rule
    ) -> tuple[int, Pose, bool] | None:
        """Last resort: fit a mild perspective to the template, judge by the data cells alone."""
        key = self._keys[index]
        for _ in range(LOCAL_ROUNDS):
            fitted = geometry.local_fit(plane, np.roll(key.template, sync.shift, (0, 1)))
            if fitted is None:
                return None
            plane, folded = fitted, geometry.fold(fitted)
            sync = key.sync(folded)
            result = key.decode(folded, sync.shift, rule.candidates)
            if result is not None and result[2] >= rule.fitted:
                return result[0], pose, True
        return None


def _check_frame(frame: Frame) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise UnmarkableInput("a frame is an (H, W, 3) array of uint8")
    if not min(frame.shape[:2]) >= MIN_SIDE or max(frame.shape[:2]) > MAX_SIDE:
        raise UnmarkableInput(f"a frame's sides must lie between {MIN_SIDE} and {MAX_SIDE} pixels")


def _spread(tile: NDArray[np.float32], height: int, width: int) -> Plane:
    """The tile repeated over (height, width), chips SHORT_CHIPS across the short side, unit RMS."""
    pitch = min(height, width) / geometry.SHORT_CHIPS
    rows, columns = (int(np.ceil(side / pitch / TILE_CHIPS)) + 1 for side in (height, width))
    chips = np.tile(tile, (rows, columns))
    offset = 0.5 / pitch - 0.5
    matrix = np.array([[1 / pitch, 0, offset], [0, 1 / pitch, offset]], np.float32)
    pattern = cv2.warpAffine(
        chips,
        matrix,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    unit = np.asarray(pattern, np.float32)
    return unit / _rms(unit)


def _dither(height: int, width: int) -> Plane:
    """Ordered 2 x 2 offsets before rounding: amplitudes of 1.4 and 1.6 must not become 1 and 2 by area."""
    cell = np.array([[-0.375, 0.125], [0.375, -0.125]], np.float32)
    return np.tile(cell, (-(-height // 2), -(-width // 2)))[:height, :width].copy()


def _rms(plane: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(plane * plane)))


def _mask(frame: Frame) -> tuple[Plane, Plane]:
    """What the eye forgives: by lightness (1 at mid-grey), by texture (0 where smooth); short side about 180.

    Texture raises it, a lone edge must not: mottle beside an edge is what the eye finds first. The
    smaller eigenvalue of the structure tensor is zero along a straight edge and large only where the
    picture is busy in every direction (Shi & Tomasi, CVPR 1994).
    """
    height, width = frame.shape[:2]
    step = max(1, round(min(height, width) / 180))
    small = cv2.resize(frame, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    dx, dy = cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=0.25)
    xx, yy, xy = (cv2.blur(product, (5, 5)) for product in (dx * dx, dy * dy, dx * dy))
    middle, radius = (xx + yy) / 2, np.sqrt((xx - yy) ** 2 / 4 + xy * xy)
    # lambda2 / sqrt(lambda1): curved outlines and letters have a little of the smaller eigenvalue too.
    corners = np.maximum(middle - radius, 0) / np.sqrt(middle + radius + 1e-3)
    # A line of text is busy too, but narrow: only areas that are busy for most of 25 cells gain.
    share = cv2.blur((corners > 1.0).astype(np.float32), (25, 25))
    busy = cv2.blur(cv2.erode(corners, np.ones((3, 3), np.uint8)), (5, 5))
    busy *= np.clip((share - 0.35) / 0.3, 0, 1)
    light = 1.0 + 0.15 * np.clip((100 - luma) / 100, -1, 1)  # the eye sees less in the shadows
    return np.asarray(light, np.float32), np.asarray(busy, np.float32)


def _describe(mirrored: str, pose: Pose, bent: bool) -> str:
    words = [mirrored] if mirrored else []
    words.append(f"tile grid at {pose.scale:.0%} of its expected size")
    if abs(pose.angle) > np.deg2rad(0.2):
        words.append(f"turned by {abs(np.rad2deg(pose.angle)):.1f} degrees")
    if bent:
        words.append("in perspective")
    return ", ".join(words)
