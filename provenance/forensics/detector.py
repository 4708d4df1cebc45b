"""Was this file made by AI? One service for the command and the API: provenance first, cues last.

Promises: the verifier's own answer is the first evidence, so that detection and verification never
contradict each other; every source is listed with what it found, its limits and its version, and one
that could not run says why; forensic sources carry a ratio only through this installation's
calibration. Trust and records are the caller's; no network, nothing is stored; hostile media is
decoded in a jailed child. Leaves out: who is shown, whether it is true, and edits by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byline.audit.base.errors import BylineError
from byline.provenance import decode, reading, techniques, verifier
from byline.provenance.forensics import audio_features, frequency, fusion, metadata, temporal
from byline.provenance.forensics.base import Evidence, Extractor, Features, NotApplicable, Sample, sample_of
from byline.provenance.forensics.calibration import Calibration, Model
from byline.provenance.forensics.fusion import DetectionVerdict, Fused
from byline.provenance.reading import ManifestReading
from byline.provenance.records import RecordSource
from byline.provenance.status import StatusSource
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report

VERSION = "detect-1"
EXTRACTORS: tuple[Extractor, ...] = (
    temporal.EXTRACTOR,
    frequency.EXTRACTOR,
    metadata.EXTRACTOR,
    audio_features.EXTRACTOR,
)
UNCALIBRATED = (
    "measured, but uncalibrated: it contributes nothing until `byline provenance calibrate DIR` has run"
)
_KNOWN_SIGNER = ("intact", "unproven")
_OURS = ("withdrawn", "taken_down")
_NOT_OURS = ("transplanted", "no_record")
_MARKS = ("picture mark", "speech mark")
_LIKENESS = ("fingerprint", "sound fingerprint")


@dataclass(frozen=True)
class Detection:
    """The answer about one file. `scores` are the raw features of each source that could be measured."""

    fused: Fused
    evidence: tuple[Evidence, ...]
    scores: tuple[Features, ...]
    provenance: Report
    sample: Sample | None

    def as_dict(self) -> dict[str, Any]:
        """Stable JSON for the API and `byline detect --json`."""
        return {
            "v": 1,
            "version": VERSION,
            "verdict": self.fused.verdict.label,
            "leaning": self.fused.leaning,
            "summary": self.fused.summary,
            "fusion": self.fused.as_dict() | {"declaration_ratio_assumed": fusion.DECLARATION_LLR},
            "evidence": [item.as_dict() for item in self.evidence],
            "sub_scores": {score.source: self._score(score) for score in self.scores},
            "provenance": {
                "verdict": self.provenance.verdict.label,
                "summary": self.provenance.summary,
                "record": self.provenance.record,
            },
            "media": self._media(),
        }

    def _score(self, score: Features) -> dict[str, Any]:
        item = next(item for item in self.evidence if item.source == score.source)
        return {
            "version": score.version,
            "state": "calibrated" if item.calibration_set else "uncalibrated",
            "log_likelihood_ratio": item.as_dict()["log_likelihood_ratio"],
            "features": {
                name: round(float(value), 4) for name, value in zip(score.names, score.values, strict=True)
            },
        }

    def _media(self) -> dict[str, Any] | None:
        if self.sample is None:
            return None
        media = self.sample.media
        return {
            "kind": self.sample.kind,
            "format": self.sample.mime,
            "width": media.width,
            "height": media.height,
            "seconds": round(media.duration, 2),
            "frames_looked_at": len(media.frames),
        }

    def lines(self) -> list[str]:
        """The same for a terminal: the summary, then one line per source."""
        width = max((len(item.source) for item in self.evidence), default=0)
        said = [f"  {item.source:<{width}}  {item.finding}" for item in self.evidence]
        return [self.fused.summary, *said]


def detect(
    path: Path,
    *,
    trust: TrustBundle,
    records: RecordSource | None,
    status: StatusSource | None = None,
    calibration: Calibration | None = None,
    classifiers: Sequence[Extractor | tuple[str, BylineError]] = (),
    offline: bool = False,
) -> Detection:
    """Weigh what is known of one file. Unreadable when it is no media and carries no manifest either.

    `classifiers` are extractors, or (source, error) for one that is configured but cannot run here.
    """
    report = verifier.verify(path, trust=trust, records=records, status=status, offline=offline)
    held = reading.read(path, trust)
    try:
        sample: Sample | None = sample_of(path, decode.decode_untrusted(path))
    except decode.Unreadable:
        if held.presence not in ("read", "damaged"):
            raise
        sample = None
    evidence = provenance_evidence(report, held)
    evidence.append(_declaration(path, sample, report, held))
    scores: list[Features] = []
    usable = [item for item in classifiers if isinstance(item, Extractor)]
    for extractor in (*EXTRACTORS, *usable):
        item, features = _forensic(extractor, sample, calibration or Calibration())
        evidence.append(item)
        scores += [features] if features is not None else []
    for source, error in (item for item in classifiers if not isinstance(item, Extractor)):
        evidence.append(Evidence(source, "forensic", False, f"not checked: {error}", "", "unavailable"))
    clips = {extractor.source: extractor.clip for extractor in (*EXTRACTORS, *usable)}
    return Detection(fusion.fuse(evidence, clips=clips), tuple(evidence), tuple(scores), report, sample)


# ---------------------------------------------------------------- provenance


def source_types(held: ManifestReading) -> set[str]:
    """The IPTC digital source types that the actions of a manifest name, without their address."""
    found: set[str] = set()
    for assertion in held.assertions:
        data = assertion.get("data")
        if not str(assertion.get("label", "")).startswith("c2pa.actions") or not isinstance(data, dict):
            continue
        for action in data.get("actions") or ():
            if isinstance(action, dict) and isinstance(action.get("digitalSourceType"), str):
                found.add(action["digitalSourceType"].rpartition("/")[2])
    return found


def provenance_evidence(report: Report, held: ManifestReading) -> list[Evidence]:
    """Credential, marks and likeness as evidence, from the verifier's report and the manifest's reading."""
    by_name = {finding.technique: finding for finding in report.findings}
    evidence = [_credential(report, held, by_name)]
    evidence += [_mark(report, by_name[name]) for name in _MARKS if name in by_name]
    evidence += [_registry(report, by_name[name]) for name in _LIKENESS if name in by_name]
    return evidence


def _limit(technique: str) -> str:
    return techniques.table()[technique].limit


def _credential(report: Report, held: ManifestReading, by_name: dict[str, Finding]) -> Evidence:
    label, types = report.verdict.label, source_types(held)
    known = held.presence == "read" and held.signer_known and label in (*_KNOWN_SIGNER, *_OURS)
    made = sorted(types & metadata.SYNTHETIC_TYPES)
    proof = by_name.get("audit proof")
    marked = any(by_name[name].details.get("record") for name in _MARKS if name in by_name)
    ours = label in _OURS or marked or (proof is not None and proof.status == "passed")
    here, elsewhere = DetectionVerdict.GENERATED_HERE, DetectionVerdict.GENERATED_ELSEWHERE
    decides = ""
    if held.presence != "read":
        text = f"{held.detail}; that says nothing about how the file was made"
    elif not known:
        text = f"not usable as evidence of origin ({label.replace('_', ' ')})"
    elif made:
        decides = (here if ours else elsewhere).label
        text = f"{held.signer}, verified under the roots you supplied, states {', '.join(made)}"
    elif types & metadata.CAPTURE_TYPES:
        decides = DetectionVerdict.LIKELY_CAPTURE.label
        text = f"{held.signer}, verified under the roots you supplied, states a capture by a device"
    else:
        text = f"{held.signer}, verified under the roots you supplied, does not say how it was made"
    return Evidence(
        "credential",
        "credential",
        held.presence == "read",
        text,
        _limit("manifest"),
        "c2pa-2.4",
        # Most pictures, real and not, carry no manifest: absence weighs exactly nothing.
        llr=None if decides else 0.0,
        decides=decides,
        details={"digital_source_types": sorted(types), "verification": label},
    )


def _mark(report: Report, finding: Finding) -> Evidence:
    record = finding.details.get("record")
    contradicted = report.verdict.label in _NOT_OURS or any(
        item.technique in _LIKENESS and item.status == "failed" for item in report.findings
    )
    decides = DetectionVerdict.GENERATED_HERE.label if record and not contradicted else ""
    text = finding.text
    if record and contradicted:
        text = f"{text}; but the content is not that of its record, so the mark may have been copied here"
    known = techniques.table()[finding.technique]
    return Evidence(
        finding.technique,
        "mark",
        finding.status in ("found", "not found"),
        text,
        known.limit,
        "byline-mark",
        decides=decides,
        details={"rates": list(known.rates), "record": record},
    )


def _registry(report: Report, finding: Finding) -> Evidence:
    found = finding.status == "found" and report.verdict.label in ("similar", *_OURS)
    text = finding.text
    if found:
        text = f"{text}; an original that the clip was made from could look alike"
    return Evidence(
        finding.technique,
        "registry",
        finding.status in ("found", "not found", "passed", "failed"),
        text,
        _limit(finding.technique),
        "byline-fingerprint",
        decides=DetectionVerdict.GENERATED_HERE.label if found else "",
        details=dict(finding.details),
    )


def _declaration(path: Path, sample: Sample | None, report: Report, held: ManifestReading) -> Evidence:
    read = metadata.read(path, sample.mime if sample else "")
    said = list(read.declared)
    made = source_types(held) & metadata.SYNTHETIC_TYPES
    if held.presence == "read" and made and report.verdict.label == "unknown_signer":
        said.append(f"a manifest of an unknown signer states {', '.join(sorted(made))}")
    if said:
        text = f"the file says that it was made by AI: {'; '.join(said)}"
    else:
        text = "the file does not say that it was made by AI; that says nothing"
    return Evidence(
        "declaration",
        "declaration",
        bool(said),
        text,
        "Anyone can write or remove it. Its ratio is assumed, not measured.",
        metadata.EXTRACTOR.version,
        llr=fusion.DECLARATION_LLR if said else 0.0,
        details={
            "declared": said,
            "capture_declared": list(read.captured),
            "software": list(read.software),
            "oddities": list(read.oddities),
        },
    )


# ---------------------------------------------------------------- forensic cues


def _forensic(
    extractor: Extractor, sample: Sample | None, calibration: Calibration
) -> tuple[Evidence, Features | None]:
    def line(finding: str, *, applicable: bool = True, **more: Any) -> Evidence:
        return Evidence(
            extractor.source, "forensic", applicable, finding, extractor.limits, extractor.version, **more
        )

    if sample is None:
        return line("not checked: the media cannot be decoded", applicable=False), None
    try:
        features = extractor.extract(sample)
    except NotApplicable as error:
        return line(f"not applicable: {error}", applicable=False), None
    except BylineError as error:
        return line(f"not checked: {error}", applicable=False), None
    model = calibration.model(sample.kind, extractor)
    if model is None:
        return line(UNCALIBRATED), features
    ratio, finding = _weigh(model, sample, features, extractor.clip)
    rates = model.rates()
    n = model.n_real + model.n_fake
    return line(finding, llr=ratio, calibration_set=model.calibration_set, n=n, details=rates), features


def _weigh(model: Model, sample: Sample, features: Features, clip: float) -> tuple[float, str]:
    """(clipped ratio, words), 0 where the calibration does not speak about this sample."""
    named = f"set {model.calibration_set}, n = {model.n_real + model.n_fake}"
    if not model.useful:
        return 0.0, f"calibrated, but no better than chance on its own set ({named}): counts nothing"
    if objection := model.objection(sample, features):
        return 0.0, f"outside what it was calibrated for: {objection} ({named}): counts nothing"
    ratio = min(max(model.ratio(features), -clip), clip)
    towards = "synthetic" if ratio > 0 else "camera or microphone"
    return ratio, (
        f"points towards {towards} ({named}; there it called {model.real_called_fake:.0%} of the real"
        f" and missed {model.fake_called_real:.0%} of the synthetic)"
    )
