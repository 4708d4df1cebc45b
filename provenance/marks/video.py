"""The picture mark: 64 bits as keyed spread spectrum on luma, found blind.

Promises: same frames, payload and key give the same output on every run; rescaling, squeezing,
cropping, bars, mirroring, small rotations, insets down to half size, frame-rate changes, cuts and
ordinary re-encoding leave it readable on clips of a few seconds (bench/watermark.py measures how
often); a clip without a mark of our keys is accepted with probability below FALSE_ACCEPT, proven in
threshold.py for any content chosen without the key. Leaves out: strong perspective, re-generation by
another model, and a person who holds the key.
The parts: video_embed.py (and video_torch.py) put it in, video_geometry.py and video_search.py find it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from byline.provenance.marks import video_geometry as geometry
from byline.provenance.marks.base import (
    FALSE_ACCEPT,
    Frame,
    UnmarkableInput,
    VideoFinding,
    check_candidates,
)
from byline.provenance.marks.threshold import acceptance_threshold
from byline.provenance.marks.video_embed import Painter, Turn
from byline.provenance.marks.video_geometry import Pose
from byline.provenance.marks.video_search import (
    LABEL,
    MAX_DECODINGS,
    PAYLOAD_BITS,
    Clip,
    Found,
    Judge,
    KeyTiles,
    Search,
)
from byline.provenance.marks.video_torch import TorchPainter

MIN_SIDE = 96  # below it a chip is under one pixel
MAX_SIDE = 16384
MAX_KEYS = 16
FOLLOWED = 4  # guesses that are followed to a decoding at each step of the search
CROPS = (0.72, 1.5)  # scales of the tile grid that are tried one by one
INSETS = (0.8, 1.3)  # the same on planes of twice the resolution
SQUEEZES = (3 / 4, 4 / 3, 9 / 16, 16 / 9)  # changes of aspect that editors and players make


class VideoMark:
    """Embeds with the first key, detects all of them (newest first, at most MAX_KEYS).

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
        flat_psnr_db: float = 46.0,
        max_frames: int = 48,
    ) -> None:
        if not 1 <= len(keys) <= MAX_KEYS:
            raise UnmarkableInput(f"a mark needs at least one key and takes at most {MAX_KEYS}")
        self._keys = [KeyTiles(key) for key in keys]
        self._levels = 255 / 10 ** (psnr_db / 20), 255 / 10 ** (flat_psnr_db / 20)
        self._max_frames = max_frames

    def embed(self, frames: Iterable[Frame], payload: int) -> Iterator[Frame]:
        """Yield each (H, W, 3) uint8 RGB frame with the mark in its luma, chroma differences untouched.

        Streaming: one frame in, one out. Torch tensors come back as tensors on the device they were on.
        BadPayload, or UnmarkableInput for frames of a wrong shape.
        """
        tiles = self._keys[0].tiles(payload)
        angles = Turn(self._keys[0].key, LABEL, payload).angles()
        painter: Any = None
        for frame in frames:
            height, width = _checked_size(frame)
            if painter is None or painter.shape != (height, width):
                if isinstance(frame, np.ndarray):
                    painter = Painter(tiles, height, width, self._levels)
                else:
                    painter = TorchPainter(tiles, height, width, self._levels, frame.device)
            yield painter.add(frame, next(angles))

    def detect(
        self, frames: Sequence[Frame], *, candidates: Sequence[int] | None = None, fps: float = 8.0
    ) -> VideoFinding | None:
        """The mark of any of our keys in frames of one size, or None. UnmarkableInput for unusable frames.

        `fps` is the rate at which the frames follow each other; it only speeds up the search. With
        `candidates` only these payloads count and less evidence suffices (marks/base.py).
        """
        wanted = check_candidates(candidates, PAYLOAD_BITS)
        if not frames or wanted == ():
            return None
        picked = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), self._max_frames)).round())
        chosen = [frames[int(i)] for i in picked]
        for frame in chosen:
            _checked_size(frame)
            if frame.shape != chosen[0].shape:
                raise UnmarkableInput("all frames of a clip must have one size")
        judge = Judge(self._keys, wanted, *thresholds(len(self._keys), wanted))
        search = Search(self._keys, judge)
        found = next(_steps(search, chosen, fps * len(chosen) / len(frames)), None)
        if found is None:
            return None
        return VideoFinding(found.payload, found.key, _describe(found))


