"""The API's manners: who may what, errors with code and help, nothing kept of a file to verify."""

import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from byline.audit.models import Entry
from byline.generation.models import GenerationRequest
from byline.platform import inspection

ROOT = Path(__file__).resolve().parents[2]
GENERATIONS = "/api/v1/generations"
VERIFY = "/api/v1/verify"
pytestmark = pytest.mark.django_db


def user(name: str, *permissions: str) -> User:
    made = User.objects.create_user(name, password="correct horse battery")
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(user("editor", "add_generationrequest"))
    return client


def post(client: Client, **data: Any) -> Any:
    return client.post(GENERATIONS, data, content_type="application/json")


def assert_error(response: Any, status: int, code: str | None = None) -> None:
    body = response.json()
    assert response.status_code == status, body
    assert {"code", "message", "help"} <= set(body)
    assert body["help"]
    if code:
        assert body["code"] == code


def test_a_brief_is_accepted_with_202_and_a_log_entry(editor: Client):
    response = post(editor, prompt="a red ball bounces over the sea", seed=7)
    assert response.status_code == 202
    body = response.json()
    row = GenerationRequest.objects.get(pk=body["id"])
    assert row.state == body["state"] == "submitted"
    assert row.requester == "editor"
    entry = Entry.objects.get(subject=row.subject, kind="generation.submitted")
    assert "red ball" not in str(entry.payload)  # a commitment, not the prompt
    assert "red ball" not in response.content.decode()


def test_strangers_and_accounts_without_the_permission_are_refused(client: Client):
    assert_error(post(client, prompt="a red ball"), 401)
    client.force_login(user("reader"))
    assert_error(post(client, prompt="a red ball"), 403)
    assert not GenerationRequest.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"prompt": ""},
        {"prompt": "x" * 2001},
        {"prompt": "a ball", "seconds": 0},
        {"prompt": "a ball", "seconds": 61},
        {"prompt": "a ball", "seed": -1},
        {"prompt": "a ball", "brand": "no-such-brand"},
        {"prompt": "a ball", "references": "all"},
    ],
)
def test_bad_input_is_a_400_with_help_and_leaves_no_row(editor: Client, bad: dict[str, Any]):
    assert_error(post(editor, **bad), 400)
    assert not GenerationRequest.objects.exists()


def test_editors_see_their_own_requests_only(editor: Client, client: Client):
    mine = post(editor, prompt="a red ball").json()["id"]
    assert [row["id"] for row in editor.get(GENERATIONS).json()["results"]] == [mine]
    other = Client()
    other.force_login(user("other", "add_generationrequest"))
    assert other.get(GENERATIONS).json()["results"] == []
    assert_error(other.get(f"{GENERATIONS}/{mine}"), 404)
    assert_error(other.post(f"{GENERATIONS}/{mine}/cancel"), 404)
    assert GenerationRequest.objects.get(pk=mine).state == "submitted"


def test_cancel_stops_a_waiting_request_and_says_so_twice(editor: Client):
    mine = post(editor, prompt="a red ball").json()["id"]
    response = editor.post(f"{GENERATIONS}/{mine}/cancel")
    assert response.status_code == 202
    assert response.json()["state"] == "cancelled"
    assert_error(editor.post(f"{GENERATIONS}/{mine}/cancel"), 409, "illegal_transition")


def test_an_unknown_id_is_a_404(editor: Client):
    assert_error(editor.get(f"{GENERATIONS}/{uuid.uuid4()}"), 404)


def test_verify_wants_a_file(client: Client):
    assert_error(client.post(VERIFY), 400, "no_file")


def test_verify_refuses_a_file_over_the_limit(client: Client, settings):
    settings.BYLINE = {**settings.BYLINE, "VERIFY_MAX_BYTES": 1000}
    upload = SimpleUploadedFile("big.mp4", os.urandom(2000))
    assert_error(client.post(VERIFY, {"file": upload}), 413, "file_too_large")


def test_the_limit_holds_for_the_whole_request_and_one_file(client: Client, settings):
    settings.BYLINE = {**settings.BYLINE, "VERIFY_MAX_BYTES": 1000}
    uploads = [SimpleUploadedFile(f"{n}.mp4", os.urandom(90)) for n in range(20)]
    assert_error(client.post(VERIFY, {"file": uploads}), 400, "no_file")


def test_verify_keeps_the_upload_in_memory_only(client: Client, settings, tmp_path: Path, monkeypatch):
    seen: dict[str, str] = {}

    def look(descriptor: int) -> dict[str, Any]:
        seen["link"] = os.readlink(f"/proc/self/fd/{descriptor}")
        seen["files"] = str(list(tmp_path.iterdir()))
        return {"verdict": "seen"}

    monkeypatch.setattr(inspection, "verify_descriptor", look)
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    response = client.post(VERIFY, {"file": SimpleUploadedFile("clip.mp4", os.urandom(5_000_000))})
    assert response.json() == {"verdict": "seen"}
    assert seen["link"].startswith("/memfd:byline-verify")
    assert seen["files"] == "[]"
    assert list(tmp_path.iterdir()) == []


def test_the_memory_file_is_what_the_parser_hands_over(client: Client, monkeypatch):
    kinds = []
    monkeypatch.setattr(inspection, "verify_descriptor", lambda d: kinds.append(os.pread(d, 5, 0)) or {})
    client.post(VERIFY, {"file": SimpleUploadedFile("a.wav", b"RIFF-and-more")})
    assert kinds == [b"RIFF-"]


def test_verify_calls_rubbish_unreadable(client: Client):
    report = client.post(VERIFY, {"file": SimpleUploadedFile("a.mp4", b"not a video at all" * 50)}).json()
    assert report["exit_code"] == 15
    assert "/dev/fd" not in str(report)


def test_the_openapi_snapshot_is_current(client: Client):
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiYamlRenderer

    schema = SchemaGenerator().get_schema(request=None, public=True)
    current = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()
    snapshot = ROOT / "docs" / "openapi.yaml"
    if os.environ.get("BYLINE_TEST_MARK") == "write-openapi":
        snapshot.write_text(current)
    assert snapshot.read_text() == current, "run tests with BYLINE_TEST_MARK=write-openapi to renew it"
