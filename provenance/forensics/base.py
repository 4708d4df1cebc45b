"""The shapes that forensic cues share: a sample, a feature vector, an extractor, one item of evidence.

Promises: an extractor names itself, its version and every number it gives, so that a calibration
made with another version is refused. A cue alone never carries a verdict: it becomes evidence with
a log-likelihood ratio only through a stored calibration (calibration.py). Log-likelihood ratios
are natural logarithms of P(observation | synthetic) / P(observation | camera or microphone).
Leaves out: error level analysis (chance on our test set; it is not evidence of generation) and
PRNU, which needs the camera.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from byline.provenance import formats
from byline.provenance.decode import DecodedMedia

Kind = Literal["image", "video", "audio"]
Family = Literal["credential", "mark", "registry", "declaration", "forensic"]
Vector = NDArray[np.float64]


class NotApplicable(Exception):
    """A cue cannot be taken from this sample; the message says why, in words for the reader."""


@dataclass(frozen=True)
class Sample:
    """One file, decoded. `kind` comes from its bytes and streams, never from its name."""

    path: Path
    kind: Kind
    mime: str
    media: DecodedMedia

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size


def sample_of(path: Path, media: DecodedMedia) -> Sample:
    """The sample of a decoded file. A picture file that moves (GIF, animated WebP) counts as video."""
    found = formats.sniff(path)
    mime = found.mime if found is not None else "application/octet-stream"
    if not media.frames:
        kind: Kind = "audio"
    elif len(media.frames) == 1 and mime.startswith("image/"):
        kind = "image"
    else:
        kind = "video"
    return Sample(path, kind, mime, media)


@dataclass(frozen=True)
class Features:
    """What one extractor measured: `values` (len(names),) float64, all finite."""

    source: str
    version: str
    names: tuple[str, ...]
    values: Vector


@dataclass(frozen=True)
class Extractor:
    """One sub-score. `compute(sample)` gives (len(names),) numbers or raises NotApplicable."""

    source: str
    version: str
    kinds: frozenset[Kind]
    names: tuple[str, ...]
    limits: str
    compute: Callable[[Sample], NDArray[np.floating]]
    # How far a calibrated log-likelihood ratio of this source may count. Hand-made cues transfer
    # badly (AUC .92 on one corpus was .60 on the next), so they are held to 1; a trained classifier
    # may say more.
    clip: float = 1.0

    def extract(self, sample: Sample) -> Features:
        """Features of a sample. NotApplicable when its kind or content does not carry this cue."""
        if sample.kind not in self.kinds:
            raise NotApplicable(f"{self.source} features are not taken from {sample.kind} files")
        values = np.asarray(self.compute(sample), np.float64)
        if values.shape != (len(self.names),):
            raise ValueError(f"{self.source} gave {values.shape} numbers for {len(self.names)} names")
        if not np.isfinite(values).all():
            raise NotApplicable("the content is too uniform to measure")
        return Features(self.source, self.version, self.names, values)


@dataclass(frozen=True)
class Evidence:
    """One line of a detection report.

    `llr` is None where the source says nothing that can be weighed (uncalibrated, or it decides by
    itself); 0 where it was looked at and says nothing. `calibration_set` and `n` stand wherever a
    rate stands in `details`. `decides` is the label of the verdict that this item settles alone.
    """

    source: str
    family: Family
    applicable: bool
    finding: str
    limits: str
    version: str
    llr: float | None = None
    calibration_set: str | None = None
    n: int | None = None
    decides: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "family": self.family,
            "applicable": self.applicable,
            "finding": self.finding,
            "log_likelihood_ratio": None if self.llr is None else round(self.llr, 3),
            "calibration_set": self.calibration_set,
            "n": self.n,
            "decides": self.decides,
            "limits": self.limits,
            "version": self.version,
            "details": self.details,
        }
