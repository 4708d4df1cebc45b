"""The public pages and their API twins: what they carry, what they refuse, what they leave behind."""

import base64
import io
import json
import os
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from publication_kit import Signed, on_record, sign

from byline.audit.base import keyring
from byline.platform import answers, fetching, inspection
from byline.provenance import receipts
from byline.provenance.models import Record
from byline.provenance.verdicts import Finding, Report, Verdict
from byline.safety.review.models import Case
from byline.safety.review.models import Report as Told

pytestmark = pytest.mark.django_db
API, PAGE = "/api/v1/verify", "/verify/"


@pytest.fixture(scope="module")
def signed(byline_home: Path, tmp_path_factory: Any) -> Signed:
    return sign(tmp_path_factory.mktemp("pages"), 61)


@pytest.fixture
def record(signed: Signed) -> Record:
    return on_record(signed)


@pytest.fixture(autouse=True)
def uncounted() -> None:
    cache.clear()


@pytest.fixture
def child(monkeypatch: Any) -> list[tuple[bytes, tuple[str, ...]]]:
    """What the bounded child was given; it finds nothing."""
    seen: list[tuple[bytes, tuple[str, ...]]] = []
    nothing = Report(Verdict.NOTHING_FOUND, (Finding("manifest", "not found", "no manifest"),), {})

    def look(descriptor: int, *options: str) -> dict[str, Any]:
        seen.append((os.pread(descriptor, 99, 0), options))
        return nothing.as_dict() | ({"crjson": {"manifests": []}} if "--crjson" in options else {})

    monkeypatch.setattr(inspection, "verify_descriptor", look)
    return seen


def film() -> io.BytesIO:
    made = io.BytesIO(b"film")
    made.name = "tide.mp4"
    return made


# ---------------------------------------------------------------- manners


def every_page(record: Record) -> list[str]:
    clip = f"/credentials/{record.pk}/"
    return [PAGE, clip, f"{clip}clip.mp4", f"{clip}manifest.c2pa", f"{clip}crjson.json"]


def test_public_pages_are_sealed_and_set_no_cookie(client: Client, record: Record):
    for path in every_page(record):
        page = client.get(path)
        assert page.status_code == 200, path
        policy = page["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page["X-Content-Type-Options"] == "nosniff"
        assert page["Referrer-Policy"] == "no-referrer"
        assert "max-age=300" in page["Cache-Control"] or page["Cache-Control"] == "no-store"
        assert not page.cookies, path


def test_pages_hold_no_script_or_style_of_their_own(client: Client, record: Record, child: Any):
    pages = [client.get(PAGE), client.get(f"/credentials/{record.pk}/"), client.post(PAGE, {"file": film()})]
    for page in pages:
        text = page.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)


def test_head_answers_as_get_does_without_a_body(client: Client, record: Record):
    for path in every_page(record):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head["Content-Type"]) == (get.status_code, get["Content-Type"])
        assert head.getvalue() == b""


def test_wrong_methods_are_405(client: Client, record: Record):
    assert client.post(f"/credentials/{record.pk}/").status_code == 405
    assert client.delete(PAGE).status_code == 405
    assert client.get("/verify/report/").status_code == 405


def test_a_static_host_of_the_site_is_allowed(client: Client, settings: Any):
    settings.STATIC_URL = "https://static.example/x/"
    assert "script-src 'self' https://static.example;" in client.get(PAGE)["Content-Security-Policy"]


def test_crjson_of_a_published_clip_is_that_of_the_file(client: Client, record: Record, signed: Signed):
    from byline.provenance.crjson import crjson
    from byline.provenance.trust import TrustBundle

    got = client.get(f"/credentials/{record.pk}/crjson.json").json()["manifests"][0]
    wanted = crjson(signed.file, TrustBundle.from_installation())["manifests"][0]
    assert (got["label"], got["claim.v2"]) == (wanted["label"], wanted["claim.v2"])
    assert got["assertions"] == wanted["assertions"]


# ---------------------------------------------------------------- the answer


