"""Who may do what in review: every endpoint for every role, and the screens."""

import importlib
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import review_kit as kit
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from publication_kit import Signed, on_record, requested, sign

from byline.audit.models import Entry
from byline.generation.states import State
from byline.platform import inspection, tokens
from byline.platform.review import reports, roles
from byline.provenance.models import Record
from byline.safety.review import cases, services
from byline.safety.review.models import Case, Declaration, Report

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture(autouse=True)
def uncounted() -> None:
    cache.clear()


@pytest.fixture(scope="module")
def signed(byline_home: Path, tmp_path_factory: Any) -> Signed:
    return sign(tmp_path_factory.mktemp("matrix"), 92)


@pytest.fixture
def record(signed: Signed) -> Record:
    made = on_record(signed)
    requested(made)
    return made


ROLES = ("anonymous", "verifier", "editor", "other editor", "reviewer", "lead", "reviewer who asked")


@pytest.fixture
def people() -> dict[str, Client]:
    """A signed-in client per role. "editor" and "reviewer who asked" have requests of their own."""
    users = {
        "editor": kit.editor("ed"),
        "other editor": kit.editor("eve"),
        "reviewer": kit.reviewer("rita"),
        "lead": kit.reviewer("lea", lead=True),
        "reviewer who asked": kit.reviewer("rosa"),
    }
    found = {"anonymous": Client()}
    token = tokens.make("factcheck", "media", actor="test")
    found["verifier"] = Client(headers={"authorization": f"Bearer {token}"})
    for role, user in users.items():
        found[role] = Client()
        found[role].force_login(user)
    return found


OWN = {"reviewer who asked": 403}  # it may hold the words of whoever reported them
REVIEWERS = {"reviewer": 200, "lead": 200, "reviewer who asked": 200}
DECISION = {"outcome": "release", "reason": "context", "clause": "P1", "rationale": "News."}
# (method, address, body) -> status by role; anonymous and verifier: 401 unless given (a token opens no
# endpoint of signed-in people), everybody else 403.
MATRIX: list[tuple[str, str, Any, dict[str, int]]] = [
    ("get", "/review/cases", None, REVIEWERS),
    ("get", "/review/cases/{case}", None, REVIEWERS | OWN),
    ("post", "/review/cases/{case}/take", {}, REVIEWERS | OWN),
    ("post", "/review/cases/{case}/put-back", {}, REVIEWERS | OWN),
    ("post", "/review/cases/{case}/unblur", {}, dict.fromkeys(("reviewer", "lead"), 409)),
    ("post", "/review/cases/{case}/decide", DECISION, dict.fromkeys(("reviewer", "lead"), 409)),
    ("post", "/review/cases/{case}/assign", {"reviewer": "rita"}, {"lead": 200}),
    ("get", "/review/cases/{case}/preview.jpg", None, dict.fromkeys(REVIEWERS, 404) | OWN),
    ("get", "/review/cases/{case}/clip.mp4", None, dict.fromkeys(REVIEWERS, 403)),
    ("get", "/review/metrics", None, REVIEWERS),
    ("get", "/generations/{mine}/statements", None, {"editor": 200, "other editor": 404}),
    ("post", "/generations/{mine}/appeal", {"plea": "It is satire."}, {"editor": 201, "other editor": 404}),
    ("get", "/reports/{report}", None, dict.fromkeys(ROLES, 200)),
    ("post", "/reports/{report}/appeal", {"plea": "No!"}, dict.fromkeys(ROLES, 409)),
    ("post", "/declarations", {"synthetic": "true"}, {"editor": 400, "other editor": 400}),
]


@pytest.mark.parametrize(
    ("method", "address", "body", "wanted"), MATRIX, ids=[f"{line[0]} {line[1]}" for line in MATRIX]
)
def test_the_role_matrix(
    method: str, address: str, body: Any, wanted: dict[str, int], people: dict[str, Client]
):
    _, case = kit.held("rosa")
    mine = kit.request_in("rejected", "ed")
    report = cases.report("", kind="other", message="Hello.")
    names = {"case": case.pk, "mine": mine.pk, "report": report.pk}
    for role in ROLES:
        services.Case.objects.filter(pk=case.pk).update(assignee="", locked_until=None)
        more = {} if address == "/declarations" else {"content_type": "application/json"}
        answer = getattr(people[role], method)(API + address.format(**names), body, **more)
        unknown = 401 if role in {"anonymous", "verifier"} else 403
        assert answer.status_code == wanted.get(role, unknown), (role, answer.content[:300])
        if answer.status_code >= 400:
            assert {"code", "message", "help"} <= set(answer.json())


def test_the_groups_stand_ready_and_stay_as_a_site_left_them():
    lead = Group.objects.get(name=roles.LEADS)
    assert lead.permissions.filter(codename="assign_case").exists()
    reviewers = Group.objects.get(name=roles.REVIEWERS)
    names = set(reviewers.permissions.values_list("codename", flat=True))
    assert "review_case" in names
    assert not names & {"view_entry", "add_generationrequest", "view_generationrequest", "assign_case"}
    reviewers.permissions.clear()
    roles.ensure()
    assert not reviewers.permissions.exists()


