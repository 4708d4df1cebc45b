"""Looks at a shot: nudity, faces, and whether there is anything to see at all.

Nudity by NudeNet and faces by MTCNN, both with the weights in their wheels, on a few frames brought to
one size. Their recall on generated and drawn pictures is not known (no such test set may be kept), so
these checks support a reviewer and the rules on the prompt; they do not replace them. Who a face
belongs to is never asked, and nothing that could tell is kept: evidence holds counts and scores.
"""

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from byline.audit.base import heavy
from byline.safety.checks import Action, Check

REVIEW_AT, BLOCK_AT = 0.5, 0.8  # NudeNet's score of an exposed part
FACE_PROBABILITY = 0.97
FACE_SIZE = 0.06  # of the short side; smaller ones cannot be recognised by a viewer
FACE_FRAMES = 3  # a single frame with a face is most often a false one
BLANK_SPREAD = 10.0  # levels between the darkest and the lightest small part, in any channel
FROZEN_CHANGE = 3.0  # levels that some small part must differ by at some time
_MOST, _FEWEST, _PER_SECOND = 8, 3, 2
_SMALLEST, _LARGEST = 448, 640  # width for the detectors; small shots are enlarged
_EXPOSED = {
    "FEMALE_GENITALIA_EXPOSED",
    "MALE_GENITALIA_EXPOSED",
    "FEMALE_BREAST_EXPOSED",
    "BUTTOCKS_EXPOSED",
    "ANUS_EXPOSED",
}


def screen(
    frames: Sequence[np.ndarray], fps: float, *, drawn_by_us: bool, most: int = _MOST
) -> tuple[Check, ...]:
    """Check one shot: (T, h, w, 3) uint8 RGB at `fps`, looking at up to `most` of its frames.

    `drawn_by_us`: the engine can only draw invented people, so that a face is recorded and not held.
    """
    if not len(frames):
        return tuple(
            Check(name, "failed", detail="the shot has no frames")
            for name in ("output.blank_or_frozen", "output.nudity", "output.faces")
        )
    seconds = len(frames) / fps
    count = min(len(frames), most, max(_FEWEST, math.ceil(seconds * _PER_SECOND)))
    sampled = [
        _resized(frames[index]) for index in np.linspace(0, len(frames) - 1, count).round().astype(int)
    ]
    return (
        _guarded("output.blank_or_frozen", lambda: _blank_or_frozen(frames)),
        _guarded("output.nudity", lambda: _nudity(sampled)),
        _guarded("output.faces", lambda: _faces(sampled, drawn_by_us)),
    )


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """The check, or why it could not run; its own exceptions must hold the request, not end the job."""
    try:
        return check()
    except ImportError as error:
        return Check(name, "unavailable", detail=f"not installed: {error.name}")
    except Exception as error:  # noqa: BLE001  whatever broke inside a detector, the answer is "failed"
        return Check(name, "failed", detail=f"the check broke: {type(error).__name__}")


