"""Ask another Byline site whether it knows a file: `byline verify FILE --registry URL`.

The file goes to the site that the caller named and to no other (redirects are refused). What comes
back is that site's word, and the report says so; only the manifest it returns is checked here,
under the caller's own roots. Answers are bounded in size and time.
"""

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from byline.audit.base.errors import BylineError, InvalidInput
from byline.provenance import reading, verifier
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

_LIMIT = 4 << 20
_TIMEOUT_S = 90.0
_OPEN = {Verdict.NOTHING_FOUND, Verdict.SIMILAR, Verdict.MARK_NOT_CHECKED, Verdict.NO_RECORD}


class RegistryUnavailable(BylineError):
    code = "registry_unavailable"
    status = 502
    help = "Check the address, or leave --registry out: everything else works without it."


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def ask(url: str, file: Path, report: Report, trust: TrustBundle) -> Report:
    """The report, with what the registry says. A verdict changes only from "nothing found" or "similar"."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise InvalidInput(
            "--registry wants an http or https address", help="For example https://news.example"
        )
    base = url.rstrip("/")
    answer = _json(_post(f"{base}/api/v1/verify", file))
    said, record = str(answer.get("summary", ""))[:500], answer.get("record")
    finding = Finding("registry", "note", f"{base} says: {said}", {"exit_code": answer.get("exit_code")})
    report = replace(report, findings=(*report.findings, finding))
    if answer.get("verdict") != "recovered" or report.verdict not in _OPEN:
        return report
    try:
        public_id = UUID(str(record))
    except ValueError:
        return report
    stored = reading.read_store(_get(f"{base}/credentials/{public_id}/manifest.c2pa"), trust)
    problem = verifier.store_problem(stored)
    if problem or not stored.signer_known:
        text = problem or "the manifest it returned is not verified under the roots you supplied"
        return replace(report, findings=(*report.findings, Finding("manifest on record", "failed", text)))
    text = "returned by the registry, authentic, signer verified under the roots you supplied"
    return replace(
        report,
        verdict=Verdict.RECOVERED,
        record=str(public_id),
        findings=(*report.findings, Finding("manifest on record", "passed", text)),
        explanation="That the mark is in this file, and that the pictures agree, is the registry's word.",
    )


def _post(url: str, file: Path) -> bytes:
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'
    body = head.encode() + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    # Only http and https come here: `ask` looked at the scheme.
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return _open(urllib.request.Request(url, data=body, headers=headers))  # noqa: S310


def _get(url: str) -> bytes:
    return _open(urllib.request.Request(url))  # noqa: S310


def _open(request: urllib.request.Request) -> bytes:
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as response:
            data: bytes = response.read(_LIMIT + 1)
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise RegistryUnavailable(f"the registry did not answer: {error}") from error
    if len(data) > _LIMIT:
        raise RegistryUnavailable("the registry's answer is too large")
    return data


def _json(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except ValueError as error:
        raise RegistryUnavailable("the registry's answer is not JSON") from error
    if not isinstance(answer, dict):
        raise RegistryUnavailable("the registry's answer is not an object")
    return answer
