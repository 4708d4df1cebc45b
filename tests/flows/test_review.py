"""Review end to end: holds, refusals and reports become cases, decisions become what they say."""

import io
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import review_kit as kit
from django.test import Client
from PIL import Image
from pipeline_kit import ask, finish
from publication_kit import Signed, on_record, requested, sign

from byline.audit import fsck
from byline.audit.models import Entry
from byline.generation import pipeline, stage_runs, store, submit
from byline.generation.contracts import Artefact, Outcome, Stage, Verdict
from byline.generation.models import GenerationRequest
from byline.generation.stages import review_sheet
from byline.platform import status
from byline.platform.review import appeals, previews, reports
from byline.provenance import reading
from byline.provenance.digest import content_digest
from byline.provenance.models import Record
from byline.provenance.records import DatabaseRecords
from byline.provenance.trust import TrustBundle
from byline.provenance.verifier import verify
from byline.safety.checks import Check
from byline.safety.hashlists.models import HashEntry
from byline.safety.review import services
from byline.safety.review.errors import CannotBeDone
from byline.safety.review.models import Case, Report

# ---------------------------------------------------------------- with the pipeline


def moderated(action: str) -> list[Stage]:
    """The pipeline whose checks always say the same: what follows from that is what is tested here."""
    verdict = {"review": Verdict.HOLD, "block": Verdict.REJECT, "allow": Verdict.ALLOW}[action]
    check = Check("moderation.model", "available", action, category="violence", clause="V1 No wounds.")  # type: ignore[arg-type]

    def judge(request: Any, artefact: Artefact) -> Outcome:
        return Outcome(verdict, checks=(check,), produces={"policy_version": "test"}, category="violence")

    def screened(request: Any, artefact: Artefact) -> Outcome:
        return Outcome(Verdict.ALLOW)

    fixed = {"moderate": judge, "screen": screened}
    return [replace(stage, run=fixed.get(stage.name, stage.run)) for stage in pipeline.STAGES]


def test_a_hold_becomes_a_case_and_its_release_lets_the_job_go_on(small_pipeline: None):
    stages = moderated("review")
    row = finish(ask(), stages)
    assert row.state == "held"
    case = Case.objects.get(subject=row.subject)
    assert (case.source, case.category, case.excluded) == ("hold", "violence", [row.requester])
    kit.decide(case, "rita", "release")
    row = finish(row, stages)
    assert (row.state, row.error) == ("ready", {})
    told = appeals.of_request(row)[0].statement
    assert (told.automated, told.restricts) == (False, False)
    assert not Case.objects.filter(state="open").exists()
    fsck.fsck()


def test_a_refusal_that_an_appeal_overturns_is_tried_again_and_quotes_the_decision(small_pipeline: None):
    stages = moderated("block")
    row = finish(ask(), stages)
    assert row.state == "rejected"
    standing = appeals.of_request(row)[0]
    assert standing.statement.automated
    assert standing.appealable
    assert "without a person" in standing.statement.text()
    case = appeals.appeal_request(row, row.requester, "It is a court report; nobody is shown.")
    made = kit.decide(case, "ralf", "overturn")
    again = GenerationRequest.objects.exclude(pk=row.pk).get()
    assert (again.prompt, again.seed, again.state) == (row.prompt, row.seed, "submitted")
    quoted = Entry.objects.get(kind="generation.readmitted")
    assert (quoted.subject, quoted.payload["decision"]) == (again.subject, made.entry)
    again = finish(again, stages)
    assert (again.state, again.error) == ("ready", {})  # the same check says no, and is lifted
    row.refresh_from_db()
    assert row.state == "rejected"  # the refusal stays on record


def test_nobody_can_allow_what_has_no_exception(small_pipeline: None):
    reference = {"kind": "voice", "subject": "speaker-1", "sha256": "0" * 64}
    row = finish(ask(references=[reference]), moderated("allow"))
    assert (row.state, row.error_code) == ("rejected", "consent_missing")
    case = appeals.appeal_request(row, row.requester, "They agreed by telephone.")
    with pytest.raises(CannotBeDone, match="cannot be lifted"):
        kit.decide(case, "ralf", "overturn")
    case.refresh_from_db()
    assert case.state == "open"  # nothing was recorded
    assert kit.decide(case, "ralf", "uphold").outcome == "uphold"


def verdict_on(clip: GenerationRequest) -> str:
    """What the verifier says of the published file."""
    found = verify(
        store.read_path(clip.file_sha256),
        trust=TrustBundle.from_installation(),
        records=DatabaseRecords(),
        status=status.PublicationStatus(),
    )
    return str(found.as_dict()["verdict"])


