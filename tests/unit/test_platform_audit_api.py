"""The log's API and admin: who may read what, filters, proofs, and no way to write."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.db import transaction

from byline.audit import kinds, log, seal
from byline.audit.base import keyring
from byline.audit.verify import verify_proof
from byline.platform.database.roles import acting_as

pytestmark = pytest.mark.django_db(transaction=True)
kinds.register("test.api", required={"n": int})


@pytest.fixture
def entries():
    with transaction.atomic():
        made = [
            log.append("test.api", subject=f"n:{n % 2}", actor="user:1", payload={"n": n}) for n in range(6)
        ]
    with acting_as("sealer"):
        seal.seal_pending()
    return made


def user(*codenames: str, **more) -> User:
    made = User.objects.create_user(f"u{User.objects.count()}", password="x", **more)
    made.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return made


@pytest.fixture
def auditor(client):
    client.force_login(user("view_entry"))
    return client


def test_strangers_and_editors_do_not_list_entries(client, entries):
    assert client.get("/api/v1/audit/entries").status_code in (401, 403)
    client.force_login(user("add_generationrequest"))
    assert client.get("/api/v1/audit/entries").status_code == 403
    assert client.get(f"/api/v1/audit/entries/{entries[0].pk}/proof").status_code == 403


def test_filters_names_and_places(auditor, entries):
    found = auditor.get("/api/v1/audit/entries?subject=n:1&limit=2").json()
    assert found["count"] == 3
    assert [row["payload"]["n"] for row in found["results"]] == [5, 3]
    assert {row["name"] for row in found["results"]} == {"user:1"}
    assert found["results"][0]["index"] == 5
    assert auditor.get("/api/v1/audit/entries?since=2020-01-01&until=2020-02-01").json()["count"] == 0
    assert auditor.get("/api/v1/audit/entries?since=yesterday").status_code == 400


def test_a_proof_from_the_api_verifies(auditor, entries):
    proof = auditor.get(f"/api/v1/audit/entries/{entries[2].pk}/proof").json()
    assert verify_proof(proof, keyring.read("log_vkey").decode())["id"] == entries[2].pk
    assert auditor.get("/api/v1/audit/entries/999999/proof").status_code == 404
    assert json.loads(auditor.post("/api/v1/audit/entries", {}).content)["help"]


def test_the_story_of_ones_own_clip(client, make_clip):
    row = make_clip(title="Kite")
    client.force_login(user("add_generationrequest"))
    assert client.get(f"/api/v1/generations/{row.pk}/story").status_code == 404  # another editor's
    owner = User.objects.create_user("user:1", password="x")
    owner.user_permissions.add(Permission.objects.get(codename="add_generationrequest"))
    client.force_login(owner)
    told = client.get(f"/api/v1/generations/{row.pk}/story").json()
    assert told["model"] == "test-pattern 1"
    assert "user:1" not in json.dumps(told)  # names are for auditors


def test_the_admin_shows_and_changes_nothing(client, entries):
    client.force_login(user("view_entry", is_staff=True))
    page = client.get("/admin/byline_audit/entry/?q=n:1").content.decode()
    assert "test.api" in page
    assert "user:1" in page
    one = client.get(f"/admin/byline_audit/entry/{entries[1].pk}/change/").content.decode()
    assert "holds: leaf 1 of the tree of 6" in one
    assert client.post(f"/admin/byline_audit/entry/{entries[1].pk}/change/", {"kind": "x"}).status_code == 403
    assert (
        client.post(f"/admin/byline_audit/entry/{entries[1].pk}/delete/", {"post": "yes"}).status_code == 403
    )
    assert client.get("/admin/byline_audit/entry/add/").status_code == 403
