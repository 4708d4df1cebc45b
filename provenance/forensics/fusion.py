"""From evidence to a verdict: what decides alone, what is weighed, and what is never said.

Order: a valid credential of a known signer decides; then our own mark; then the registry's
fingerprint; only then are log-likelihood ratios added, from a stated prior. Promises: the absence
of a manifest weighs nothing; `likely_synthetic` needs a probability of at least .95 and two kinds of
source, one of them not forensic; `likely_authentic_capture` comes from a capture credential alone;
forensics alone end at "inconclusive, leaning ...". A probability is given only with what it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from byline.provenance.forensics.base import Evidence

PRIOR = 0.5  # of the file being synthetic before anything is known; stated in every report
LIKELY = 0.95
LEANS = 0.5  # a sum of forensic ratios below this is not called a leaning
# What an unsigned declaration ("this is AI") counts. An assumption, not a measurement: people rarely
# label camera pictures as generated, but somebody who wants to discredit one may. With one forensic
# unit beside it the sum reaches LIKELY; alone it does not.
DECLARATION_LLR = 2.0


class DetectionVerdict(Enum):
    """(machine name, headline)."""

    GENERATED_HERE = (
        "generated_here",
        "Made by AI here, by the newsroom whose roots or records you supplied.",
    )
    GENERATED_ELSEWHERE = (
        "generated_elsewhere_declared",
        "Declared as made by AI by a signer verified under the roots you supplied.",
    )
    LIKELY_SYNTHETIC = ("likely_synthetic", "Likely synthetic: independent sources agree.")
    LIKELY_CAPTURE = (
        "likely_authentic_capture",
        "Likely an authentic capture: a signer verified under the roots you supplied states so.",
    )
    INCONCLUSIVE = (
        "inconclusive",
        "Inconclusive. That says neither that it is AI nor that it is not.",
    )

    def __init__(self, label: str, headline: str) -> None:
        self.label, self.headline = label, headline


@dataclass(frozen=True)
class Fused:
    """The verdict, whither an inconclusive one leans ("", "synthetic", "camera-made"), and the sum."""

    verdict: DetectionVerdict
    leaning: str
    log_odds: float | None

    @property
    def summary(self) -> str:
        if not self.leaning:
            return self.verdict.headline
        return f"Inconclusive, leaning {self.leaning}. That is no finding: such cues are often wrong."

    def as_dict(self) -> dict[str, Any]:
        if self.log_odds is None:
            return {"prior": PRIOR, "log_odds": None, "probability_synthetic": None}
        return {
            "prior": PRIOR,
            "log_odds": round(self.log_odds, 3),
            "probability_synthetic": round(1 / (1 + math.exp(-self.log_odds)), 3),
        }


def fuse(evidence: Sequence[Evidence], *, clips: dict[str, float] | None = None) -> Fused:
    """The verdict of all evidence. `clips` (source -> bound) says how far a forensic source may count.

    Forensic sources look at the same pixels, so their sum is held to the largest single bound.
    """
    decided = next((item for item in evidence if item.decides), None)
    if decided is not None:
        verdict = next(v for v in DetectionVerdict if v.label == decided.decides)
        return Fused(verdict, "", None)
    weighed = [item for item in evidence if item.llr is not None]
    declared = max((item.llr or 0.0 for item in weighed if item.family == "declaration"), default=0.0)
    forensic = [
        item
        for item in weighed
        if item.family == "forensic" and not (declared and item.source == "metadata")  # the same text twice
    ]
    bounds = [(clips or {}).get(item.source, 1.0) for item in forensic]
    bound = max(bounds, default=0.0)
    held = sum(min(max(item.llr or 0.0, -b), b) for item, b in zip(forensic, bounds, strict=True))
    held = min(max(held, -bound), bound)
    if not forensic and not declared:
        return Fused(DetectionVerdict.INCONCLUSIVE, "", None)
    log_odds = math.log(PRIOR / (1 - PRIOR)) + declared + held
    if declared > 0 and held > 0 and log_odds >= math.log(LIKELY / (1 - LIKELY)):
        return Fused(DetectionVerdict.LIKELY_SYNTHETIC, "", log_odds)
    leaning = "synthetic" if log_odds >= LEANS else "camera-made" if log_odds <= -LEANS else ""
    return Fused(DetectionVerdict.INCONCLUSIVE, leaning, log_odds)