def test_a_report_takes_a_clip_down_and_the_uploader_appeals(small_pipeline: None, client: Client):
    clip = finish(ask(title="High tide"), moderated("allow"))
    clip = submit.publish(clip.pk, actor="ed")
    record = clip.result["record"]
    form = {"kind": "harm", "message": "It shows my house on fire.", "record": record}
    sent = client.post("/verify/report/", form)
    report = Report.objects.get()
    assert f"/reports/{report.pk}/" in sent.content.decode()
    assert report.case.excluded == [clip.requester]

    kit.decide(report.case, "rita", "take_down", tags=["not_the_place"])
    assert verdict_on(clip) == "taken_down"
    assert client.get(f"/credentials/{record}/").status_code == 410
    known = status.of(record)
    assert known is not None
    assert known.state == "taken_down"
    assert HashEntry.objects.filter(reference=f"clip:record:{record}").exists()  # it stays down
    page = client.get(f"/reports/{report.pk}/").content.decode()
    assert "The clip was taken down" in page
    assert kit.WORDS["explanation"] not in page  # those words are for the uploader

    standing = appeals.of_request(clip)[0]
    assert standing.appealable
    assert kit.WORDS["explanation"] in standing.statement.text()
    appeal = appeals.appeal_request(clip, clip.requester, "It is another house.")
    with pytest.raises(services.OwnCase):
        services.take(appeal.pk, "rita")
    kit.decide(appeal, "ralf", "overturn")
    assert verdict_on(clip) == "intact"
    assert not HashEntry.objects.filter(reference=f"clip:record:{record}").exists()
    page = client.get(f"/credentials/{record}/").content.decode()
    assert "The place shown is invented" in page  # the known limit that the reviewer noted
    fsck.fsck()


# ---------------------------------------------------------------- with clips signed for a test

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def signed(byline_home: Path, tmp_path_factory: Any) -> Signed:
    return sign(tmp_path_factory.mktemp("review"), 91)


@pytest.fixture
def record(signed: Signed) -> Record:
    made = on_record(signed)
    requested(made)
    return made


def test_a_wrong_label_is_corrected_in_the_file_and_signed_anew(record: Record, client: Client):
    row = reports.store(kind="label", message="The voice is generated, too.", record=record.pk)
    before = record.sha256
    sentence = "The voice is generated, too."
    kit.decide(row.case, "rita", "relabel", public_statement=sentence)
    record.refresh_from_db()
    assert record.sha256 != before
    file = store.read_path(record.sha256)
    assert content_digest(file).hex == record.content_digest
    held = reading.read(file, TrustBundle.from_installation())
    assert (held.state, held.failures) == ("Trusted", ())
    parents = [item for item in held.ancestors if item.relationship == "parentOf"]
    assert [(item.title, item.credentials) for item in parents] == [("Clip 91", "trusted")]
    actions = str(held.assertion("c2pa.actions.v2"))
    assert "c2pa.edited.metadata" in actions
    assert sentence in actions
    assert sentence in client.get(f"/credentials/{record.pk}/").content.decode()
    entry = Entry.objects.get(kind="platform.label_corrected")
    assert (entry.payload["before"], entry.payload["after"]) == (before, record.sha256)


def test_a_dismissed_report_can_be_appealed_once_by_its_sender(record: Record, client: Client):
    row = reports.store(kind="harm", message="It harms me.", record=record.pk)
    page = f"/reports/{row.pk}/"
    assert "Nobody has decided yet" in client.get(page).content.decode()
    assert client.post(page, {"plea": "Now!"}).status_code == 409
    kit.decide(row.case, "rita", "keep")
    assert "Appeal" in client.get(page).content.decode()
    assert client.post(page, {"plea": "Look at second two."}).status_code == 302
    assert client.post(page, {"plea": "And again."}).status_code == 409
    appeal = Case.objects.get(source="appeal")
    assert {"rita", "user:1"} <= set(appeal.excluded)
    kit.decide(appeal, "ralf", "overturn", reason="policy")
    assert status.of(record.pk).state == "taken_down"  # type: ignore[union-attr]
    # The uploader hears of it for the first time, and may appeal it.
    clip = GenerationRequest.objects.get(result__record=str(record.pk))
    standing = appeals.of_request(clip)[0]
    assert standing.statement.restricts
    third = appeals.appeal_request(clip, "user:1", "It harms nobody.")
    kit.decide(third, "rosa", "overturn")
    assert status.of(record.pk).state == "published"  # type: ignore[union-attr]


def test_the_uploader_does_not_hear_of_a_report_that_was_dismissed(record: Record):
    row = reports.store(kind="harm", message="It harms me.", record=record.pk)
    kit.decide(row.case, "rita", "keep")
    assert appeals.of_request(GenerationRequest.objects.get(result__record=str(record.pk))) == []


