"""Faces by MTCNN, weights in its wheel: found or not, never whose.

A face that could be a real person's needs a consent. Nothing that could tell who it is is computed or
kept: evidence holds counts and scores.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.safety.checks import Check

PROBABILITY = 0.97
SIZE = 0.06  # of the short side; smaller ones cannot be recognised by a viewer
FRAMES = 3  # a single frame with a face is most often a false one
_running = threading.Lock()  # the detector keeps state per call


@functools.cache
def _detector(smallest: int) -> Any:
    facenet = heavy.load("facenet_pytorch")
    return facenet.MTCNN(keep_all=True, min_face_size=smallest, device="cpu", post_process=False)


def faces(sampled: Sequence[np.ndarray], *, drawn_by_us: bool, consented: int) -> Check:
    """Hold a shot that shows more faces than the `consented` ones that its references cover.

    `drawn_by_us`: the engine can only draw invented people, so that a face is recorded and not held.
    """
    torch = heavy.load("torch")
    short = min(sampled[0].shape[:2])
    detector = _detector(max(20, round(SIZE * short)))
    with _running, torch.no_grad():
        boxes, chances = detector.detect([np.ascontiguousarray(picture) for picture in sampled])
    counts = [_large(found, chance, short) for found, chance in zip(boxes, chances, strict=True)]
    with_face = sum(count > 0 for count in counts)
    best = max((float(c) for chance in chances for c in chance if c is not None), default=0.0)
    present = with_face >= min(FRAMES, len(sampled))
    evidence = {
        "frames": len(sampled),
        "frames_with_face": with_face,
        "most_faces": max(counts),
        "drawn_by_us": drawn_by_us,
        "consented": consented,
    }
    score = round(best, 4)
    if not present or drawn_by_us or max(counts) <= consented:
        detail = ""
        if present:
            detail = "drawn face, recorded" if drawn_by_us else "a face, covered by the references' consent"
        return Check("output.faces", "available", detail=detail, score=score, evidence=evidence)
    detail = "a face that could be a real person's, without a consent on file"
    return Check("output.faces", "available", "review", detail, "real_person", score=score, evidence=evidence)


def _large(boxes: Any, chances: Any, short: int) -> int:
    """How many sure faces are large enough to recognise someone."""
    if boxes is None:
        return 0
    sides = [min(box[2] - box[0], box[3] - box[1]) for box in boxes]
    return sum(
        float(chance) >= PROBABILITY and side >= SIZE * short
        for side, chance in zip(sides, chances, strict=True)
        if chance is not None
    )
