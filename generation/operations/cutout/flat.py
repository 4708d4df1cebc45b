"""A matte for flat art without any trained model: GrabCut, told where to look by rows and by time.

The background of the starter's scenes is alike along each row and stays while the subject moves, so the
median of each row over the clip is taken for it, and what differs is where GrabCut (Rother, Kolmogorov and
Blake 2004, OpenCV's) starts. Photographs with busy backgrounds need a trained model: see pretrained.py.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from byline.generation.operations.cutout.base import CutoutExample, CutoutFailed, CutoutInfo

_SIDE = 320  # working size; edges are refined at the picture's own
_ROUNDS = 3
_MOST_SURE, _MAYBE = 40.0, 14.0  # difference to the background in Lab
_MOVING_FRAMES, _MOVED = 8, 0.6  # shortest clip, and share of a piece that must have moved
_LEAST, _MOST = 0.002, 0.6  # of the picture: less is noise, more is no subject


class FlatMatte:
    @property
    def info(self) -> CutoutInfo:
        return CutoutInfo("GrabCut for flat art", cv2.__version__, "Apache-2.0", trained=False)

    def alpha(self, frames: np.ndarray, check_cancelled: Callable[[], None]) -> np.ndarray:
        height, width = frames.shape[1:3]
        scale = min(1.0, _SIDE / max(height, width))
        size = (max(16, round(width * scale)), max(16, round(height * scale)))
        small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
        lab = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2LAB) for frame in small]).astype(np.float32)
        difference = _difference(lab)
        sure = _sure(difference)
        made = np.empty(frames.shape[:3], np.uint8)
        for index, frame in enumerate(small):
            check_cancelled()
            kept = _foremost(_cut(frame, difference[index], sure))
            rough = cv2.resize(kept, (width, height), interpolation=cv2.INTER_CUBIC)
            made[index] = np.clip((rough - 0.5) * 4 * 255 + 127.5, 0, 255) if scale < 1 else rough * 255
        share = float((made >= 128).mean())
        if not _LEAST <= share <= _MOST:
            raise CutoutFailed("no subject stands out from the background")
        return made

    def self_check(self) -> None:
        """Nothing to check: it needs no weights."""

    def examples(self) -> tuple[CutoutExample, ...]:
        picture = np.full((90, 160, 3), (120, 180, 230), np.uint8)
        picture[60:] = (80, 160, 70)
        cv2.circle(picture, (60, 50), 22, (210, 30, 40), -1)
        inside = np.zeros((90, 160), np.uint8)
        cv2.circle(inside, (60, 50), 22, 255, -1)

        def is_disc(alpha: np.ndarray) -> bool:
            both = (alpha[0] >= 128) & (inside > 0)
            either = (alpha[0] >= 128) | (inside > 0)
            return bool(both.sum() / either.sum() > 0.9)

        return (CutoutExample(picture[None], "a red disc over a meadow is the subject", is_disc),)


def _difference(lab: np.ndarray) -> np.ndarray:
    """(T, h, w): how far each pixel is from the background, in Lab.

    By rows; and where what stands out of the rows moves about, from what stays over the clip as well, so
    that windows, clouds and doors are no subject."""
    rows = np.linalg.norm(lab - np.median(lab, axis=(0, 2))[None, :, None], axis=-1)
    if len(lab) < _MOVING_FRAMES:
        return rows
    still = np.linalg.norm(lab - np.median(lab, axis=0)[None], axis=-1)
    moving = [_moves(out, moved) for out, moved in zip(rows > _sure(rows), still > _MAYBE, strict=True)]
    return np.minimum(rows, 2 * still) if np.mean(moving) >= 0.5 else rows


def _moves(out: np.ndarray, moved: np.ndarray) -> bool:
    """Whether a piece that stands out moved as a whole; somebody who waves does not."""
    count, labels = cv2.connectedComponents(out.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels.ravel(), minlength=count)[1:]
    changed = np.bincount(labels[moved].ravel(), minlength=count)[1:]
    return bool(((sizes >= _LEAST * out.size) & (changed >= _MOVED * sizes)).any())


def _foremost(kept: np.ndarray) -> np.ndarray:
    """The largest piece, large ones in the middle before those at the edge, and what is half as large."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats(kept.astype(np.uint8), connectivity=8)
    if count < 2:
        return kept
    height, width = kept.shape
    away = np.abs(centres[1:] - np.array([width / 2, height / 2])) / np.array([width / 2, height / 2])
    weight = stats[1:, cv2.CC_STAT_AREA] * (1.2 - away.max(axis=1))
    chosen = 1 + np.flatnonzero(weight >= 0.5 * weight.max())
    return np.isin(labels, chosen).astype(np.float32)


def _sure(difference: np.ndarray) -> float:
    """From which difference on a pixel is the subject's: most of what the strongest ones have."""
    return float(np.clip(0.6 * np.percentile(difference, 99.5), 1.3 * _MAYBE, _MOST_SURE))


def _cut(frame: np.ndarray, difference: np.ndarray, sure: float) -> np.ndarray:
    """float32 (h, w), 0 or 1, by GrabCut from the difference to the background; zeros where there is none."""
    seeds = np.full(difference.shape, cv2.GC_BGD, np.uint8)
    seeds[cv2.dilate(difference, np.ones((7, 7))) > _MAYBE] = cv2.GC_PR_BGD
    seeds[difference > _MAYBE] = cv2.GC_PR_FGD
    seeds[cv2.erode(difference, np.ones((3, 3))) > sure] = cv2.GC_FGD
    if not (seeds == cv2.GC_FGD).any() or not (seeds == cv2.GC_BGD).any():
        return np.zeros(difference.shape, np.float32)
    cv2.setRNGSeed(0)  # its colour models start from random clusters
    try:
        cv2.grabCut(
            frame, seeds, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK
        )
    except cv2.error as error:
        raise CutoutFailed("the picture could not be cut") from error
    kept = ((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)).astype(np.uint8)
    opened = cv2.morphologyEx(kept, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    return np.asarray(opened, dtype=np.float32)  # without the thin line of a horizon