def test_the_page_works_without_javascript_and_as_a_part(client: Client, child: Any):
    whole = client.post(PAGE, {"file": film()})
    part = client.post(PAGE, {"file": film()}, headers={"X-Byline-Part": "answer"})
    assert whole["Vary"] == part["Vary"] == "X-Byline-Part"
    assert "<html" in whole.content.decode()
    assert "<html" not in part.content.decode()
    for page in (whole, part):
        text = page.content.decode()
        assert "Nothing found" in text
        assert "tide.mp4" in text
        assert page["Cache-Control"] == "no-store"
    assert child[0] == (b"film", ("--crjson",))


def test_names_and_titles_in_an_answer_are_escaped(client: Client, monkeypatch: Any):
    nasty = "<script>alert(1)</script>"
    report = Report(
        Verdict.TAMPERED,
        (Finding("manifest", "failed", nasty),),
        {},
        {"title": nasty, "signer": nasty, "ancestors": [{"title": nasty, "failures": [nasty]}]},
    )
    monkeypatch.setattr(inspection, "verify_descriptor", lambda *args: report.as_dict())
    file = film()
    file.name = f"{nasty}.mp4"
    assert b"<script>alert" not in client.post(PAGE, {"file": file}).content


def test_every_verdict_has_words_and_a_sign():
    for verdict in Verdict:
        words = answers._WORDS[verdict.label]
        assert words.means
        assert words.not_means
        assert words.tone in {"good", "bad", "warn", "info", "plain"}
    assert [label for label, words in answers._WORDS.items() if words.tone == "good"] == ["intact"]


def test_the_downloads_of_the_page_are_a_receipt_that_verifies(client: Client, child: Any):
    text = client.post(PAGE, {"file": film()}).content.decode()
    links = re.findall(r'download="([^"]+)" href="data:([^;]+);base64,([^"]+)"', text)
    found = {name: (kind, base64.b64decode(data)) for name, kind, data in links}
    assert set(found) == {"byline-receipt.pdf", "byline-receipt.json", "crjson.json"}
    assert found["byline-receipt.pdf"][1].startswith(b"%PDF")
    vkey = keyring.read("receipt_vkey").decode().strip()
    body = receipts.check_receipt(json.loads(found["byline-receipt.json"][1]), vkey)
    assert body["content"]["sha256"] == __import__("hashlib").sha256(b"film").hexdigest()
    assert "tide.mp4" not in str(body)


def test_problems_are_told_on_the_page_with_what_to_do(client: Client, settings: Any, child: Any):
    missing = client.post(PAGE, {})
    assert missing.status_code == 400
    assert "Choose a video, sound or picture first." in missing.content.decode()
    settings.BYLINE = {**settings.BYLINE, "VERIFY_MAX_BYTES": 3}
    large = client.post(PAGE, {"file": film()})
    assert large.status_code == 413
    assert "byline verify" in large.content.decode()
    assert child == []


# ---------------------------------------------------------------- the API's forms of it


def test_the_api_gives_a_receipt_or_crjson_on_request(client: Client, child: Any):
    receipt = client.post(f"{API}?receipt=json", {"file": film()})
    assert receipt["Content-Disposition"] == 'attachment; filename="byline-receipt.json"'
    receipts.check_receipt(receipt.json(), keyring.read("receipt_vkey").decode().strip())
    pdf = client.post(f"{API}?receipt=pdf", {"file": film()})
    assert (pdf["Content-Type"], pdf.content[:4]) == ("application/pdf", b"%PDF")
    assert client.post(f"{API}?format=crjson", {"file": film()}).json() == {"manifests": []}
    assert client.post(f"{API}?receipt=docx", {"file": film()}).status_code == 400
    report = client.post(API, {"file": film()})
    assert report.json()["verdict"] == "nothing_found"
    assert report["Cache-Control"] == "no-store"


def test_a_file_without_a_manifest_has_no_crjson(client: Client, monkeypatch: Any):
    monkeypatch.setattr(inspection, "verify_descriptor", lambda *args: {"crjson": None, "findings": []})
    refused = client.post(f"{API}?format=crjson", {"file": film()})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_manifest")


# ---------------------------------------------------------------- by address


