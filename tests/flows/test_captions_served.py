"""Captions and transcript: of a published clip to anybody, of a finished one to its editor, to a file."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from byline.generation import submit
from byline.platform import cli

pytestmark = pytest.mark.django_db(transaction=True)
LINE = "The beach is open again."


def test_what_is_said_can_be_read(make_clip: Any, tmp_path: Path, capsys: Any) -> None:
    row = make_clip(seconds=4, voice_over=LINE)
    record = row.result["record"]
    anybody, editor = Client(), Client()
    user = User.objects.create_user("editor")
    names = ("add_generationrequest", "view_generationrequest")
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    editor.force_login(user)
    assert anybody.get(f"/credentials/{record}/captions.vtt").status_code == 404, "not published yet"
    assert anybody.get(f"/api/v1/generations/{row.pk}/captions.vtt").status_code == 401
    found = editor.get(f"/api/v1/generations/{row.pk}/captions.vtt")
    assert found.headers["Content-Type"].startswith("text/vtt")
    assert found.content.decode().startswith("WEBVTT\n")
    assert LINE in found.content.decode()
    assert editor.get(f"/api/v1/generations/{row.pk}/captions.srt").status_code == 404
    assert editor.get(f"/api/v1/generations/{row.pk}/renditions").json() == []
    wrong = editor.post(f"/api/v1/generations/{row.pk}/renditions", {"parts": [[0, 90]]}, "application/json")
    assert wrong.status_code == 400
    assert wrong.json()["code"] == "bad_edit"

    submit.publish(row.pk, "editor")
    text = anybody.get(f"/credentials/{record}/captions.txt")
    assert text.status_code == 200
    assert text.content.decode().startswith("[00:0")
    assert LINE in text.content.decode()
    page = anybody.get(f"/credentials/{record}/").content.decode()
    assert f'<track kind="captions" src="/credentials/{record}/captions.vtt"' in page
    assert anybody.get(f"/credentials/{record}/captions.exe").status_code == 404

    assert cli.main(["rendition", str(row.pk), "--out", str(tmp_path / "said.vtt")]) == 0
    assert LINE in (tmp_path / "said.vtt").read_text()
    assert cli.main(["rendition", str(row.pk), "--out", str(tmp_path / "said.avi")]) == 64
    assert cli.main(["rendition", str(row.pk), "--out", str(tmp_path / "a.mp4"), "--part", "x"]) == 64
    capsys.readouterr()
