"""Words that came out of the engine, moderated like those that went in: text in the picture, and speech.

Nothing of the words is kept: evidence holds counts, categories and which rule or head fired.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byline.safety.categories import UNSUPPORTED_LANGUAGE
from byline.safety.checks import Check
from byline.safety.moderation import Moderation, moderate
from byline.safety.policy_model import Policy
from byline.safety.screen import adapters
from byline.safety.screen.base import Frames

TEXT, TRANSCRIPT = "output.frame_text", "output.transcript"
_LANGUAGE_FROM = 24  # letters: fewer say too little about their language to hold a clip for it


def frame_text(frames: Frames, policy: Policy, profile: str, brand: str) -> Check:
    """Text that stands in any of the frames, judged as "frame_text"."""
    reader = adapters.load("frame_text")
    if reader is None:
        return Check(TEXT, "unavailable", detail="no reader of text is configured (SCREENERS)")
    lines = reader.read(frames)
    text = ". ".join(lines)
    evidence = {"frames": len(frames), "lines": len(lines), "characters": len(text)}
    if not text:
        return Check(TEXT, "available", evidence=evidence)
    found = moderate({"frame_text": text}, policy, profile, brand=brand)
    few = sum(map(str.isalpha, text)) < _LANGUAGE_FROM
    return _judged(TEXT, found, evidence, without=UNSUPPORTED_LANGUAGE if few else "")


def transcript(
    samples: np.ndarray, rate: int, language: str, policy: Policy, profile: str, brand: str
) -> Check:
    """What the voice says, judged as "transcript" whatever its script was."""
    transcriber = adapters.load("transcript")
    if transcriber is None:
        return Check(TRANSCRIPT, "unavailable", detail="no transcriber is configured (SCREENERS)")
    text = transcriber.transcribe(samples, rate, language)
    evidence = {"characters": len(text), "seconds": round(len(samples) / rate, 2)}
    if not text.strip():
        return Check(
            TRANSCRIPT, "available", "review", "nothing was understood of the speech", "deception",
            evidence=evidence,
        )  # fmt: skip
    return _judged(TRANSCRIPT, moderate({"transcript": text}, policy, profile, brand=brand), evidence)


def _judged(name: str, found: Moderation, evidence: dict[str, Any], without: str = "") -> Check:
    """One check for all that moderation found; one of its own checks that broke breaks this one."""
    if broken := next((c for c in found.checks if c.status == "failed"), None):
        return Check(name, "failed", detail=broken.detail, evidence=evidence)
    counted = [c for c in found.checks if c.action != "allow" and not (without and c.category == without)]
    if not counted:
        return Check(name, "available", evidence=evidence)
    worst = max(counted, key=lambda c: (c.action == "block", c.score or 0.0))
    return Check(
        name,
        "available",
        worst.action,
        f"{worst.category} in what was made",
        worst.category,
        worst.clause,
        score=worst.score,
        evidence=evidence | {"by": sorted(c.name for c in counted)},
    )
