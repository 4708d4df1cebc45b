"""Perceptual fingerprints: does this clip look like one on record, when nothing else survived?

Two perceptual hashes (imagehash.phash) of a few frames a second, taken from thumbnails: 256 bits to
compare, 64 bits as the key of an index. A clip on record is hashed as it is and in several crops, so
that a cropped copy is found, and mirrored. A mirrored crop is found because mirroring a picture turns the
sign of every other column of its cosine transform, and with it nearly the same bits of its hash.
Frames with next to no detail are left out: black and blank frames match each other in every film.
Similar means look-alike, never proof of origin. What happens only in the margins (another caption,
another label) is not seen; nor are crops that no variant comes near. Numbers and limits:
docs/fingerprints.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAMPLES_PER_S = 4.0  # a copy cut elsewhere is off by an eighth of a second at most
# Top, bottom, left, right: titles, captions, logos and labels live outside, and one house's clips
# share them. On the full frame a brand's overlays outweigh a plain picture.
REGION = (0.14, 0.65, 0.05, 0.95)
THUMBNAIL = 256  # px on the longer side: hashing larger ones costs time and changes nothing
_FINE = 2  # thumbnails kept per hashed frame, so that very short clips still give LEAST_FRAMES
MIN_DEVIATION = 4.0  # grey levels of the 16 x 16 picture; flatter ones say nothing

AS_STORED, MIRRORED = "as stored", "mirrored"
# Name: share of width and height that is kept, and where (0 left or top, 1 right or bottom).
CROPS: Mapping[str, tuple[float, float, float]] = {
    "crop 90 %": (0.9, 0.5, 0.5),
    "crop 82 %": (0.82, 0.5, 0.5),
    "crop 75 %": (0.75, 0.5, 0.5),
    "crop 90 % top left": (0.9, 0.0, 0.0),
    "crop 90 % top right": (0.9, 1.0, 0.0),
    "crop 90 % bottom left": (0.9, 0.0, 1.0),
    "crop 90 % bottom right": (0.9, 1.0, 1.0),
    "crop 75 % top left": (0.75, 0.0, 0.0),
    "crop 75 % top right": (0.75, 1.0, 0.0),
    "crop 75 % bottom left": (0.75, 0.0, 1.0),
    "crop 75 % bottom right": (0.75, 1.0, 1.0),
}
# Variants are hashed at a lower rate, since the other side still has the full one; but so that more than
# LEAST_FRAMES remain.
_FEWER, _ENOUGH = 4, 6

MAX_BITS = 64  # of 256: below the distance between different clips, above that of re-encodes
STILL_BITS = 40  # the limit where fewer than LEAST_FRAMES can agree: one picture is less evidence
LEAST_FRAMES = 3  # matches in time order
LEAST_SHARE = 0.5  # of the shorter side: a shared title sequence is not a shared clip

# Letterbox bars: nearly black, at both sides alike, in every frame.
_BAR_LEVEL = 20  # codecs ring beside the picture; a dark lower third is brighter
_LEAST_BAR, _MOST_BAR = 0.03, 0.35  # of the height or width, each

# Odd columns of the 16 x 16 and of the 8 x 8 transform, in the order of the hashes' bits.
_ODD_256 = np.uint64(0x5555555555555555)
_ODD_64 = 0x5555555555555555


@dataclass(frozen=True)
class FrameHash:
    """One frame: its time in seconds and its hashes, 64 and 16 hex digits, of one variant of it."""

    t: float
    phash256: str
    phash64: str
    variant: str = AS_STORED

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> "FrameHash":
        """The inverse of asdict, for what was stored. ValueError, KeyError or TypeError otherwise."""
        found = cls(
            float(item["t"]),
            str(item["phash256"]),
            str(item["phash64"]),
            str(item.get("variant", AS_STORED)),
        )
        if len(bytes.fromhex(found.phash256)) != 32 or len(bytes.fromhex(found.phash64)) != 8:
            raise ValueError("a fingerprint has another width")
        return found


@dataclass(frozen=True)
class Similarity:
    """`matched` frames of `of` in the query agree in time order, differing by `mean_bits` of 256.

    `variant` says what of the record agrees best: "as stored", "mirrored", "crop 75 %". `segments` are
    the (start, end) seconds of the query that agree; between them may lie anything.
    """

    matched: int
    of: int
    mean_bits: float
    similar: bool
    variant: str = AS_STORED
    segments: tuple[tuple[float, float], ...] = ()


def fingerprint(frames: Iterable[NDArray[np.uint8]], fps: float) -> list[FrameHash]:
    """Hash (H, W, 3) RGB frames at about SAMPLES_PER_S, in the middle of each interval. Streams.

    An empty list means that no frame had enough detail to be told apart. ValueError for fps <= 0.
    """
    return _hashes(_thumbnails(frames, fps), AS_STORED)


def fingerprint_to_store(frames: Iterable[NDArray[np.uint8]], fps: float) -> list[FrameHash]:
    """As `fingerprint`, followed by fewer hashes of the mirrored picture and of every crop in CROPS."""
    thumbnails = _thumbnails(frames, fps)
    found = _hashes(thumbnails, AS_STORED)
    fewer = thumbnails[:: max(1, min(_FEWER, len(thumbnails) // _ENOUGH))]
    found += _hashes([(t, picture[:, ::-1]) for t, picture in fewer], MIRRORED)
    for name, crop in CROPS.items():
        found += _hashes([(t, _cropped(picture, *crop)) for t, picture in fewer], name)
    return found


def mirrored(item: FrameHash) -> FrameHash:
    """The hash of the mirrored frame, from the hash alone.

    Off by a few bits, those of coefficients between the median and its negative: enough to compare and
    to find mirrored crops, while the whole mirrored picture has a variant of its own.
    """
    wide = int(item.phash256, 16) ^ int(f"{_ODD_64:016x}" * 4, 16)
    return replace(item, phash256=f"{wide:064x}", phash64=f"{int(item.phash64, 16) ^ _ODD_64:016x}")


def bits_between(one: FrameHash, other: FrameHash) -> int:
    """In how many of 256 bits two frames differ."""
    return (int(one.phash256, 16) ^ int(other.phash256, 16)).bit_count()


def plain(hashes: Iterable[FrameHash]) -> list[FrameHash]:
    """Those of the whole frame, without the crops."""
    return [item for item in hashes if item.variant == AS_STORED]


def compare(query: Sequence[FrameHash], stored: Sequence[FrameHash]) -> Similarity:
    """The longest run of frames that agree in time order, whatever else lies between them.

    The best over all variants of `stored`, each also mirrored. Similar if LEAST_FRAMES agree and they
    make up LEAST_SHARE of what could agree at the lower rate within the shorter side. Where fewer than
    LEAST_FRAMES could (a still), all must, within STILL_BITS. An empty side is similar to nothing.
    """
    best = Similarity(0, len(query), 256.0, False)
    rank = (False, 0.0)
    groups: dict[str, list[FrameHash]] = {}
    for item in stored:
        groups.setdefault(item.variant, []).append(item)
    asked = _words(query)
    for variant, group in groups.items():
        theirs = _words(group)
        sides = [(variant, theirs)]
        if variant != MIRRORED:  # whose mirror image is there already
            sides.append((_turned(variant), theirs ^ _ODD_256))
        for name, words in sides:
            found, share = _agreement(query, group, _all_bits_between(asked, words), name)
            # Few near frames say more about which variant it is than many that just pass.
            if (this := (found.similar, share * (1 - found.mean_bits / (MAX_BITS + 1)))) > rank:
                best, rank = found, this
    return best


def _turned(variant: str) -> str:
    """What the variant is called when it agrees mirrored."""
    return MIRRORED if variant == AS_STORED else f"{MIRRORED}, {variant}"


def _agreement(
    query: Sequence[FrameHash], stored: Sequence[FrameHash], bits: NDArray[np.integer], variant: str
) -> tuple[Similarity, float]:
    """One variant, and the share of what could agree."""
    possible = _possible(query, stored)
    limit = MAX_BITS if possible >= LEAST_FRAMES else STILL_BITS
    if not len(query) or not len(stored) or bits.min() > limit:
        return Similarity(0, len(query), 256.0, False, variant), 0.0
    pairs = _longest_common(bits, limit)
    mean = float(np.mean([bits[pair] for pair in pairs]))
    needed = max(min(LEAST_FRAMES, possible), LEAST_SHARE * possible)
    segments = _segments(query, [row for row, _ in pairs])
    found = Similarity(len(pairs), len(query), mean, len(pairs) >= needed, variant, segments)
    return found, len(pairs) / possible


def _possible(query: Sequence[FrameHash], stored: Sequence[FrameHash]) -> float:
    """How many frames could agree: the shorter side's length at the lower rate of the two."""
    if len(query) < 2 or len(stored) < 2:
        return min(len(query), len(stored))
    steps = [_step(side) for side in (query, stored)]
    shorter = min(len(query) * steps[0], len(stored) * steps[1])
    return max(1.0, min(shorter / max(steps), len(query), len(stored)))