def test_a_second_rating_looks_like_its_first(people: dict[str, Client]):
    row, case = kit.held("ed")
    kit.decide(case, "rita", "release")
    second = services.open_case(
        "second", row.subject, original=case, category=case.category, excluded=["rita"]
    )
    shown = people["lead"].get(f"{API}/review/cases/{second.pk}").json()
    assert shown["source"] == "hold"
    assert shown["outcomes"] == ["release", "reject"]
    assert shown["evidence"]["first"] is None
    assert shown["evidence"]["clip"] is None
    assert "rita" not in str(shown)
    assert str(second.pk) in str(people["lead"].get(f"{API}/review/cases").json())
    assert str(second.pk) not in str(people["reviewer"].get(f"{API}/review/cases").json())


def test_a_reviewer_sees_the_words_that_fired(people: dict[str, Client]):
    row, case = kit.held("ed")
    fired = {
        "text": "prompt",
        "category": "violence",
        "by": "rule.bomb",
        "reading": "a bomb",
        "spans": [[2, 6]],
    }
    row.runs.create(
        stage="moderate", position=1, verdict="hold", passed=False, attempt=1, digest="0" * 64, seconds=0.1,
        checks=[{"name": "moderation.rules", "status": "unavailable", "action": "allow"}],
        produces={"fired": [fired]},
    )  # fmt: skip
    found = people["reviewer"].get(f"{API}/review/cases/{case.pk}").json()["evidence"]["found"]
    assert found["fired"][0]["words"] == ["bomb"]
    assert found["checks"][0]["result"] == "not checked"
    assert "<mark>bomb</mark>" in people["reviewer"].get(page(case)).content.decode()


def test_a_finished_clip_is_sampled_by_the_seed(monkeypatch: Any):
    for percent, found in ((0, 0), (100, 1)):
        kit.draws(monkeypatch, allowed_percent=percent)
        row, _ = kit.held("ed")
        file = {"file_sha256": "0" * 64, "serial": percent + 1, "audio_id": percent + 1}
        kit.move(row, State.FINISHING, actor="system:pipeline")
        kit.move(row, State.READY, actor="system:pipeline", **file)
        assert Case.objects.filter(source="sample", subject=row.subject, excluded=["ed"]).count() == found
    kit.decide(Case.objects.get(source="sample"), "rita", "withdraw")
    row.refresh_from_db()
    assert (row.state, row.error_code) == ("rejected", "rejected_by_reviewer")


def test_assigning_needs_somebody_who_reviews(people: dict[str, Client]):
    _, case = kit.held("ed")
    address = f"{API}/review/cases/{case.pk}/assign"
    for name, code in (("ed", 400), ("nobody", 400), ("rita", 200), ("rosa", 200)):
        answer = people["lead"].post(address, {"reviewer": name}, content_type="application/json")
        assert answer.status_code == code
    assert people["reviewer"].post(f"{API}/review/cases/{case.pk}/take").json()["code"] == "case_locked"


# ---------------------------------------------------------------- declarations


@pytest.mark.parametrize(
    ("verdict", "synthetic", "accepted"),
    [
        ("recovered", "false", None),
        ("recovered", "true", True),
        ("nothing_found", "false", True),
        ("nothing_found", "true", True),
    ],
)
def test_a_declaration_that_contradicts_the_file_is_decided_by_a_person(
    people: dict[str, Client], monkeypatch: Any, verdict: str, synthetic: str, accepted: bool | None
):
    from django.core.files.uploadedfile import SimpleUploadedFile

    monkeypatch.setattr(inspection, "verify_descriptor", lambda *args: {"verdict": verdict})
    form = {"file": SimpleUploadedFile("a.mp4", b"bytes"), "synthetic": synthetic}
    answer = people["editor"].post(f"{API}/declarations", form)
    assert answer.status_code == 201, answer.content
    assert answer.json()["accepted"] is accepted
    row = Declaration.objects.get()
    entry = Entry.objects.get(kind="safety.declared")
    assert entry.payload == {"file": row.sha256, "synthetic": synthetic == "true", "found": verdict}
    if accepted is None:
        assert row.case is not None
        assert {clock["regime"] for clock in row.case.clocks} == {"house", "in_grievance"}
        kit.decide(row.case, "rita", "refuse")
        row.refresh_from_db()
        assert row.accepted is False


# ---------------------------------------------------------------- the admin


@pytest.fixture
def admin(people: dict[str, Client]) -> Client:
    return people["reviewer"]


def page(case: Case, rest: str = "change/") -> str:
    return f"/admin/byline_safety/case/{case.pk}/{rest}"


