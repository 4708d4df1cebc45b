"""The Soft Binding Resolution API: what it finds, and that it says what the C2PA's document says."""

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from publication_kit import Signed, on_record, sign

from byline.platform import inspection, softbinding, status
from byline.platform.api import softbinding as views
from byline.provenance import reading
from byline.provenance.models import Record
from byline.provenance.trust import TrustBundle

pytestmark = pytest.mark.django_db
BASE = "/softbinding/v1"
DOCUMENT = json.loads((Path(__file__).parents[1] / "contract" / "c2pa_softbinding_openapi.json").read_text())
VIDEO, AUDIO = "io.byline.video.ss64.2", "io.byline.audio.ss32.2"


def conforms(name: str, value: Any) -> None:
    """Against the schema of the C2PA's own document.

    Its list of watermarks demands of every item that it contains "watermarks" or "fingerprints", next to
    the name that is all it defines: a oneOf that slipped one level down. It is lifted; the rest holds.
    """
    schema = json.loads(json.dumps(DOCUMENT["components"]["schemas"][f"c2pa.{name}"]))
    if name == "softBindingAlgList":
        assert schema["properties"]["watermarks"]["items"].pop("oneOf")
    Draft202012Validator(schema).validate(value)


@pytest.fixture(scope="module")
def signed(byline_home: Path, tmp_path_factory: Any) -> Signed:
    return sign(tmp_path_factory.mktemp("softbinding"), 41)


@pytest.fixture
def record(signed: Signed) -> Record:
    return on_record(signed)


@pytest.fixture(autouse=True)
def uncounted(settings: Any) -> None:
    from django.core.cache import cache

    cache.clear()


def label(signed: Signed) -> str:
    return reading.read_store(signed.manifest, TrustBundle.empty()).label


def encoded(signed: Signed) -> str:
    """The value as our manifest has it, in base64 as the API wants it."""
    return base64.b64encode(f"{signed.mark_id:016x}".encode()).decode()


def test_the_manifest_declares_the_value_that_is_looked_up(signed: Signed):
    found = reading.read_store(signed.manifest, TrustBundle.empty())
    bindings = {a["data"]["alg"]: a["data"]["blocks"][0]["value"] for a in found.assertions
                if a["label"].startswith("c2pa.soft-binding")}  # fmt: skip
    assert bindings[VIDEO] == f"{signed.mark_id:016x}"
    assert softbinding._number(VIDEO, bindings[VIDEO]) == signed.mark_id


@pytest.mark.parametrize("form", ["base64 of hex", "hex", "base64 of bytes", "url-safe base64 of bytes"])
def test_a_mark_leads_to_the_manifest(client: Client, record: Record, signed: Signed, form: str):
    raw = signed.mark_id.to_bytes(8, "big")
    value = {
        "base64 of hex": encoded(signed),
        "hex": f"{signed.mark_id:016x}",
        "base64 of bytes": base64.b64encode(raw).decode(),
        "url-safe base64 of bytes": base64.urlsafe_b64encode(raw).decode(),
    }[form]
    got = client.get(f"{BASE}/matches/byBinding", {"alg": VIDEO, "value": value}).json()
    conforms("softBindingQueryResult", got)
    assert got == {"matches": [{"manifestId": label(signed)}]}
    posted = client.post(
        f"{BASE}/matches/byBinding", {"alg": VIDEO, "value": value}, content_type="application/json"
    )
    assert posted.json() == got


def test_a_speech_mark_leads_to_the_manifest(client: Client, record: Record, signed: Signed):
    value = base64.b64encode(f"{signed.audio_id:08x}".encode()).decode()
    got = client.get(f"{BASE}/matches/byBinding", {"alg": AUDIO, "value": value}).json()
    assert got["matches"] == [{"manifestId": label(signed)}]


def test_the_identifier_leads_to_the_store_as_it_was_signed(client: Client, record: Record, signed: Signed):
    got = client.get(f"{BASE}/manifests/{label(signed)}")
    assert got["Content-Type"] == "application/c2pa"
    assert got.content == signed.manifest
    active = client.get(f"{BASE}/manifests/{label(signed)}", {"returnActiveManifest": "true"}).content
    read = reading.read_store(active, TrustBundle.from_installation())
    assert read.label == label(signed)
    assert "claimSignature.validated" in read.successes


def test_only_the_active_manifest_of_a_longer_store_is_cut_out(signed: Signed):
    one = signed.manifest
    children = one[8 + int.from_bytes(one[8:12], "big") :]
    two = (len(one) + len(children)).to_bytes(4, "big") + one[4:] + children
    assert softbinding.active_manifest(two) == one
    for cut in (b"", one[:40], one[:-1]):
        with pytest.raises(ValueError, match="store"):
            softbinding.active_manifest(cut)


def test_a_clip_published_later_is_found_and_one_taken_down_is_not(client: Client, signed: Signed):
    hidden = on_record(signed, published=False)
    ask = {"alg": VIDEO, "value": encoded(signed)}
    assert client.get(f"{BASE}/matches/byBinding", ask).json() == {"matches": []}
    Record.objects.update(published=True)
    assert len(client.get(f"{BASE}/matches/byBinding", ask).json()["matches"]) == 1
    status.change(hidden.pk, "taken_down", reason="rights", actor="reviewer")
    assert client.get(f"{BASE}/matches/byBinding", ask).json() == {"matches": []}
    assert client.get(f"{BASE}/manifests/{label(signed)}").status_code == 404