def _step(side: Sequence[FrameHash]) -> float:
    """The usual distance of two hashed frames, in seconds."""
    return max(1e-3, float(np.median(np.diff([item.t for item in side]))))


def _longest_common(bits: NDArray[np.integer], limit: int) -> list[tuple[int, int]]:
    """(query, stored) pairs of the longest common subsequence; of equally long ones the nearest."""
    rows, columns = bits.shape
    table = [[(0, 0)] * (columns + 1) for _ in range(rows + 1)]  # (matches, -bits)
    for row in range(rows):
        above, here = table[row], table[row + 1]
        for column, distance in enumerate(bits[row].tolist()):
            step = max(above[column + 1], here[column])
            if distance <= limit:
                matches, minus = above[column]
                step = max(step, (matches + 1, minus - distance))
            here[column + 1] = step
    pairs, row, column = [], rows, columns
    while row and column:
        if table[row][column] == table[row - 1][column]:
            row -= 1
        elif table[row][column] == table[row][column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append((row, column))
    return pairs[::-1]


def _segments(query: Sequence[FrameHash], matched: Sequence[int]) -> tuple[tuple[float, float], ...]:
    """Stretches of the query whose frames agree; one frame that does not is no break."""
    half = _step(query) / 2 if len(query) > 1 else 0.0
    stretches: list[list[int]] = []
    for row in matched:
        if stretches and row - stretches[-1][1] <= 2:
            stretches[-1][1] = row
        else:
            stretches.append([row, row])
    return tuple(
        (round(max(0.0, query[first].t - half), 3), round(query[last].t + half, 3))
        for first, last in stretches
    )


def _words(side: Sequence[FrameHash]) -> NDArray[np.uint64]:
    """(N, 4) words of the 256-bit hashes."""
    return np.frombuffer(bytes.fromhex("".join(h.phash256 for h in side)), "<u8").reshape(-1, 4)


def _all_bits_between(query: NDArray[np.uint64], stored: NDArray[np.uint64]) -> NDArray[np.integer]:
    """(query, stored) Hamming distances."""
    return np.bitwise_count(query[:, None] ^ stored[None]).sum(axis=-1, dtype=np.int32)


# ---------------------------------------------------------------- pictures


def _thumbnails(frames: Iterable[NDArray[np.uint8]], fps: float) -> list[tuple[float, NDArray[np.uint8]]]:
    """(seconds, small grey picture without letterbox bars) of the frames that are hashed."""
    if fps <= 0:
        raise ValueError("fps must be positive")
    step = max(1, round(fps / SAMPLES_PER_S))
    fine = max(1, step // _FINE)
    kept: list[tuple[int, NDArray[np.uint8]]] = []
    for number, frame in enumerate(frames):
        if number % step == step // 2 or number % fine == 0 or number < LEAST_FRAMES:
            kept.append((number, _thumbnail(frame)))
    chosen = [item for item in kept if item[0] % step == step // 2]
    if len(chosen) < LEAST_FRAMES:
        wanted = min(LEAST_FRAMES, len(kept))
        chosen = [kept[(2 * n + 1) * len(kept) // (2 * wanted)] for n in range(wanted)]
    top, bottom, left, right = _bars([picture for _, picture in chosen])
    return [(number / fps, picture[top:bottom, left:right]) for number, picture in chosen]


def _thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    factor = min(1.0, THUMBNAIL / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _bars(pictures: Sequence[NDArray[np.uint8]]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the picture inside its letterbox or pillarbox bars."""
    height, width = pictures[0].shape if pictures else (0, 0)
    if not pictures or any(picture.shape != (height, width) for picture in pictures):
        return 0, 1 << 16, 0, 1 << 16
    brightest = np.max(pictures, axis=0)
    top, bottom = _inside(brightest.max(axis=1))
    left, right = _inside(brightest.max(axis=0))
    return top, bottom, left, right


def _inside(levels: NDArray[np.uint8]) -> tuple[int, int]:
    """Where the picture begins and ends along one side; everything unless there is a bar at both ends."""
    lit, size = np.flatnonzero(levels > _BAR_LEVEL), len(levels)
    if not lit.size:
        return 0, size
    before, after = int(lit[0]), size - 1 - int(lit[-1])
    alike = abs(before - after) <= max(3, 0.025 * size)
    if not alike or not _LEAST_BAR * size <= min(before, after) <= max(before, after) <= _MOST_BAR * size:
        return 0, size
    return before + 1, size - after - 1


def _cropped(picture: NDArray[np.uint8], keep: float, across: float, down: float) -> NDArray[np.uint8]:
    height, width = picture.shape
    rows, columns = max(1, round(height * keep)), max(1, round(width * keep))
    top, left = round((height - rows) * down), round((width - columns) * across)
    return picture[top : top + rows, left : left + columns]


def _hashes(thumbnails: Iterable[tuple[float, NDArray[np.uint8]]], variant: str) -> list[FrameHash]:
    regions = ((t, _region(picture)) for t, picture in thumbnails)
    return [_hash(t, region, variant) for t, region in regions if _has_detail(region)]


def _region(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape
    top, bottom, left, right = REGION
    return np.ascontiguousarray(
        picture[int(height * top) : int(height * bottom) + 1, int(width * left) : int(width * right) + 1]
    )


def _has_detail(region: NDArray[np.uint8]) -> bool:
    return float(cv2.resize(region, (16, 16), interpolation=cv2.INTER_AREA).std()) >= MIN_DEVIATION


def _hash(t: float, region: NDArray[np.uint8], variant: str) -> FrameHash:
    image = Image.fromarray(region)
    wide, narrow = (str(imagehash.phash(image, hash_size=size)) for size in (16, 8))
    return FrameHash(round(t, 3), wide, narrow, variant)