def _resized(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    wide = min(_LARGEST, max(_SMALLEST, width))
    if wide == width:
        return frame
    way = cv2.INTER_AREA if wide < width else cv2.INTER_CUBIC
    return cv2.resize(frame, (wide, round(height * wide / width)), interpolation=way)


def _blank_or_frozen(frames: Sequence[np.ndarray]) -> Check:
    """Block a shot that is one plain colour for most of its time, or in which nothing ever moves."""
    picked = np.linspace(0, len(frames) - 1, min(len(frames), 48)).round().astype(int)
    small = [_small(frames[index]) for index in picked]
    spread = np.array([np.ptp(picture, axis=(0, 1)).max() for picture in small])
    blank = float((spread < BLANK_SPREAD).mean())
    # The largest change of any small part, after averaging away the noise of single pixels.
    change = max((float(cv2.absdiff(one, small[0]).max()) for one in small[1:]), default=0.0)
    evidence = {"blank_share": round(blank, 3), "largest_change": round(change, 2), "frames": len(small)}
    if blank > 0.5:
        return _bad("output.blank_or_frozen", "blank", "the picture is blank", evidence)
    if change < FROZEN_CHANGE:
        return _bad("output.blank_or_frozen", "frozen", "the picture never changes", evidence)
    return Check("output.blank_or_frozen", "available", evidence=evidence)


def _small(frame: np.ndarray) -> np.ndarray:
    """Small and smooth, so that neither noise nor grain counts; in colour, as lightness can be equal."""
    small = cv2.resize(np.ascontiguousarray(frame), (64, 36), interpolation=cv2.INTER_AREA)
    return cv2.blur(small.astype(np.float32), (3, 3))


def _bad(name: str, category: str, detail: str, evidence: dict[str, Any]) -> Check:
    return Check(name, "available", "block", detail, category, evidence=evidence)


_running = threading.Lock()  # the detectors keep state per call


@functools.cache
def _nude_detector() -> Any:
    from nudenet import NudeDetector

    return NudeDetector()


def _nudity(sampled: list[np.ndarray]) -> Check:
    detector = _nude_detector()
    worst, part, frames = 0.0, "", 0
    for picture in sampled:
        # NudeNet expects the channel order that OpenCV reads, not ours.
        with _running:
            found = detector.detect(np.ascontiguousarray(picture[..., ::-1]))
        exposed = [(float(item["score"]), str(item["class"])) for item in found if item["class"] in _EXPOSED]
        score, name = max(exposed, default=(0.0, ""))
        frames += score >= REVIEW_AT
        if score > worst:
            worst, part = score, name
    action: Action = "block" if worst >= BLOCK_AT else "review" if worst >= REVIEW_AT else "allow"
    seen = action != "allow"
    return Check(
        "output.nudity",
        "available",
        action,
        "the picture may show nudity" if seen else "",
        "sexual" if seen else "",
        score=round(worst, 3),
        evidence={"frames": len(sampled), "frames_over": frames, "part": part.lower() if seen else ""},
    )


@functools.cache
def _face_detector(smallest: int) -> Any:
    facenet = heavy.load("facenet_pytorch")
    return facenet.MTCNN(keep_all=True, min_face_size=smallest, device="cpu", post_process=False)


def _faces(sampled: list[np.ndarray], drawn_by_us: bool) -> Check:
    torch = heavy.load("torch")
    short = min(sampled[0].shape[:2])
    detector = _face_detector(max(20, round(FACE_SIZE * short)))
    with _running, torch.no_grad():
        boxes, chances = detector.detect([np.ascontiguousarray(picture) for picture in sampled])
    counts = [_large(found, chance, short) for found, chance in zip(boxes, chances, strict=True)]
    with_face = sum(count > 0 for count in counts)
    best = max((float(c) for chance in chances for c in chance if c is not None), default=0.0)
    present = with_face >= min(FACE_FRAMES, len(sampled))
    evidence = {
        "frames": len(sampled),
        "frames_with_face": with_face,
        "most_faces": max(counts),
        "drawn_by_us": drawn_by_us,
    }
    if not present or drawn_by_us:
        detail = "drawn face, recorded" if present else ""
        return Check("output.faces", "available", detail=detail, score=round(best, 4), evidence=evidence)
    return Check(
        "output.faces",
        "available",
        "review",
        "a face that could be a real person's, without a consent on file",
        "real_person",
        score=round(best, 4),
        evidence=evidence,
    )


def _large(boxes: Any, chances: Any, short: int) -> int:
    """How many sure faces are large enough to recognise someone."""
    if boxes is None:
        return 0
    sides = [min(box[2] - box[0], box[3] - box[1]) for box in boxes]
    return sum(
        float(chance) >= FACE_PROBABILITY and side >= FACE_SIZE * short
        for side, chance in zip(sides, chances, strict=True)
        if chance is not None
    )