def test_the_algorithms_are_named(client: Client):
    got = client.get(f"{BASE}/services/supportedAlgorithms").json()
    conforms("softBindingAlgList", got)
    assert {item["alg"] for item in got["watermarks"]} == {VIDEO, AUDIO}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 400),
        ({"alg": VIDEO}, 400),
        ({"alg": VIDEO, "value": "!!"}, 400),
        ({"alg": VIDEO, "value": "AAAA"}, 400),
        ({"alg": VIDEO, "value": "0" * 16, "maxResults": "0"}, 400),
        ({"alg": VIDEO, "value": "0" * 16, "maxResults": "many"}, 400),
        ({"alg": VIDEO, "value": "A" * 5000}, 414),
        ({"alg": "com.example.other.1", "value": "AAAA"}, 200),
    ],
)
def test_wrong_queries_have_the_statuses_of_the_document(client: Client, query: dict[str, str], code: int):
    got = client.get(f"{BASE}/matches/byBinding", query)
    assert got.status_code == code
    assert str(code) in DOCUMENT["paths"]["/matches/byBinding"]["get"]["responses"]
    if code == 200:
        assert got.json() == {"matches": []}
    else:
        assert got.json()["help"]


def test_a_malformed_identifier_is_400_and_an_unknown_one_404(client: Client):
    assert client.get(f"{BASE}/manifests/not-an-id").status_code == 400
    assert client.get(f"{BASE}/manifests/urn:c2pa:{uuid.uuid4()}").status_code == 404
    bad = client.get(f"{BASE}/manifests/urn:c2pa:{uuid.uuid4()}", {"returnActiveManifest": "maybe"})
    assert bad.status_code == 400


# ---------------------------------------------------------------- by content


def finding(technique: str, found: str = "found", **details: Any) -> dict[str, Any]:
    return {"technique": technique, "status": found, "text": "", "details": details}


def send(client: Client, kind: str = "video/mp4", query: str = "", body: bytes = b"film") -> Any:
    return client.post(f"{BASE}/matches/byContent{query}", body, content_type=kind)


def test_content_with_a_mark_leads_to_its_manifest(
    client: Client, record: Record, signed: Signed, monkeypatch: Any
):
    seen = []
    report = {
        "record": str(record.pk),
        "verdict": "recovered",
        "findings": [finding("picture mark", record=str(record.pk))],
    }

    def look(descriptor: int) -> dict[str, Any]:
        import os

        seen.append((os.readlink(f"/proc/self/fd/{descriptor}")[:20], os.pread(descriptor, 99, 0)))
        return report

    monkeypatch.setattr(views, "verify_descriptor", look)
    got = send(client).json()
    conforms("softBindingQueryResult", got)
    assert got == {"matches": [{"manifestId": label(signed)}]}
    assert seen == [("/memfd:byline-verify", b"film")]
    assert send(client, query=f"?alg={AUDIO}").json() == {"matches": []}
    assert len(send(client, query=f"?alg={VIDEO}").json()["matches"]) == 1


def test_likeness_has_a_score_and_a_moved_mark_leads_nowhere(record: Record):
    like = finding("fingerprint", matched=3, of=4, record=str(record.pk))
    report = {"record": str(record.pk), "verdict": "similar", "findings": [like]}
    (match,) = softbinding.by_report(report)
    conforms("softBindingQueryResult", {"matches": [match.as_dict()]})
    assert match.score == 75
    moved = {
        **report,
        "verdict": "transplanted",
        "findings": [finding("picture mark", record=str(record.pk))],
    }
    assert softbinding.by_report(moved) == []
    assert softbinding.by_report({**report, "record": str(uuid.uuid4())}) == []


@pytest.mark.parametrize("kind", ["text/plain", "model/gltf-binary", "nonsense"])
def test_what_we_cannot_read_is_415(client: Client, kind: str):
    assert send(client, kind).status_code == 415


def test_content_is_bounded(client: Client, settings: Any, monkeypatch: Any):
    settings.BYLINE = {**settings.BYLINE, "VERIFY_MAX_BYTES": 10}
    monkeypatch.setattr(views, "verify_descriptor", lambda d: pytest.fail("it was looked at"))
    assert send(client, body=b"x" * 11).status_code == 413
    assert (
        client.generic("POST", f"{BASE}/matches/byContent", b"", CONTENT_TYPE="video/mp4").status_code == 400
    )


def test_the_upload_is_counted_with_the_verify_page(client: Client, settings: Any, monkeypatch: Any):
    """Whatever reads a mark draws on one allowance."""
    from byline.platform.api.throttles import VerifyThrottle

    monkeypatch.setattr(VerifyThrottle, "rate", "2/hour", raising=False)
    monkeypatch.setattr(views, "verify_descriptor", lambda d: {"findings": []})
    monkeypatch.setattr(inspection, "verify_descriptor", lambda d, *o: {"findings": [], "verdict": "x"})
    assert send(client).status_code == 200
    assert client.post("/verify/", {"file": __import__("io").BytesIO(b"film")}).status_code == 200
    refused = send(client)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert client.post("/verify/", {"file": __import__("io").BytesIO(b"film")}).status_code == 429
