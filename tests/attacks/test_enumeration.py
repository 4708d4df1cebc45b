"""Trying ids must teach nothing: what is not public answers like what does not exist, byte for byte."""

import base64
import re
import secrets
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from publication_kit import Signed, on_record, sign

from byline.audit.base import keyring
from byline.platform import status
from byline.platform.api.throttles import LookupThrottle, ReportThrottle
from byline.provenance import ids, reading
from byline.provenance.models import Record
from byline.provenance.trust import TrustBundle

pytestmark = pytest.mark.django_db
BASE = "/softbinding/v1"
VIDEO, AUDIO = "io.byline.video.ss64.2", "io.byline.audio.ss32.2"


@pytest.fixture(scope="module")
def clips(byline_home: Path, tmp_path_factory: Any) -> list[Signed]:
    folder = tmp_path_factory.mktemp("enumeration")
    return [sign(folder, serial) for serial in (51, 52, 53, 54)]


@pytest.fixture
def hidden(clips: list[Signed]) -> list[Record]:
    """Never published, unpublished again, taken down, consent withdrawn: in this order."""
    made = [on_record(clips[0], published=False), *(on_record(clip) for clip in clips[1:])]
    for record, state in zip(made[1:], ("unpublished", "taken_down", "withdrawn"), strict=True):
        status.change(record.pk, state, reason="editorial", actor="reviewer")
    return made


@pytest.fixture(autouse=True)
def uncounted(monkeypatch: Any) -> None:
    """The allowance is what stops a patient stranger; here it would only stop the test."""
    for throttle in (LookupThrottle, ReportThrottle):
        monkeypatch.setattr(throttle, "allow_request", lambda *args: True)


def label(signed: Signed) -> str:
    return reading.read_store(signed.manifest, TrustBundle.empty()).label


def said(response: Any) -> tuple[int, bytes, dict[str, str]]:
    """Everything that a stranger can compare."""
    return response.status_code, response.content, dict(response.headers)


def binding(client: Client, alg: str, number: int, digits: int) -> Any:
    value = base64.b64encode(f"{number:0{digits}x}".encode()).decode()
    return client.get(f"{BASE}/matches/byBinding", {"alg": alg, "value": value})


def test_a_thousand_manifest_ids_and_those_of_hidden_clips_answer_alike(
    client: Client, clips: list[Signed], hidden: list[Record]
):
    wanted = [f"urn:c2pa:{uuid.uuid4()}" for _ in range(1000)] + [label(clip) for clip in clips]
    answers = {str(said(client.get(f"{BASE}/manifests/{name}"))) for name in wanted}
    assert len(answers) == 1
    assert "(404," in answers.pop()


def test_a_thousand_mark_ids_and_those_of_hidden_clips_answer_alike(
    client: Client, clips: list[Signed], hidden: list[Record]
):
    key = keyring.read("id")
    forged = [secrets.randbits(64) for _ in range(500)]
    authentic = [ids.new_mark_id(secrets.randbits(40), key) for _ in range(500)]  # of no record
    numbers = [*forged, *authentic, *(clip.mark_id for clip in clips)]
    assert {str(said(binding(client, VIDEO, number, 16))) for number in numbers} == {
        str(said(binding(client, VIDEO, forged[0], 16)))
    }
    sounds = [*(secrets.randbits(32) for _ in range(100)), *(clip.audio_id for clip in clips)]
    answers = {str(said(binding(client, AUDIO, number, 8))) for number in sounds}
    assert len(answers) == 1
    assert '"matches":[]' in answers.pop()


def test_a_thousand_public_ids_and_those_of_hidden_clips_answer_alike(client: Client, hidden: list[Record]):
    """A clip that was taken down was public, and its page says so: that is its promise, not a leak."""
    unpublished = [str(record.pk) for record in hidden[:2]]
    wanted = [str(uuid.uuid4()) for _ in range(250)] + unpublished
    for name in ("", "clip.mp4", "manifest.c2pa", "crjson.json"):
        pages = [client.get(f"/credentials/{one}/{name}") for one in wanted]
        # Django's plain 404 page does not repeat the address.
        assert len({str(said(page)) for page in pages}) == 1
        assert pages[0].status_code == 404


def test_the_report_form_does_not_tell_which_ids_exist(client: Client, hidden: list[Record]):
    from byline.safety.review.models import Report

    answers = set()
    for record in (hidden[0].pk, uuid.uuid4()):
        form = {"kind": "remove", "message": "Take it down.", "record": str(record)}
        status, content, headers = said(client.post("/verify/report/", form))
        report = Report.objects.latest("created")
        assert report.case.subject == ""
        own = re.sub(rb"by \d+ \w+ \d{4}, \d\d:\d\d", b"by then", content)  # the clock, to the minute
        own = own.replace(str(report.pk).encode(), b"its random id")
        answers.add(str((status, own, {k: v for k, v in headers.items() if k != "Content-Length"})))
    assert len(answers) == 1


def test_the_report_page_of_a_hidden_clip_is_that_of_none(client: Client, hidden: list[Record]):
    wanted = [hidden[0].pk, hidden[1].pk, uuid.uuid4()]
    pages = {str(said(client.get(f"/credentials/{one}/report/"))) for one in wanted}
    assert len(pages) == 1
    assert "(404," in pages.pop()
    assert client.get(f"/credentials/{hidden[2].pk}/report/").status_code == 200  # it was taken down
    states = {client.get(f"/reports/{uuid.uuid4()}/").status_code for _ in range(3)}
    assert states == {404}


def test_public_ids_say_nothing_about_order_or_number(clips: list[Signed]):
    made = [on_record(clip).pk for clip in clips]
    assert all(record.version == 4 for record in made)  # 122 random bits
    assert len({label(clip) for clip in clips}) == len(clips)
