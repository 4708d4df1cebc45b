"""Signed receipts: bound to content, time and techniques; nobody's name inside; PDF that holds the JSON."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from byline.audit import canonical
from byline.platform import cli
from byline.provenance import receipts, statements, techniques
from byline.provenance.statements import BadStatement
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

SHA = "ab" * 32
SECRETIVE = Report(
    Verdict.INTACT,
    (
        Finding("manifest", "passed", "the file's bytes are those that were signed"),
        Finding("signer", "passed", "Jane Doe, verified under the roots you supplied"),
        Finding("ancestors", "failed", "interview with John Roe.mp4: x.y", {"codes": ["x.y"]}),
        Finding("fingerprint", "found", "3 of 4 frames", {"mean_bits": 1.5}),
    ),
    {"name": "my divorce.mp4", "bytes": 7},
    {"title": "A title with Jane Doe", "signer": "Jane Doe"},
    "11111111-2222-4333-8444-555555555555",
)


@pytest.fixture(scope="module")
def receipt(byline_home: Path) -> dict[str, Any]:
    return receipts.make_receipt(SECRETIVE, SHA, "https://news.example/verify")


@pytest.fixture(scope="module")
def trust(byline_home: Path) -> TrustBundle:
    return TrustBundle.from_installation()


def test_a_receipt_says_what_was_asked_where_when_and_by_which_techniques(
    receipt: dict[str, Any], trust: TrustBundle
) -> None:
    body = receipts.check_receipt(json.loads(receipts.as_json(receipt)), trust.receipt_vkey)
    assert body["content"] == {"sha256": SHA}
    assert body["detector"]["url"] == "https://news.example/verify"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["issued"])
    assert body["result"]["verdict"] == "intact"
    assert body["detector"]["software"]["c2pa-python"][0].isdigit()
    for technique in body["techniques"]:
        assert technique["limit"]
        assert technique["error_rate"], "a rate, or the words “not measured”"


def test_a_stranger_checks_the_signature_with_nothing_of_ours(
    receipt: dict[str, Any], trust: TrustBundle
) -> None:
    """RFC 8785 and Ed25519 by hand: the file's format is what the docs say."""
    public = base64.b64decode(trust.receipt_vkey.split("+", 2)[2])[1:]
    signed = {name: receipt[name] for name in ("kind", "v", "body")}
    data = json.dumps(signed, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(receipt["signature"]["value"]), data)


def test_no_name_goes_into_a_receipt(receipt: dict[str, Any]) -> None:
    text = json.dumps(receipt)
    for name in ("Jane", "Doe", "John", "Roe", "divorce", "title"):
        assert name not in text
    assert "x.y" in text, "codes stay"


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["body"]["content"].update(sha256="cd" * 32),
        lambda r: r["body"]["result"].update(verdict="nothing_found"),
        lambda r: r["body"].update(issued="2020-01-01T00:00:00Z"),
        lambda r: r["body"]["techniques"].pop(),
        lambda r: r.update(v=2),
        lambda r: r.update(kind="byline-status-list"),
        lambda r: r.update(extra=1),
        lambda r: r["signature"].update(value=""),
        lambda r: r["signature"].update(value=7),
        lambda r: r["signature"].update(key="other+00000000"),
        lambda r: r["body"].update(x=float("nan")),
        lambda r: r.update(body=[]),
    ],
)
def test_a_changed_receipt_is_refused(receipt: dict[str, Any], trust: TrustBundle, change: Any) -> None:
    copy = json.loads(json.dumps(receipt))
    change(copy)
    with pytest.raises(BadStatement):
        receipts.check_receipt(copy, trust.receipt_vkey)


def test_a_receipt_of_another_key_is_refused(receipt: dict[str, Any], trust: TrustBundle) -> None:
    """Not even the log's own key, which is in the same bundle, counts."""
    with pytest.raises(BadStatement, match="another key"):
        receipts.check_receipt(receipt, trust.log_vkey)


@pytest.mark.parametrize("sha", ["", "AB" * 32, "ab" * 31])
def test_a_receipt_needs_a_real_hash(byline_home: Path, sha: str) -> None:
    with pytest.raises(receipts.BadReceiptInput):
        receipts.make_receipt(SECRETIVE, sha, "x")


def test_the_pdf_is_text_with_the_signed_json_attached(receipt: dict[str, Any]) -> None:
    pdf = receipts.as_pdf(receipt)
    assert pdf.startswith(b"%PDF-")
    assert b"/Lang (en)" in pdf
    assert b"/EmbeddedFile" in pdf
    attached = re.search(rb"/Type /EmbeddedFile[^\0]*?>>\s*stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    assert attached is not None
    assert json.loads(attached[1]) == receipt


def test_every_technique_of_a_report_is_described_and_every_rate_has_a_source() -> None:
    root = Path(__file__).parents[2]
    for technique in techniques.table().values():
        assert technique.limit
        assert technique.tells
        if not technique.rates:
            assert technique.error_rate == techniques.NOT_MEASURED
        for rate in technique.rates:
            assert (root / rate["source"]).is_file(), "a rate names the file it was taken from"
            assert rate["n"] is not None or "proven bound" in rate["value"]


def test_quoted_rates_are_those_of_the_benchmarks_results() -> None:
    """A detector that was measured anew must not go on with its old figures."""
    from bench.technique_rates import rates

    measured = rates()
    for technique in techniques.table().values():
        quoted = [rate for rate in technique.rates if rate["source"].startswith("bench/")]
        stale = [rate for rate in quoted if rate not in measured[technique.name]]
        assert not stale, "run `python -m bench.technique_rates`"


def test_the_command_line_checks_a_receipt_offline(
    receipt: dict[str, Any], trust: TrustBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import hashlib

    media = tmp_path / "media"
    media.write_bytes(b"media")
    mine = receipts.make_receipt(SECRETIVE, hashlib.sha256(b"media").hexdigest(), "https://news.example")
    (tmp_path / "r.json").write_bytes(receipts.as_json(mine))
    trust.export(tmp_path / "trust.json")
    command = ["receipt", "verify", str(tmp_path / "r.json"), "--trust", str(tmp_path / "trust.json")]
    assert cli.main(command) == 0
    assert cli.main([*command, "--file", str(media)]) == 0
    assert "genuine" in capsys.readouterr().out
    media.write_bytes(b"other")
    assert cli.main([*command, "--file", str(media)]) == 10
    mine["body"]["result"]["verdict"] = "tampered"
    (tmp_path / "r.json").write_bytes(receipts.as_json(mine))
    assert cli.main(command) == 10
    assert "refused" in capsys.readouterr().out


def test_the_signed_bytes_are_canonical(receipt: dict[str, Any]) -> None:
    body = {name: receipt[name] for name in ("kind", "v", "body")}
    assert canonical.encode(body) == canonical.encode(json.loads(json.dumps(body)))
    assert statements.VERSION == 1
