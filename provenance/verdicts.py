"""What a verification may say: verdicts, exit codes and the report, in plain words.

Promises: one verdict per file with the exit code that scripts rely on; every technique is named
with what came of it, and one that could not run is "not checked" with the reason, never passed.
Words: "verified under the roots you supplied", never "trusted"; "nothing found" is followed by
what it does not mean. The JSON keys are stable: new ones may come, none goes. What a technique can
tell, its limit and its error rates come from techniques.py.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from byline.provenance import techniques


class Verdict(Enum):
    """(machine name, exit code, headline). The codes are those of `byline verify`."""

    INTACT = ("intact", 0, "Intact: not changed since signing, signer verified under the roots you supplied.")
    TAMPERED = ("tampered", 10, "Tampered: the file is not as it was signed.")
    TRANSPLANTED = (
        "transplanted",
        10,
        "Transplanted or heavily altered: a mark or proof in it belongs to other content.",
    )
    UNKNOWN_SIGNER = (
        "unknown_signer",
        11,
        "Valid, but the signer is not verified under the roots you supplied."
        " Anyone can make such a signature.",
    )
    UNPROVEN = (
        "unproven",
        11,
        "Valid and the signer is verified, but nothing shows that it is in the log you supplied.",
    )
    RECOVERED = (
        "recovered",
        12,
        "Recovered by mark: the signed manifest is not in the file; our mark led to it.",
    )
    SIMILAR = (
        "similar",
        13,
        "Similar to a record: no mark could be read, but the pictures resemble a clip on record.",
    )
    NOTHING_FOUND = (
        "nothing_found",
        14,
        "Nothing found. That does not mean that it is not AI, only that no technique found anything.",
    )
    MARK_NOT_CHECKED = (
        "mark_not_checked",
        14,
        "No manifest in the file, and the mark was not checked: that needs an operator's records. "
        "This does not mean that it is not AI.",
    )
    NO_RECORD = (
        "no_record",
        14,
        "A mark was read, but no usable record answers to it.",
    )
    UNREADABLE = ("unreadable", 15, "Unreadable: not a media file that we can open.")
    WITHDRAWN = (
        "withdrawn",
        16,
        "Consent withdrawn: this is what the newsroom published, and a person in it has withdrawn consent.",
    )
    TAKEN_DOWN = (
        "taken_down",
        16,
        "Taken down: this is what the newsroom published, and it was taken down since.",
    )

    def __init__(self, label: str, exit_code: int, headline: str) -> None:
        self.label, self.exit_code, self.headline = label, exit_code, headline


Status = Literal["passed", "failed", "found", "not found", "not checked", "note"]


@dataclass(frozen=True)
class Finding:
    """What one technique said. `details` is JSON-able and holds no prompt, no editor and no key."""

    technique: str
    status: Status
    text: str
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """technique, status, text, tells, limit, error_rate, rates, details."""
        known = techniques.table()[self.technique]
        return {
            "technique": self.technique,
            "status": self.status,
            "text": self.text,
            "tells": known.tells,
            "limit": known.limit,
            "error_rate": known.error_rate,
            "rates": list(known.rates),
            "details": self.details,
        }


@dataclass(frozen=True)
class Report:
    """The answer about one file. `record` is the public id of the clip on record that it led to."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    file: dict[str, Any]
    manifest: dict[str, Any] | None = None
    record: str | None = None
    explanation: str = ""

    @property
    def exit_code(self) -> int:
        return self.verdict.exit_code

    @property
    def summary(self) -> str:
        """One or two sentences for people."""
        return f"{self.verdict.headline} {self.explanation}".strip()

    def as_dict(self) -> dict[str, Any]:
        """Stable JSON: v, verdict, exit_code, summary, lines, findings, manifest, record, file."""
        return {
            "v": 1,
            "verdict": self.verdict.label,
            "exit_code": self.exit_code,
            "summary": self.summary,
            "lines": self.lines(),
            "findings": [finding.as_dict() for finding in self.findings],
            "manifest": self.manifest,
            "record": self.record,
            "file": self.file,
        }

    def lines(self) -> list[str]:
        """The same for a terminal: the summary, then one line per technique."""
        width = max((len(finding.technique) for finding in self.findings), default=0)
        return [
            self.summary,
            *(f"  {f.technique:<{width}}  {f.status}: {f.text}" for f in self.findings),
        ]
