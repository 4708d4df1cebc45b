"""Ask another site whether it knows a file: `byline verify FILE --registry URL` or `--resolver URL`.

A registry is a Byline site; a resolver is anybody's C2PA Soft Binding Resolution API. The file goes to
the site that the caller named and to no other: no redirect is followed, and an address that an answer
names is reported, not asked. What comes back is that site's word, and the report says so; only the
manifest it returns is checked here, under the caller's own roots. Answers are bounded in size and time.
"""

import io
import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from byline.audit.base.errors import BylineError, InvalidInput
from byline.platform import fetching
from byline.provenance import formats, reading, verifier
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

_LIMIT = 4 << 20
_TIMEOUT_S = 90.0
_OPEN = {Verdict.NOTHING_FOUND, Verdict.SIMILAR, Verdict.MARK_NOT_CHECKED, Verdict.NO_RECORD}
_MOST_MATCHES = 3
_RESOLVER_PATHS = (
    "",
    "/softbinding/v1",
    "/v1",
)  # as given, then as Byline has it


class RegistryUnavailable(BylineError):
    code = "registry_unavailable"
    status = 502
    help = "Check the address, or leave --registry or --resolver out: everything else works without it."


def ask(url: str, file: Path, report: Report, trust: TrustBundle) -> Report:
    """The report, with what the registry says. A verdict changes only from "nothing found" or "similar"."""
    base, rules = _named(url, "--registry")
    answer = _json(_send(f"{base}/api/v1/verify", rules, *_form(file)))
    said, record = str(answer.get("summary", ""))[:500], answer.get("record")
    finding = Finding("registry", "note", f"{base} says: {said}", {"exit_code": answer.get("exit_code")})
    report = replace(report, findings=(*report.findings, finding))
    if answer.get("verdict") != "recovered" or report.verdict not in _OPEN:
        return report
    try:
        public_id = str(UUID(str(record)))
    except ValueError:
        return report
    store = _get(f"{base}/credentials/{public_id}/manifest.c2pa", rules)
    return _with_store(report, store, trust, public_id, "the registry")


def resolve(url: str, file: Path, report: Report, trust: TrustBundle) -> Report:
    """The report, with the manifests that a Soft Binding Resolution API has for this content."""
    given, rules = _named(url, "--resolver")
    base = _resolver_base(given, rules)
    found = formats.sniff(file)
    kind = found.mime if found else "application/octet-stream"
    path = f"{base}/matches/byContent?maxResults={_MOST_MATCHES}"
    matches = _json(_send(path, rules, file.read_bytes(), kind)).get("matches")
    matches = [m for m in matches if isinstance(m, dict)] if isinstance(matches, list) else []
    finding = Finding("registry", "note", f"{base} knows {len(matches)} manifest(s) for it")
    report = replace(report, findings=(*report.findings, finding))
    for match in matches[:_MOST_MATCHES]:
        elsewhere = match.get("endpoint")
        if elsewhere and urlsplit(str(elsewhere)).netloc != urlsplit(base).netloc:
            text = f"a manifest is said to be at {str(elsewhere)[:200]}; only the site you named was asked"
            report = replace(report, findings=(*report.findings, Finding("registry", "note", text)))
            continue
        identifier = quote(str(match.get("manifestId", ""))[:300], safe=":")
        store = _get(f"{base}/manifests/{identifier}", rules)
        if report.verdict in _OPEN:
            report = _with_store(report, store, trust, None, "the resolver")
    return report


def _with_store(report: Report, store: bytes, trust: TrustBundle, record: str | None, who: str) -> Report:
    stored = reading.read_store(store, trust)
    problem = verifier.store_problem(stored)
    if problem or not stored.signer_known:
        text = problem or "the manifest it returned is not verified under the roots you supplied"
        return replace(report, findings=(*report.findings, Finding("manifest on record", "failed", text)))
    text = f"returned by {who}, authentic, signer verified under the roots you supplied"
    return replace(
        report,
        verdict=Verdict.RECOVERED,
        record=record,
        findings=(*report.findings, Finding("manifest on record", "passed", text)),
        explanation=f"That the mark is in this file, and that the pictures agree, is {who}'s word.",
    )


def _named(url: str, option: str) -> tuple[str, fetching.Rules]:
    """Base address and what may be fetched: this host, this scheme, no redirect. The caller typed it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(
            f"{option} wants an http or https address", help="For example https://news.example"
        )
    rules = fetching.Rules(
        hosts=(parts.hostname,),
        schemes=(parts.scheme,),
        max_bytes=_LIMIT,
        seconds=_TIMEOUT_S,
        ports=None,
        private=True,
        redirects=0,
    )
    return url.rstrip("/"), rules


def _resolver_base(given: str, rules: fetching.Rules) -> str:
    for path in _RESOLVER_PATHS:
        try:
            answer = _json(_get(f"{given}{path}/services/supportedAlgorithms", rules))
        except RegistryUnavailable:
            continue
        if "watermarks" in answer or "fingerprints" in answer:
            return given + path
    raise RegistryUnavailable("there is no Soft Binding Resolution API at this address")


def _form(file: Path) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'
    body = head.encode() + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _send(url: str, rules: fetching.Rules, body: bytes, kind: str) -> bytes:
    return _fetch(url, rules, "POST", body, {"Content-Type": kind})


def _get(url: str, rules: fetching.Rules) -> bytes:
    return _fetch(url, rules, "GET", None, {})


def _fetch(
    url: str, rules: fetching.Rules, method: str, body: bytes | None, headers: dict[str, str]
) -> bytes:
    answer = io.BytesIO()
    try:
        fetching.fetch(url, rules, answer, method=method, body=body, headers=headers)
    except fetching.FetchRefused as error:
        raise RegistryUnavailable(f"no usable answer: {error}") from error
    return answer.getvalue()


def _json(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RegistryUnavailable("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise RegistryUnavailable("the answer is not an object")
    return answer