def thresholds(keys: int, candidates: Sequence[int] | None) -> tuple[float, float]:
    """Data scores from which a blind decoding, and one of a short list, is accepted.

    Everything that steers a decoding looks at the template, so hypotheses are decodings (threshold.py).
    """
    blind, listed = (
        acceptance_threshold(
            payload_bits=bits,
            hypotheses=MAX_DECODINGS,
            keys=keys,
            false_accept=FALSE_ACCEPT,
            share=1.0 if candidates is None else 0.5,
        )
        for bits in (PAYLOAD_BITS, math.log2(len(candidates or (0,))))
    )
    return blind, listed


def _steps(search: Search, frames: Sequence[Frame], fps: float) -> Iterator[Found]:
    """From the likely and cheap to the rare and dear."""
    clip = Clip(frames, geometry.WORK_SHORT, fps)
    yield from search.upright(clip)
    near = search.near[:]
    rows, columns = geometry.picture_area(frames)
    inside = [np.ascontiguousarray(frame[rows, columns]) for frame in frames]
    height, width = inside[0].shape[:2]
    if inside[0].shape != frames[0].shape and min(height, width) >= MIN_SIDE:
        yield from search.upright(Clip(inside, geometry.WORK_SHORT, fps))
    scanned = search.scanned(clip, _upright_poses(*CROPS, SQUEEZES), FOLLOWED)
    yield from search.follow(clip, [*scanned, *near])
    yield from search.follow(clip, search.lattice(clip, FOLLOWED))
    fine = Clip(frames[::2], 2 * geometry.WORK_SHORT, fps / 2)
    yield from search.follow(fine, search.scanned(fine, _upright_poses(*INSETS, ()), FOLLOWED))


def _upright_poses(low: float, high: float, squeezes: Sequence[float]) -> list[Pose]:
    """All scales in a range, and the whole picture squeezed in one direction."""
    scales = np.exp(np.arange(math.log(low), math.log(high), 0.006))
    same = [Pose(float(scale), float(scale)) for scale in scales]
    return same + [pose for q in squeezes for pose in (Pose(q, 1.0), Pose(1.0, q))]


def _checked_size(frame: Any) -> tuple[int, int]:
    """(H, W) of an array, or of a tensor, that can be marked; UnmarkableInput otherwise."""
    kind = str(getattr(frame, "dtype", "")).removeprefix("torch.")
    if kind != "uint8" or frame.ndim != 3 or frame.shape[2] != 3:
        raise UnmarkableInput("a frame is an (H, W, 3) array of uint8")
    height, width = int(frame.shape[0]), int(frame.shape[1])
    if not min(height, width) >= MIN_SIDE or max(height, width) > MAX_SIDE:
        raise UnmarkableInput(f"a frame's sides must lie between {MIN_SIDE} and {MAX_SIDE} pixels")
    return height, width


def _describe(found: Found) -> str:
    words = ["mirrored"] if found.mirrored else []
    sx, sy, turn, tilt = geometry.described(found.matrix, found.size)
    if max(abs(sx - 1), abs(sy - 1), abs(turn), tilt) < 1e-6:
        return words[0] if words else "as embedded"
    stretched = f"{sx:.0%} x {sy:.0%}" if abs(sx / sy - 1) > 0.02 else f"{sx:.0%}"
    words.append(f"tile grid at {stretched} of its expected size")
    if abs(turn) > np.deg2rad(0.3):
        words.append(f"turned by {abs(np.rad2deg(turn)):.1f} degrees")
    if tilt > 0.01:
        words.append("in perspective")
    return ", ".join(words)