def test_a_report_about_nothing_of_ours_can_only_be_kept(db: None):
    row = reports.store(kind="other", message="The page is slow.")
    with pytest.raises(CannotBeDone):
        kit.decide(row.case, "rita", "take_down")
    kit.decide(row.case, "rita", "keep")


@pytest.mark.parametrize("state", ["rejected", "cancelled"])
def test_a_hold_that_ends_elsewhere_closes_its_case(db: None, state: str):
    row, case = kit.held()
    if state == "cancelled":
        submit.cancel(row.pk, "ed")
    else:
        submit.reject(row.pk, "root", "from a shell", clause="P1", told="No.")
    case.refresh_from_db()
    assert (case.state, case.closed_because) == ("closed", f"the request is {state}")


def test_a_sampled_clip_that_should_not_be_is_withdrawn(record: Record):
    row = GenerationRequest.objects.get(result__record=str(record.pk))
    file = {"file_sha256": record.sha256, "serial": 91, "audio_id": 91}
    GenerationRequest.objects.filter(pk=row.pk).update(state="published", **file)
    case = services.open_case("sample", row.subject, excluded=[row.requester])
    kit.decide(case, "rita", "withdraw")
    assert status.of(record.pk).state == "taken_down"  # type: ignore[union-attr]


def test_previews_leave_the_server_blurred_until_somebody_chooses(record: Record, client: Client):
    client.force_login(kit.reviewer())
    case = reports.store(kind="harm", message="Look.", record=record.pk).case
    base = f"/api/v1/review/cases/{case.pk}"
    assert client.post(f"{base}/unblur").json()["code"] == "case_not_taken"
    client.post(f"{base}/take")
    blurred = Image.open(io.BytesIO(client.get(f"{base}/preview.jpg").content))
    assert client.get(f"{base}/clip.mp4").json()["code"] == "blurred"
    assert client.post(f"{base}/unblur").json()["evidence"]["blurred"] is False
    clear = Image.open(io.BytesIO(client.get(f"{base}/preview.jpg").content))
    assert client.get(f"{base}/clip.mp4").status_code == 200
    assert blurred.size == clear.size
    assert detail(clear) > 8 * detail(blurred)
    assert Entry.objects.filter(kind="safety.case_unblurred", subject=f"case:{case.pk}").count() == 1


def detail(picture: Image.Image) -> float:
    """Mean difference between neighbouring pixels, in grey levels."""

    grey = np.asarray(picture.convert("L"), float)
    return float(np.abs(np.diff(grey, axis=1)).mean())


def test_a_result_that_is_held_leaves_frames_for_its_reviewer(
    client: Client, django_capture_on_commit_callbacks: Any
):
    row, case = kit.held(stage="screen", held_in="generating")
    artefact = Artefact(workdir=store.attempt_directory(row.pk, 1))
    artefact.produced["engine"] = {"fps": 8.0}
    noise = np.random.default_rng(1).integers(0, 255, (2, 9, 96, 160, 3), np.uint8)
    artefact.memory["shots"] = list(noise)
    assert review_sheet.write(artefact, [Check("output.nudity", "available")]) == {}
    files = review_sheet.write(artefact, [Check("output.nudity", "available", "review")])
    outcome = Outcome(Verdict.ALLOW, files=files)
    row.runs.create(
        stage="screen", position=5, verdict="hold", passed=False, attempt=1, digest="0" * 64, seconds=0.1,
        files=stage_runs.make_durable(outcome, row, artefact),
    )  # fmt: skip
    client.force_login(kit.reviewer())
    base = f"/api/v1/review/cases/{case.pk}"
    assert client.get(base).json()["source"] == "screening"
    assert client.get(base).json()["evidence"]["preview"] is True
    blurred = Image.open(io.BytesIO(client.get(f"{base}/preview.jpg").content))
    client.post(f"{base}/take")
    client.post(f"{base}/unblur")
    clear = Image.open(io.BytesIO(client.get(f"{base}/preview.jpg").content))
    assert detail(clear) > 8 * detail(blurred)
    with django_capture_on_commit_callbacks(execute=True):
        kit.decide(case, "rita", "reject")
    assert not store.work_directory(row.pk).exists()
    row.refresh_from_db()
    appeal = appeals.appeal_request(row, "ed", "Nobody is naked there.")
    client.force_login(kit.reviewer("ralf"))
    base = f"/api/v1/review/cases/{appeal.pk}"
    assert client.get(f"{base}/preview.jpg").status_code == 200  # kept for the person who decides the appeal
    old = previews._kept(case.pk)
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    os.utime(old, (0, 0))
    previews.keep(appeal)
    assert client.get(f"{base}/preview.jpg").json()["code"] == "no_preview"