def test_a_reviewer_works_through_the_admin(admin: Client):
    row, case = kit.held("ed")
    listed = admin.get("/admin/byline_safety/case/").content.decode()
    assert "held by a check: real person" in listed
    shown = admin.get(page(case)).content.decode()
    assert "A kite at sea." in shown
    assert "Your decision" not in shown
    assert admin.post(page(case, "do/take/")).status_code == 302
    assert "Your decision" in admin.get(page(case)).content.decode()
    again = admin.post(page(case, "decide/"), {"outcome": "release"})
    assert again.status_code == 400
    assert "This field is required." in again.content.decode()
    unfit = admin.post(page(case, "decide/"), {**DECISION, "outcome": "reject"})
    assert unfit.status_code == 400
    assert "the reason is one of" in unfit.content.decode()
    done = admin.post(page(case, "decide/"), DECISION)
    assert done.status_code == 302
    row.refresh_from_db()
    assert row.state == "checking"
    settled = admin.get("/admin/byline_safety/case/?show=settled").content.decode()
    assert str(case.pk) in settled
    assert "The decision" in admin.get(page(case)).content.decode()


def test_the_admin_shows_no_case_to_whom_it_is_about(people: dict[str, Client]):
    _, case = kit.held("rosa")
    client = people["reviewer who asked"]
    assert str(case.pk) not in client.get("/admin/byline_safety/case/").content.decode()
    assert client.get(page(case)).status_code == 302
    client.post(page(case, "do/take/"))
    case.refresh_from_db()
    assert case.assignee == ""


@pytest.mark.parametrize("rest", ["do/take/", "do/unblur/", "decide/", "assign/"])
def test_an_editor_gets_nothing_done_in_the_admin(rest: str):
    client = Client()
    client.force_login(kit.account("staff", "view_case", staff=True))
    _, case = kit.held("ed")
    assert client.get(page(case)).status_code == 200  # may look
    assert "Take this case" not in client.get(page(case)).content.decode()
    assert client.post(page(case, rest), DECISION).status_code == 403
    assert client.get(page(case, "preview.jpg")).status_code == 403
    assert client.get("/admin/byline_safety/case/figures/").status_code == 403


def test_the_figures_are_shown(admin: Client):
    assert "no figure yet" in admin.get("/admin/byline_safety/case/figures/").content.decode()
    for unknown in (f"{uuid.uuid4()}/change/", "nonsense/change/"):
        assert admin.get(f"/admin/byline_safety/case/{unknown}").status_code == 302


# ---------------------------------------------------------------- editors and the public


def test_an_editor_reads_the_reasons_and_appeals_in_the_cms():
    user = kit.account("ed", "add_generationrequest", "access_admin")
    client = Client()
    client.force_login(user)
    mine, other = kit.request_in("rejected", "ed"), kit.request_in("rejected", "eve")
    address = f"/cms/generate/{mine.pk}/appeal/"
    shown = client.get(address).content.decode()
    assert "by a program, without a person" in shown
    assert "P1 A real person" in shown
    assert client.get(f"/cms/generate/{other.pk}/appeal/").status_code == 404
    assert client.post(address, {"plea": "It is satire."}).status_code == 302
    assert "You appealed on" in client.get(address).content.decode()
    assert "What was overlooked?" not in client.get(address).content.decode()
    assert "appealed before" in client.post(address, {"plea": "Again."}, follow=True).content.decode()
    assert Case.objects.get(source="appeal").excluded == ["ed"]


def test_a_report_says_what_is_missing_and_keeps_what_was_written(client: Client, record: Record):
    form = {"kind": "harm", "message": "", "contact": "me@example.org", "record": str(record.pk)}
    answer = client.post("/verify/report/", form)
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "Say what we should know" in text
    assert 'value="me@example.org"' in text
    assert 'aria-invalid="true"' in text
    assert str(record.pk) in text
    assert not Report.objects.exists()


def test_the_state_of_a_report_names_the_rules_that_set_its_time(client: Client, record: Record):
    row = reports.store(kind="intimate", message="It is me.", record=record.pk)
    text = client.get(f"/reports/{row.pk}/").content.decode()
    assert "TAKE IT DOWN Act" in text
    assert "It is me." not in text  # whoever finds the address does not read the words
    told = client.get(f"{API}/reports/{row.pk}").json()
    assert (told["kind"], told["decided"]) == ("intimate", None)


# ---------------------------------------------------------------- what was there before


def test_reports_of_earlier_versions_become_cases():
    moved = importlib.import_module("byline.platform.migrations.0002_reports_are_cases")
    about, now = uuid.uuid4(), timezone.now()
    blank = {"kind": "label", "message": "m", "contact": "", "verdict": "", "record": None, "outcome": ""}
    blank |= {"created": now, "handled_at": None}
    rows = [
        SimpleNamespace(**blank | {"id": uuid.uuid4(), **more})
        for more in (
            {"record": about},
            {"record": about, "contact": "me@example.org"},
            {"handled_at": now, "outcome": "Looked at again: correct."},
            {},
        )
    ]
    old = SimpleNamespace(objects=SimpleNamespace(order_by=lambda name: rows))
    tables = {"Feedback": old, "Case": Case, "Report": Report}
    moved.to_cases(SimpleNamespace(get_model=lambda app, name: tables[name]), None)
    assert Report.objects.count() == 4
    assert Report.objects.get(pk=rows[1].id).contact == "me@example.org"
    assert Case.objects.get(subject=f"record:{about}").reports.count() == 2
    assert "Looked at again" in Case.objects.get(state="closed").closed_because
    assert Case.objects.filter(state="open").count() == 2
