"""Perceptual fingerprints: does this clip look like one on record, when nothing else survived?

Two perceptual hashes (imagehash.phash) of a few frames a second, taken from thumbnails: 256 bits to
compare, 64 bits as the key of an index. Frames with next to no detail are left out: black and blank
frames match each other in every film. Similar means look-alike, never proof of origin. Leaves out:
mirrored copies and crops beyond about 5 % (the mark finds those) and the index itself. What happens
only in the margins (another caption, another label) is not seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAMPLES_PER_S = 4.0  # a copy cut elsewhere is off by an eighth of a second at most
# Top, bottom, left, right: titles, captions, logos and labels live outside, and one house's clips
# share them. On the full frame a brand's overlays outweigh a plain picture.
REGION = (0.14, 0.65, 0.05, 0.95)
THUMBNAIL = 128  # px on the longer side: hashing larger ones costs time and changes nothing
_FINE = 2  # thumbnails kept per hashed frame, so that very short clips still give LEAST_FRAMES
MIN_DEVIATION = 4.0  # grey levels of the 16 x 16 picture; flatter ones say nothing

MAX_BITS = 64  # of 256: below the distance between different clips, above that of re-encodes
LEAST_FRAMES = 3  # matches in time order, or all frames of a shorter clip
LEAST_SHARE = 0.5  # of the shorter side: a shared title sequence is not a shared clip


@dataclass(frozen=True)
class FrameHash:
    """One frame: its time in seconds and its hashes, 64 and 16 hex digits."""

    t: float
    phash256: str
    phash64: str


@dataclass(frozen=True)
class Similarity:
    """`matched` frames of `of` in the query agree in time order, differing by `mean_bits` of 256."""

    matched: int
    of: int
    mean_bits: float
    similar: bool


def fingerprint(frames: Iterable[NDArray[np.uint8]], fps: float) -> list[FrameHash]:
    """Hash (H, W, 3) RGB frames at about SAMPLES_PER_S, in the middle of each interval. Streams.

    An empty list means that no frame had enough detail to be told apart. ValueError for fps <= 0.
    """
    if fps <= 0:
        raise ValueError("fps must be positive")
    fine = max(1, round(fps / SAMPLES_PER_S / _FINE))
    kept: list[tuple[int, NDArray[np.uint8]]] = []
    for number, frame in enumerate(frames):
        if number % fine == 0 or number < LEAST_FRAMES:
            kept.append((number, _thumbnail(frame)))
    chosen = [item for item in kept if item[0] % (fine * _FINE) == fine * _FINE // 2]
    if len(chosen) < LEAST_FRAMES:
        wanted = min(LEAST_FRAMES, len(kept))
        chosen = [kept[(2 * n + 1) * len(kept) // (2 * wanted)] for n in range(wanted)]
    return [_hash(number / fps, thumbnail) for number, thumbnail in chosen if _has_detail(thumbnail)]


def compare(query: list[FrameHash], stored: list[FrameHash]) -> Similarity:
    """The longest run of frames that agree in time order, whatever else lies between them.

    Similar if LEAST_FRAMES agree (all of them where a side has fewer) and they make up LEAST_SHARE of
    the shorter side. An empty side is similar to nothing.
    """
    distance = _distances(query, stored)
    shorter = min(len(query), len(stored))
    # Longest common subsequence; among equally long ones the smallest total distance.
    best: list[tuple[int, int]] = [(0, 0)] * (len(stored) + 1)  # (matches, -bits) up to stored[j]
    for row in distance:
        above = best
        best = [(0, 0)]
        for column, bits in enumerate(row):
            step = max(above[column + 1], best[column])
            if bits <= MAX_BITS:
                matches, minus_bits = above[column]
                step = max(step, (matches + 1, minus_bits - int(bits)))
            best.append(step)
    matched, minus_bits = best[-1]
    needed = max(min(LEAST_FRAMES, shorter), LEAST_SHARE * shorter)
    mean = -minus_bits / matched if matched else 256.0
    return Similarity(matched, len(query), mean, matched > 0 and matched >= needed)


def _distances(query: list[FrameHash], stored: list[FrameHash]) -> NDArray[np.integer]:
    """(query, stored) Hamming distances of the 256-bit hashes."""
    sides = [
        np.frombuffer(bytes.fromhex("".join(h.phash256 for h in side)), "<u8").reshape(-1, 4)
        for side in (query, stored)
    ]
    bits = np.unpackbits((sides[0][:, None] ^ sides[1][None]).view(np.uint8), axis=-1)
    return bits.sum(axis=-1, dtype=np.int32).reshape(len(query), len(stored))


def _thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    top, bottom, left, right = REGION
    frame = frame[int(height * top) : int(height * bottom) + 1, int(width * left) : int(width * right) + 1]
    height, width = frame.shape[:2]
    factor = min(1.0, THUMBNAIL / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _has_detail(thumbnail: NDArray[np.uint8]) -> bool:
    return float(cv2.resize(thumbnail, (16, 16), interpolation=cv2.INTER_AREA).std()) >= MIN_DEVIATION


def _hash(t: float, thumbnail: NDArray[np.uint8]) -> FrameHash:
    image = Image.fromarray(thumbnail)
    wide, narrow = (str(imagehash.phash(image, hash_size=size)) for size in (16, 8))
    return FrameHash(round(t, 3), wide, narrow)
