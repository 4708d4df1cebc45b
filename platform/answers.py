"""A verification report in plain words for the page: what was found, what that means and what it does not.

Promises: nothing is said that the report does not say; each verdict has a headline of a few words, one
sentence of meaning and one of what it does not mean; no verdict is told by colour alone. Pure apart
from signing the receipt. Left out: judging. Verdicts are made in byline.provenance.verdicts.
"""

import base64
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from byline.audit.base.errors import BylineError
from byline.platform import history, inspection, status

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Words:
    """`tone`: good, warn, bad, info or plain; it chooses colour and symbol, the words carry the meaning."""

    tone: str
    headline: str
    means: str
    not_means: str


_WORDS = {
    "intact": Words(
        "good",
        "Signed and unchanged",
        "Not one byte of the media has changed since it was signed, and the entry in the public log holds.",
        "that what it shows is true. A signature says who stands behind a file, no more.",
    ),
    "tampered": Words(
        "bad",
        "Changed after it was signed",
        "The file carries a signature that no longer fits its content.",
        "who changed it, or why. Some apps do this by accident when they save a copy.",
    ),
    "transplanted": Words(
        "bad",
        "Mark and content do not belong together",
        "A mark or a proof in this file was made for other content. Somebody may have copied it here.",
        "who did it.",
    ),
    "unknown_signer": Words(
        "warn",
        "Signed by somebody we do not know",
        "The signature fits the file, but we do not know whose it is. Anyone can make such a signature.",
        "that the name in it is real.",
    ),
    "unproven": Words(
        "warn",
        "Signed, but not found in the log",
        "The signature fits and we know the signer, but nothing shows that the file is in the public log.",
        "that something is wrong with it; the log may simply be another one.",
    ),
    "recovered": Words(
        "info",
        "A published clip, recognised by its invisible mark",
        "The signature was lost on the way, for example when it was uploaded somewhere. The mark in the "
        "pictures or the sound led to the clip below.",
        "that this copy is unedited. Compare the two below.",
    ),
    "similar": Words(
        "info",
        "It looks or sounds like a published clip",
        "No mark could be read, but it is like the clip below.",
        "that it is that clip. Compare the two below.",
    ),
    "nothing_found": Words(
        "plain",
        "Nothing found",
        "None of the techniques below found anything that this newsroom made or signed.",
        "that it is real, or not made by AI. Most files carry no mark at all.",
    ),
    "mark_not_checked": Words(
        "plain",
        "Not everything could be checked",
        "There is no signature in the file, and the marks could not be looked for here.",
        "that it is real, or not made by AI.",
    ),
    "no_record": Words(
        "warn",
        "A mark, but no record",
        "A mark of this newsroom was read, but no usable record belongs to it.",
        "which clip it is.",
    ),
    "unreadable": Words(
        "plain",
        "This is not a file we can open",
        "We read the usual video, sound and picture formats. This file is damaged or is something else.",
        "anything about where it comes from.",
    ),
    "withdrawn": Words(
        "warn",
        "Consent was withdrawn",
        "This newsroom published it, and a person in it has since withdrawn consent. Please do not share it.",
        "that it is false.",
    ),
    "taken_down": Words(
        "warn",
        "This clip was taken down",
        "This newsroom published it and has taken it down since. Please do not share it.",
        "that it is false. Clips are taken down for many reasons.",
    ),
}
_UNKNOWN = Words(
    "plain", "The answer", "See what each technique found below.", "more than the lines below say."
)
_TONES = {"passed": "good", "failed": "bad", "found": "info", "not found": "plain", "note": "plain"}
_MAX_LINK = 2 << 20


@dataclass(frozen=True)
class Explained:
    """Everything that byline/answer.html shows."""

    words: Words
    report: dict[str, Any]
    name: str
    sha256: str
    size: int
    findings: list[dict[str, Any]]
    history: tuple[history.Ancestor, ...]
    making: tuple[str, ...]
    signed_at: datetime | str
    clip: dict[str, Any] | None
    downloads: list[dict[str, str]] = field(default_factory=list)


def explain(answer: inspection.Answer, name: str) -> Explained:
    """The answer for people. `name` is the file's name as the browser told it; it is shown and not kept."""
    report = answer.report
    return Explained(
        words=_WORDS.get(str(report.get("verdict")), _UNKNOWN),
        report=report,
        name=name[:120],
        sha256=answer.sha256,
        size=answer.size,
        findings=[_finding(found) for found in report["findings"]],
        history=history.ancestors(report.get("manifest"), answer.crjson),
        making=history.making(answer.crjson),
        signed_at=_moment(str((report.get("manifest") or {}).get("signed_at") or "")),
        clip=_clip(report.get("record")),
        downloads=list(_downloads(answer)),
    )


def _finding(found: dict[str, Any]) -> dict[str, Any]:
    text = str(found["text"])
    if found["technique"] != "ancestors":  # those begin with a file's name
        text = text[:1].upper() + text[1:]
    return {**found, "text": text, "tone": _TONES.get(found["status"], "plain")}


def _moment(text: str) -> datetime | str:
    """A manifest's time as a time; as it stands when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return found.astimezone(UTC) if found.tzinfo else text


def _clip(record_id: str | None) -> dict[str, Any] | None:
    """The published clip that the file led to. Its picture only while it is public."""
    state = status.of(record_id) if record_id else None
    if state is None:
        return None
    return {"id": record_id, "state": state, "playable": state.state in status.OPEN}


def _downloads(answer: inspection.Answer) -> Iterable[dict[str, str]]:
    """Receipt and crJSON as data: addresses, so that nothing has to be kept to be fetched later."""
    for form, label, kind in (
        ("pdf", "Signed receipt (PDF)", "application/pdf"),
        ("json", "Signed receipt (JSON)", "application/json"),
    ):
        try:
            yield _link(label, f"byline-receipt.{form}", kind, inspection.receipt(answer, form))
        except BylineError as error:
            logger.warning("no receipt: %s", error)
            return
    if answer.crjson is not None:
        yield _link(
            "Content credentials (crJSON)",
            "crjson.json",
            "application/json",
            json.dumps(answer.crjson).encode(),
        )


def _link(label: str, name: str, kind: str, data: bytes) -> dict[str, str]:
    if len(data) > _MAX_LINK:
        return {"label": f"{label}: too large for this page; ask the API for it", "name": "", "href": ""}
    return {"label": label, "name": name, "href": f"data:{kind};base64,{base64.b64encode(data).decode()}"}
