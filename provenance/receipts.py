"""Signed receipts of a verification: what a detector said about which bytes, when, by which techniques.

Promises: a receipt names the content by its SHA-256, the detector's address, the time, the verdict
and every technique with its method, limit and error rate, signed with the installation's receipt
key (statements.py), so that anybody with the trust bundle can check later that this site said so.
It holds no personal data: no file name, no title, no signer's or ancestor's name, no address of who
asked. A receipt is proof of an answer, never that the answer is right. (EU Code of Practice on
marking and labelling, measure 2.1.2: digitally signed downloadable result.)
Left out: a third party's time stamp; the time is the detector's own.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from byline.audit.base import keyring
from byline.audit.base.errors import InvalidInput
from byline.provenance import statements, techniques
from byline.provenance.verdicts import Report

KIND = "byline-receipt"
MEANING = (
    "This receipt proves what the detector answered about these bytes at this time. It does not prove that "
    "the answer is right, and “nothing found” never means that the content is not AI."
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SOFTWARE = ("byline", "c2pa-python", "imagehash")
# What these findings say may name people or their files; a receipt keeps the codes and the status only.
_MAY_NAME = {"signer", "ancestors", "identity", "registry", "revocation"}


class BadReceiptInput(InvalidInput):
    """The hash or the report to put into a receipt is none."""

    code = "bad_receipt_input"


def make_receipt(
    report: Report | Mapping[str, Any], content_sha256: str, detector_url: str
) -> dict[str, Any]:
    """The signed receipt as a JSON object. `report` is the verifier's, or its `as_dict` form.

    `content_sha256` is hex of the bytes that were verified, `detector_url` where they were. Raises
    BadReceiptInput, KeyUnavailable.
    """
    said = report.as_dict() if isinstance(report, Report) else report
    if not _SHA256.fullmatch(content_sha256):
        raise BadReceiptInput("the content's hash is not 64 lowercase hex digits")
    try:
        body = _body(said, content_sha256, detector_url)
    except (KeyError, TypeError) as error:
        raise BadReceiptInput("the report is not one of the verifier") from error
    vkey = keyring.read("receipt_vkey").decode().strip()
    return statements.sign(KIND, body, keyring.read("receipt"), vkey)


def check_receipt(receipt: Any, vkey: str) -> dict[str, Any]:
    """The body of a receipt that the key signed (C2SP vkey text). BadStatement otherwise."""
    return statements.check(receipt, KIND, vkey)


def as_json(receipt: Mapping[str, Any]) -> bytes:
    """The file form of a receipt: indented, since the signature covers the canonical form anyway."""
    return (json.dumps(receipt, indent=2, ensure_ascii=False) + "\n").encode()


def as_pdf(receipt: Mapping[str, Any]) -> bytes:
    """The receipt for people, with the JSON attached: that, not the page, is what the signature covers."""
    from byline.provenance import receipt_pdf

    return receipt_pdf.render(receipt["body"], str(receipt["signature"]["key"]), as_json(receipt))


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a whole file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _body(said: Mapping[str, Any], content_sha256: str, detector_url: str) -> dict[str, Any]:
    return {
        "issued": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detector": {"url": detector_url, "software": _software()},
        "content": {"sha256": content_sha256},
        "result": {name: said[name] for name in ("verdict", "exit_code", "summary")},
        "techniques": [_technique(finding) for finding in said["findings"]],
        "record": said["record"],
        "meaning": MEANING,
    }


def _technique(finding: Mapping[str, Any]) -> dict[str, Any]:
    known = techniques.table()[finding["technique"]]
    text = finding["text"]
    if known.name in _MAY_NAME:
        codes = finding["details"].get("codes") or []
        text = ", ".join(map(str, codes)) or "see the report"
    return {
        "technique": known.name,
        "method": known.method,
        "status": finding["status"],
        "text": text,
        "tells": known.tells,
        "limit": known.limit,
        "error_rate": known.error_rate,
    }


def _software() -> dict[str, str]:
    found = {}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an export's verifier runs without being installed under our name
            found[name] = "unknown"
    return found
