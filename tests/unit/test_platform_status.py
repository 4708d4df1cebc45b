"""What became of a clip: who decides, what strangers hear, what the log keeps."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from publication_kit import Signed, on_record, requested, sign

from byline.audit import pseudonyms
from byline.audit.models import Entry
from byline.platform import cli, status
from byline.platform.models import StatusChange
from byline.provenance.models import Record
from byline.safety import consent

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def signed(byline_home: Path, tmp_path_factory: Any) -> Signed:
    return sign(tmp_path_factory.mktemp("status"), 31)


@pytest.fixture
def record(signed: Signed) -> Record:
    return on_record(signed)


def state(record: Record) -> str | None:
    found = status.of(record.pk)
    return found.state if found else None


def change(record: Record, to: str, reason: str = "rights", **more: str) -> StatusChange:
    return status.change(record.pk, to, reason=reason, actor="reviewer", **more)


def test_a_published_clip_is_published_and_an_unknown_one_is_nothing(record: Record):
    assert state(record) == "published"
    assert status.of(uuid.uuid4()) is None
    assert status.of("not an id") is None


def test_an_unpublished_clip_is_nothing_to_strangers_and_named_to_the_verifier(signed: Signed):
    hidden = on_record(signed, published=False)
    assert state(hidden) is None
    found = status.PublicationStatus().status(str(hidden.pk))
    assert found is not None
    assert found.state == "unpublished"


def test_a_takedown_holds_is_logged_and_is_never_an_edit(record: Record):
    change(record, "taken_down", note="a private remark", statement="The clip showed a wrong place.")
    found = status.of(record.pk)
    assert found is not None
    assert (found.state, found.reason) == ("taken_down", "The clip showed a wrong place.")
    assert found.since.endswith("Z")
    entry = Entry.objects.get(kind="platform.status_changed", subject=f"record:{record.pk}")
    assert entry.payload == {"record": str(record.pk), "state": "taken_down", "reason": "rights"}
    assert "private remark" not in str(found)
    change(record, "published", "mistake")
    assert state(record) == "published"
    assert StatusChange.objects.filter(record=record.pk).count() == 2


def test_unpublishing_makes_it_look_as_if_it_had_never_been(record: Record):
    change(record, "unpublished", "editorial")
    record.refresh_from_db()
    assert (record.published, state(record)) == (False, None)
    change(record, "published", "mistake")
    assert state(record) == "published"


def test_what_was_never_public_cannot_be_changed(signed: Signed):
    hidden = on_record(signed, published=False)
    for record_id in (hidden.pk, uuid.uuid4()):
        with pytest.raises(status.NoSuchRecord):
            status.change(record_id, "published", reason="mistake", actor="reviewer")
    hidden.refresh_from_db()
    assert not hidden.published
    assert not StatusChange.objects.exists()


@pytest.mark.parametrize("bad", [{"to": "burnt"}, {"to": "taken_down", "reason": "because"}])
def test_states_and_reasons_are_those_of_the_table(record: Record, bad: dict[str, str]):
    with pytest.raises(ValidationError):
        change(record, **bad)
    assert state(record) == "published"


def a_consent() -> consent.Consent:
    return consent.record(
        subject_kind="person",
        subject="p-1",
        scopes=["voice"],
        uses=["newsroom"],
        references=["a" * 64],
        expires_at=timezone.now() + timedelta(days=30),
        evidence_sha256=uuid.uuid4().hex * 2,
        actor="reviewer",
    )


def test_a_revoked_consent_withdraws_every_clip_that_relied_on_it_at_once(record: Record):
    given, other = a_consent(), a_consent()
    voice = {"kind": "voice", "subject": "p-1", "sha256": "a" * 64, "consent": str(given.pk)}
    requested(record, references=[{"kind": "face", "subject": "p-2", "consent": "broken"}, voice])
    consent.revoke(other.pk, actor="reviewer")
    assert state(record) == "published"
    revoked = consent.revoke(given.pk, actor="reviewer")
    found = status.of(record.pk)
    assert found is not None
    assert found.state == "withdrawn"
    assert found.since[:10] == revoked.revoked_at.strftime("%Y-%m-%d")
    assert "p-1" not in str(found)
    assert str(given.pk) not in str(found)


def test_what_a_reviewer_decided_after_the_withdrawal_holds(record: Record):
    given = a_consent()
    requested(record, references=[{"kind": "voice", "subject": "p-1", "consent": str(given.pk)}])
    consent.revoke(given.pk, actor="reviewer")
    change(record, "published", "mistake")
    assert state(record) == "published"


# ---------------------------------------------------------------- what strangers see


def test_pages_of_a_gone_clip_say_since_when_and_show_nothing(record: Record, client: Client):
    base = f"/credentials/{record.pk}/"
    assert client.get(base).status_code == 200
    change(record, "taken_down", statement="It harmed a person.")
    page = client.get(base)
    assert page.status_code == 410
    text = page.content.decode()
    assert "taken down" in text
    assert "It harmed a person." in text
    assert "Clip 31" not in text
    for name in ("clip.mp4", "manifest.c2pa", "crjson.json"):
        gone = client.get(base + name)
        assert gone.status_code == 410
        assert b"taken down on 20" in gone.content


def test_a_relabelled_clip_is_shown_with_its_new_label(record: Record, client: Client):
    change(record, "relabelled", "mislabelled", statement="The voice is generated, too.")
    page = client.get(f"/credentials/{record.pk}/")
    assert page.status_code == 200
    assert "The voice is generated, too." in page.content.decode()


def test_the_command_takes_down_and_says_what_holds(record: Record, capsys: Any, monkeypatch: Any):
    from byline.platform.cli import session

    monkeypatch.setattr(session, "database", lambda: __import__("contextlib").nullcontext())
    assert cli.main(["takedown", str(record.pk), "--reason", "legal_order"]) == 0
    assert "taken_down since" in capsys.readouterr().out
    assert state(record) == "taken_down"
    assert cli.main(["takedown", str(record.pk)]) == 0  # looking changes nothing
    assert StatusChange.objects.count() == 1
    assert cli.main(["takedown", "nonsense", "--reason", "rights"]) == 64
    assert cli.main(["takedown", str(uuid.uuid4()), "--reason", "rights"]) == 70


# ---------------------------------------------------------------- the admin


@pytest.fixture
def reviewer(client: Client) -> Client:
    user = User.objects.create_user("reviewer", password="correct horse battery", is_staff=True)
    wanted = ["view_statuschange", "add_statuschange", "view_record"]
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client.force_login(user)
    return client


def test_a_reviewer_takes_a_clip_down_in_the_admin(reviewer: Client, record: Record):
    chosen = {"action": "decide", "_selected_action": [str(record.pk)]}
    answer = reviewer.post("/admin/byline_provenance/record/", chosen)
    assert f"record={record.pk}" in answer["Location"]
    form = {"record": str(record.pk), "state": "taken_down", "reason": "harm", "statement": "", "note": ""}
    assert reviewer.post("/admin/byline_platform/statuschange/add/", form).status_code == 302
    row = StatusChange.objects.get()
    assert (row.actor, state(record)) == ("reviewer", "taken_down")
    assert Entry.objects.get(kind="platform.status_changed").actor == pseudonyms.actor("reviewer")
    assert reviewer.get(f"/admin/byline_platform/statuschange/{row.pk}/change/").status_code == 200
    assert reviewer.post(f"/admin/byline_platform/statuschange/{row.pk}/change/", form).status_code == 403


def test_the_admin_refuses_an_id_that_was_never_public(reviewer: Client):
    form = {"record": str(uuid.uuid4()), "state": "taken_down", "reason": "harm"}
    answer = reviewer.post("/admin/byline_platform/statuschange/add/", form)
    assert "No published clip has this id." in answer.content.decode()