@pytest.fixture
def listed(settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "VERIFY_URL_HOSTS": ("news.example",)}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://other.example/a.mp4", "url_host"),
        ("http://news.example/a.mp4", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("https://a:b@news.example/", "url_credentials"),
    ],
)
def test_the_api_and_the_page_refuse_what_the_fetcher_refuses(
    client: Client, listed: None, child: Any, url: str, code: str
):
    for body, kind in ((json.dumps({"url": url}), "application/json"), (f"url={url}", FORM)):
        refused = client.post(API, body, content_type=kind)
        assert 400 <= refused.status_code < 500
        assert refused.json()["code"] == code
    page = client.post(PAGE, {"url": url})
    assert 400 <= page.status_code < 500
    assert "This could not be checked" in page.content.decode()
    assert child == []


FORM = "application/x-www-form-urlencoded"


def test_a_listed_address_is_fetched_to_memory_and_verified(
    client: Client, listed: None, child: Any, monkeypatch: Any
):
    asked = []

    def fetch(url: str, rules: fetching.Rules, into: Any, **more: Any) -> None:
        asked.append((url, rules))
        assert os.readlink(f"/proc/self/fd/{into.fileno()}").startswith("/memfd:")
        into.write(b"from afar")
        into.seek(0)

    monkeypatch.setattr(fetching, "fetch", fetch)
    url = "https://news.example/films/tide.mp4?x=1"
    assert client.post(API, {"url": url}).status_code == 200
    page = client.post(PAGE, {"url": url})
    assert "tide.mp4" in page.content.decode()
    assert [seen[0] for seen in child] == [b"from afar"] * 2
    rules = asked[0][1]
    assert (rules.private, rules.schemes, rules.ports) == (False, ("https",), frozenset({80, 443}))
    assert set(rules.hosts) == {"news.example", "localhost"}


def test_the_field_for_an_address_is_offered_where_it_can_work(client: Client, settings: Any):
    assert b'name="url"' not in client.get(PAGE).content
    settings.BYLINE = {**settings.BYLINE, "VERIFY_URL_HOSTS": ("news.example",)}
    assert b"news.example" in client.get(PAGE).content


# ---------------------------------------------------------------- reports


def test_a_report_is_kept_without_the_file_or_an_address(client: Client, record: Record):
    form = {"kind": "verdict", "message": "It is real.", "verdict": "similar", "record": str(record.pk)}
    page = client.post("/verify/report/", form, REMOTE_ADDR="203.0.113.9")
    assert page.status_code == 201
    row = Told.objects.get()
    assert (row.kind, row.message) == ("verdict", "It is real.")
    assert (row.case.source, row.case.subject) == ("report", f"record:{record.pk}")
    assert "203.0.113.9" not in str([*Told.objects.values(), *Case.objects.values()])
    assert f"/reports/{row.pk}/" in page.content.decode()
    again = client.post("/api/v1/feedback", form, content_type="application/json")
    assert again.status_code == 201
    assert again.json()["due_at"]
    assert (Told.objects.count(), Case.objects.count()) == (2, 1)  # the second joins the open case


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"kind": "verdict"},
        {"kind": "spam", "message": "x"},
        {"kind": "other", "message": "x" * 2001},
        {"kind": "other", "message": "x", "record": "no-id"},
        {"kind": "other", "message": "x", "verdict": "<b>"},
        {"kind": "other", "message": "x", "country": "atlantis"},
    ],
)
def test_a_bad_report_is_a_400_and_leaves_no_row(client: Client, bad: dict[str, str]):
    assert client.post("/verify/report/", bad).status_code == 400
    refused = client.post("/api/v1/feedback", bad, content_type="application/json")
    assert refused.status_code == 400
    assert refused.json()["help"]
    assert not Told.objects.exists()


def test_reports_are_counted(client: Client):
    form = {"kind": "other", "message": "again and again", "record": str(uuid.uuid4())}
    codes = [client.post("/verify/report/", form).status_code for _ in range(11)]
    assert codes == [201] * 10 + [429]
    assert Told.objects.count() == 10
