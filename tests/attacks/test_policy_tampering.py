"""Attack: somebody with write access to the policy file makes it softer while the site runs."""

from pathlib import Path
from typing import Any

import pytest
from pipeline_kit import ask

from byline.audit import log
from byline.audit.models import Entry
from byline.generation import runner, submit
from byline.generation.models import GenerationRequest
from byline.platform import checks
from byline.safety import activation, policy
from byline.safety.activation import PolicyNotActive
from byline.safety.models import PolicyActivation

pytestmark = pytest.mark.django_db(transaction=True)
WAVING = "Jorun Balke waves"
STRICT = "extends: shipped\nversion: ours\nno_go_people: [{name: Jorun Balke}]\n"
SOFT = "extends: shipped\nversion: ours\n"


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> Path:
    """The site's policy, approved."""
    path = tmp_path / "policy.yaml"
    path.write_text(STRICT)
    settings.BYLINE = {**settings.BYLINE, "POLICY_FILE": path}
    activation.activate(policy.load(), actor="user:1")
    return path


def light(row: GenerationRequest) -> GenerationRequest:
    """Take it through the stages of the light queue."""
    runner.run(row.pk, "light", wake_next=lambda *_: None)
    row.refresh_from_db()
    return row


def released(row: GenerationRequest) -> GenerationRequest:
    submit.release(row.pk, "reviewer:2", "Looks fine to me.", wake_worker=lambda *_: None)
    return light(row)


def test_the_approved_policy_decides(file: Path) -> None:
    assert light(ask(prompt=WAVING)).state == "rejected"
    assert light(ask(prompt="a red kite")).state == "queued"


def test_nothing_is_accepted_under_a_file_that_was_never_approved(file: Path) -> None:
    file.write_text(SOFT)
    with pytest.raises(PolicyNotActive):
        ask(prompt=WAVING)
    assert not GenerationRequest.objects.exists()


def test_what_is_under_way_is_held_and_no_reviewer_can_lift_that(file: Path) -> None:
    row = ask(prompt=WAVING)
    file.write_text(SOFT)
    assert light(row).state == "held"
    assert row.held_for == ["policy.active:failed"]
    assert released(row).state == "held"
    file.write_text(STRICT)
    assert released(row).state == "rejected"


def test_a_harmless_request_goes_on_once_the_approved_file_is_back(file: Path) -> None:
    row = ask(prompt="a red kite")
    file.write_text(SOFT)
    assert light(row).state == "held"
    file.write_text(STRICT)
    assert released(row).state == "queued"


def test_a_file_that_changes_between_two_reads_is_seen_by_the_stage_itself(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ask(prompt=WAVING)
    approved, calls = policy.load(), []
    file.write_text(SOFT)
    real = policy.load

    def first_the_approved_one(path: Path | None = None) -> policy.Policy:
        calls.append(path)
        return approved if len(calls) == 1 else real(path)

    monkeypatch.setattr(policy, "load", first_the_approved_one)
    assert light(row).state == "held"


def test_an_add_on_beside_the_policy_cannot_be_swapped(file: Path) -> None:
    (file.parent / "jurisdictions").mkdir()
    place = file.parent / "jurisdictions" / "home.yaml"
    place.write_text("title: Home\nsource: ours\ntighten: {pii: {review_from: 0.1, cites: Art. 1}}\n")
    file.write_text(STRICT + "jurisdictions: [home]\n")
    activation.activate(policy.load(), actor="user:1")
    ask(prompt="a red kite")
    place.write_text(place.read_text().replace("0.1", "0.9"))
    with pytest.raises(PolicyNotActive):
        ask(prompt="a red kite")


def test_a_row_added_to_the_table_of_activations_is_not_believed(file: Path) -> None:
    file.write_text(SOFT)
    PolicyActivation.objects.create(sha256=policy.load().sha256, version="forged")
    with pytest.raises(PolicyNotActive, match="different"):
        ask(prompt=WAVING)
    assert [m.id for m in checks.check_policy_activated(databases=["default"])] == ["byline.E014"]


def test_rows_removed_from_the_table_do_not_free_the_site(file: Path) -> None:
    PolicyActivation.objects.all().delete()
    with pytest.raises(PolicyNotActive):
        ask(prompt="a red kite")


def test_the_row_stands_in_once_old_entries_are_in_the_archive(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation.log, "by_subject", lambda subject: Entry.objects.none())
    assert ask(prompt="a red kite").state == "submitted"
    file.write_text(SOFT)
    with pytest.raises(PolicyNotActive):
        ask(prompt="a red kite")


def test_activation_is_on_the_record_and_is_the_way_to_change(file: Path) -> None:
    before = policy.load()
    file.write_text(SOFT)
    after = policy.load()
    assert [m.id for m in checks.check_policy_activated(databases=["default"])] == ["byline.E014"]
    activation.activate(after, actor="user:1")
    assert list(checks.check_policy_activated(databases=["default"])) == []
    entry = log.by_subject(activation.SUBJECT).last()
    assert entry is not None
    assert (entry.payload["before"], entry.payload["sha256"]) == (before.sha256, after.sha256)
    assert entry.actor.startswith("person:")
    row = light(ask(prompt=WAVING))
    assert row.runs.get(stage="moderate").produces["policy_version"] == after.version


def test_a_site_that_never_approved_its_policy_is_told_so(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(SOFT)
    assert list(checks.check_policy_activated(databases=["default"])) == []
    settings.BYLINE = {**settings.BYLINE, "POLICY_FILE": path}
    assert [m.id for m in checks.check_policy_activated(databases=["default"])] == ["byline.W015"]
    assert ask(prompt="a red kite").state == "submitted"
