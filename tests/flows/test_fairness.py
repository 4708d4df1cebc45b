"""Balanced people from the brief to the report: CMS, API, admin, command line."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client

from byline.audit.base.errors import MissingWeights
from byline.generation import measuring, rewrites
from byline.generation.models import GenerationRequest, QuotaLedger, Rewrite, StageRun
from byline.platform.cli import main
from byline.platform.fairness import words
from byline.platform.fairness.report import report

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

pytestmark = pytest.mark.django_db(transaction=True)
PROMPT = "A doctor walks along a canal."
BRIEF = {"prompt": PROMPT, "brand": "byline", "seconds": "6", "debias": "on"}


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", password="correct horse battery"))
    return client


def decided(**fields: Any) -> GenerationRequest:
    row = kit.ask(prompt=PROMPT, **fields)
    with transaction.atomic():
        rewrites.draw_for(row, PROMPT)
    return row


def test_the_editor_sees_the_wording_and_accepts_it(admin: Client) -> None:
    page = admin.post("/cms/generate/", BRIEF)
    assert not GenerationRequest.objects.exists()
    proposal = page.context["proposal"]
    text = page.content.decode()
    assert "<ins>" in text
    assert proposal.changes[0].replacement in text
    answered = admin.post("/cms/generate/", {**BRIEF, "rewrite": str(proposal.id), "answer": "accept"})
    row = GenerationRequest.objects.get()
    assert answered.url == f"/cms/generate/{row.pk}/"
    assert (row.rewrite.decision, row.rewrite.proposed) == ("accepted", proposal.proposed)
    shown = admin.get(answered.url).content.decode()
    assert proposal.proposed in shown
    assert PROMPT in shown


@pytest.mark.parametrize(("answer", "decision"), [("edit", "edited"), ("refuse", "refused")])
def test_editing_and_refusing_ask_for_the_reason(admin: Client, answer: str, decision: str) -> None:
    proposal = admin.post("/cms/generate/", BRIEF).context["proposal"]
    own = {**BRIEF, "rewrite": str(proposal.id), "answer": answer, "edited_prompt": "A female doctor walks."}
    again = admin.post("/cms/generate/", own)
    assert again.status_code == 400
    assert again.context["proposal"].id == proposal.id
    assert "needs a reason" in again.content.decode()
    admin.post("/cms/generate/", {**own, "debias_reason": "Our doctor is known to viewers."})
    row = GenerationRequest.objects.get()
    assert row.rewrite.decision == decision
    assert row.edited_prompt == ("A female doctor walks." if answer == "edit" else "")
    assert QuotaLedger.counts("byline") == {}


def test_unticking_needs_a_reason_on_the_brief_itself(admin: Client) -> None:
    page = admin.post("/cms/generate/", {"prompt": PROMPT, "brand": "byline", "seconds": "6"})
    assert set(page.context["form"].errors) == {"debias_reason"}
    answered = admin.post(
        "/cms/generate/",
        {"prompt": PROMPT, "brand": "byline", "seconds": "6", "debias_reason": "Known doctor."},
    )
    assert answered.status_code == 302
    assert GenerationRequest.objects.get().rewrite.decision == "refused"


def test_the_api_proposes_and_takes_the_answer(client: Client) -> None:
    editor = User.objects.create_user("editor", password="correct horse battery")
    editor.user_permissions.set(Permission.objects.filter(codename="add_generationrequest"))
    client.force_login(editor)

    def post(where: str, **data: Any) -> Any:
        return client.post(f"/api/v1/{where}", data, content_type="application/json")

    found = post("rewrites", prompt=PROMPT)
    assert found.status_code == 201
    body = found.json()
    change = body["changes"][0]
    assert body["original"][change["start"] : change["end"]] == change["original"]
    assert post("generations", prompt=PROMPT, debias=False).json()["code"] == "reason_needed"
    gone = post("generations", prompt="A nurse waves.", rewrite=body["id"])
    assert (gone.status_code, gone.json()["code"]) == (409, "proposal_gone")
    made = post("generations", prompt=PROMPT, rewrite=body["id"])
    assert made.status_code == 202
    assert made.json()["rewrite"]["final"] == body["proposed"]
    assert post("rewrites", prompt="Barack Obama waves.").json()["left"] == "named"
    assert post("rewrites", prompt="").status_code == 400
    assert post("rewrites", prompt="x", brand="nowhere").json()["code"] == "unknown_brand"
    assert client.get("/api/v1/fairness").status_code == 403


def test_the_report_counts_before_and_after_and_tells_what_is_open(admin: Client) -> None:
    for seed in range(18):
        decided(seed=seed)
    kit.ask(prompt=PROMPT, debias=False, debias_reason="The film is about one doctor.")
    found = report("byline")
    assert found.prompts == 19
    assert found.decisions == {"automatic": 18, "refused": 1}
    assert found.before["gender"].open == 19
    assert found.after["gender"].open == 1
    assert found.after["gender"].balance.counts == {"woman": 9, "man": 9}
    assert found.after["gender"].balance.ratio.value == 1.0
    assert found.ledger.entropy.value == pytest.approx(1.0)
    assert found.outputs.why.startswith("not measured")
    data = admin.get("/api/v1/fairness?brand=byline").json()
    assert data == json.loads(json.dumps(found.as_dict()))
    assert "doctor" not in json.dumps(data)
    said = words.text(found)
    assert "woman 50.0% (target 50.0%)" in said
    assert "not measured" in said
    page = admin.get("/admin/byline_generation/rewrite/report/?brand=byline")
    assert page.status_code == 200
    assert "not measured" in page.content.decode()
    assert admin.get("/admin/byline_generation/rewrite/").status_code == 200
    row = Rewrite.objects.first()
    assert admin.get(f"/admin/byline_generation/rewrite/{row.pk}/change/").status_code == 200
    assert admin.get("/admin/byline_generation/rewrite/report/?since=soon").status_code == 400
    assert admin.get("/api/v1/fairness?since=2026-02-01&until=2026-01-01").status_code == 400
    assert admin.get("/api/v1/fairness?brand=nowhere").json()["code"] == "unknown_brand"


def test_editors_who_turn_some_people_down_more_often_are_seen() -> None:
    for seed in range(12):
        found = rewrites.propose(prompt=PROMPT, requester="user:1", seed=seed)
        refuse = "dark-skinned" in found.proposed
        kit.ask(prompt=PROMPT, rewrite=found.id, debias=not refuse, debias_reason="No." if refuse else "")
    down = report("byline").turned_down["skin"]
    assert down["light-skinned"][0] == 0
    assert down["dark-skinned"][0] == down["dark-skinned"][1] > 0


def test_outputs_are_compared_with_the_target_once_they_are_measured() -> None:
    values = {
        "gender": {"woman": ["woman"], "man": ["man"]},
        "age": {"adult": ["young", "middle-aged"], "older": ["older"]},
    }
    for number in range(6):
        row = decided(seed=number)
        shots = [{"gender": "man" if number else "woman", "age": "adult"}, None]
        people = {"status": "measured", "why": "", "classifier": "probe-1", "accuracy": {"gender": 0.9}}
        StageRun.objects.create(
            request=row, stage="engine", position=5, verdict="allow", passed=True, attempt=1, digest="",
            seconds=1,
            produces={"people": people | {"values": values, "shots": shots}},
        )  # fmt: skip
    outputs = report("byline").outputs
    assert (outputs.clips, outputs.people, outputs.nobody) == (6, 6, 6)
    assert outputs.sides["gender"].counts == {"woman": 1, "man": 5}
    assert outputs.sides["age"].target == {"adult": pytest.approx(2 / 3), "older": pytest.approx(1 / 3)}
    assert outputs.sides["gender"].gap.value == pytest.approx(1 / 3)


def test_what_cannot_be_measured_says_so(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shots = [np.zeros((3, 64, 112, 3), np.uint8)]
    assert measuring.people(shots, "byline-starter", "a red ball")["status"] == "not measured"
    elsewhere = measuring.people(shots, "another-model", "a doctor waves")
    assert elsewhere["status"] == "not measured"
    assert "this engine's people" in elsewhere["why"]
    settings.BYLINE = {**settings.BYLINE, "FAIRNESS": {"CLASSIFIER": {"CLASS": "nowhere.Nothing"}}}
    assert measuring.people(shots, "byline-starter", "a doctor waves")["status"] == "not measured"

    def broken() -> Any:
        raise MissingWeights("gone")

    monkeypatch.setattr(measuring.classifiers, "configured", broken)
    assert measuring.people(shots, "byline-starter", "a doctor waves")["why"] == MissingWeights.code


def test_the_command_prints_a_report_and_repeats_a_draw(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    row = decided(seed=3)
    assert main(["fairness", "report", "--brand", "byline"]) == 0
    assert "Bias report of byline" in capsys.readouterr().out
    out = tmp_path / "report.json"
    assert main(["fairness", "report", "--json", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["prompts"] == 1
    assert main(["fairness", "replay", str(row.pk)]) == 0
    assert "the same: 1 people" in capsys.readouterr().out
    assert main(["fairness", "replay", "nobody"]) == 64
    Rewrite.objects.update(rules="other")
    assert main(["fairness", "replay", str(row.pk)]) == 70
