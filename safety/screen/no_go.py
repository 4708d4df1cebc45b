"""Compares what was made with the no-go lists: PDQ and pHash of the frames, as they are, mirrored and
without bars.

A match means look-alike; the list says whether a person decides or the clip is refused. Cropped,
rotated or picture-in-picture copies are not found (docs/screening.md has the rates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import imagehash
import numpy as np
from PIL import Image

from byline.safety.checks import Check
from byline.safety.hashlists.pdq import pdq
from byline.safety.hashlists.signals import BadSignal, signal

NAME = "output.no_go"
PER_SECOND = 4.0
MOST = 240  # frames of a clip
QUALITY = 50  # below it a PDQ should not be matched, says its documentation
_WIDTH = 448
_BAR = 24  # level; a letterbox bar is darker in all its pixels
Hashes = dict[str, list[list[str]]]  # type -> per frame the hash, then those of its variants


def fingerprints(shots: Sequence[Sequence[np.ndarray]], fps: float) -> Hashes:
    """The hashes of about PER_SECOND frames a second. A frame with next to no detail has none."""
    found: Hashes = {"pdq": [], "phash": []}
    for frame in map(_enlarged, _picked(shots, fps)):
        whole, mirrored = pdq(frame)
        if whole.quality < QUALITY:
            continue
        inner = _inside(frame)
        variants = [whole.hex, mirrored.hex]
        plain = [_phash(frame), _phash(frame[:, ::-1])]
        if inner.shape != frame.shape:
            variants += [item.hex for item in pdq(inner)]
            plain.append(_phash(inner))
        found["pdq"].append(variants)
        found["phash"].append(plain)
    return found


def plain(found: Mapping[str, Sequence[Sequence[str]]]) -> list[dict[str, str]]:
    """PDQ of the frames as they are, as plain values for the stay-down lists; JSON-able."""
    kept = []
    for variants in found.get("pdq", ()):
        try:
            kept.append({"type": "pdq", "value": signal("pdq", variants[0]).value})
        except BadSignal:
            continue
    return kept


def no_go(found: Mapping[str, Sequence[Sequence[str]]]) -> Check:
    """Compare hashes by type with every list. "unavailable" without a list: nothing was compared."""
    from byline.safety.hashlists import lists  # rows; the hashing above needs no Django

    known = lists.snapshot()
    if not known.tables:
        return Check(NAME, "unavailable", detail="no no-go list is imported")
    matches = known.find(found)
    evidence = {
        "lists": {item.name: item.entries for item in known.lists.values()},
        "frames": max(map(len, found.values()), default=0),
        "matches": [
            {"list": m.list, "reference": m.reference, "type": m.type, "bits": m.bits, "frames": m.frames}
            for m in matches[:5]
        ],
    }
    if not matches:
        return Check(NAME, "available", evidence=evidence)
    # The strictest list decides, then the nearest match.
    first = max(matches, key=lambda m: (known.lists[m.list].action == "block", -m.bits))
    matched = known.lists[first.list]
    return Check(
        NAME,
        "available",
        matched.action,
        f"looks like an entry of the no-go list {matched.name}",
        matched.category,
        evidence=evidence,
    )


def _picked(shots: Sequence[Sequence[np.ndarray]], fps: float) -> Iterator[np.ndarray]:
    frames = sum(len(shot) for shot in shots)
    step = max(1.0, fps / PER_SECOND, frames / MOST)
    for shot in shots:
        for index in np.arange(0, len(shot), step).astype(int):
            yield np.asarray(shot[index])


def _enlarged(frame: np.ndarray) -> np.ndarray:
    """PDQ samples single pixels of pictures under 128 wide: enlarged, they hash like the large original."""
    height, width = frame.shape[:2]
    if width >= _WIDTH:
        return frame
    size = (_WIDTH, round(height * _WIDTH / width))
    return cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_CUBIC)


def _inside(frame: np.ndarray) -> np.ndarray:
    """Without the near-black bars at opposite sides; the whole frame unless they are bars."""
    light = frame.max(axis=2) > _BAR
    for axis in (0, 1):
        lit = np.flatnonzero(light.any(axis=1 - axis))
        if not lit.size:
            return frame
        size = light.shape[axis]
        before, after = int(lit[0]), size - 1 - int(lit[-1])
        if min(before, after) >= 0.03 * size and abs(before - after) <= max(2, 0.03 * size):
            frame = np.take(frame, range(before, size - after), axis)
            light = np.take(light, range(before, size - after), axis)
    return frame


def _phash(frame: np.ndarray) -> str:
    return str(imagehash.phash(Image.fromarray(np.ascontiguousarray(frame))))
