"""Attacks on review: judging one's own, deciding what another holds, appealing to the same person, racing."""

import threading
import uuid
from typing import Any

import pytest
import review_kit as kit
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from byline.audit.models import Entry
from byline.generation import submit
from byline.generation.models import GenerationRequest
from byline.platform.review import appeals, effects
from byline.safety.review import cases, services
from byline.safety.review.errors import CannotBeDone, CaseLocked, CaseSettled, OwnCase
from byline.safety.review.models import Case, Decision

pytestmark = pytest.mark.django_db
DECISION = {"outcome": "release", "reason": "context", "clause": "P1", "rationale": "Fine by me."}


def call(who: str, case: Case, what: str, body: Any = None) -> Any:
    client = Client()
    client.force_login(User.objects.get(username=who))
    return client.post(f"/api/v1/review/cases/{case.pk}/{what}", body or {}, content_type="application/json")


def test_a_reviewer_cannot_approve_their_own_request():
    kit.reviewer("rita")
    row, case = kit.held("rita")
    for what in ("take", "decide"):
        answer = call("rita", case, what, DECISION)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_case")
    # Nor when a lead, or a lock from before, gives it to them.
    with pytest.raises(OwnCase):
        services.assign(case.pk, "rita", actor="lea")
    kit.reviewer("lea", lead=True)
    assert call("lea", case, "assign", {"reviewer": "rita"}).status_code == 403
    row.refresh_from_db()
    assert row.state == "held"
    assert not Decision.objects.exists()


def test_a_case_that_another_holds_cannot_be_decided():
    kit.reviewer("rita")
    kit.reviewer("ralf")
    row, case = kit.held()
    assert call("rita", case, "take").status_code == 200
    for what in ("take", "decide", "unblur", "put-back"):
        answer = call("ralf", case, what, DECISION)
        assert (answer.status_code, answer.json()["code"]) == (409, "case_locked")
    row.refresh_from_db()
    assert row.state == "held"
    assert call("rita", case, "decide", DECISION).status_code == 200
    answer = call("rita", case, "decide", DECISION)
    assert (answer.status_code, answer.json()["code"]) == (409, "case_settled")


def test_an_appeal_does_not_come_back_to_whom_it_is_against():
    kit.reviewer("rita")
    row, case = kit.held()
    kit.decide(case, "rita", "reject")
    appeal = appeals.appeal_request(GenerationRequest.objects.get(pk=row.pk), "ed", "It is satire.")
    for what in ("take", "decide"):
        answer = call("rita", appeal, what, DECISION)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_case")
    with pytest.raises(OwnCase):
        services.assign(appeal.pk, "rita", actor="lea")
    assert appeal not in cases.queue("rita")
    kit.decide(appeal, "ralf", "overturn")
    again = GenerationRequest.objects.exclude(pk=row.pk).get()
    assert again.releases[0]["reasons"] == ["moderation.rules:review"]


def test_a_second_rater_is_not_the_first():
    row, case = kit.held()
    kit.decide(case, "rita", "release")
    second = services.open_case("second", row.subject, original=case, excluded=["ed", "rita"])
    with pytest.raises(OwnCase):
        services.take(second.pk, "rita")


@pytest.mark.parametrize("category", ["minors", "intimate_imagery"])
def test_no_reviewer_and_no_appeal_opens_what_has_no_exception(category: str):
    row = kit.request_in("rejected", "ed", error_category=category)
    appeal = appeals.appeal_request(row, "ed", "Please.")
    with pytest.raises(CannotBeDone):
        kit.decide(appeal, "ralf", "overturn")
    assert not GenerationRequest.objects.exclude(pk=row.pk).exists()
    with pytest.raises(submit.states.IllegalTransition):
        submit.readmit(row.pk, "root", "because", decision=1)


def test_what_a_decision_says_cannot_be_changed_without_being_noticed():
    _, case = kit.held()
    made = kit.decide(case, "rita", "release")
    entry = Entry.objects.get(pk=made.entry)
    Decision.objects.filter(pk=made.pk).update(rationale="Something else.")
    made = Decision.objects.get(pk=made.pk)
    assert made.commit("rationale") != entry.payload["rationale"]


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_decide_once():
    """Both believe that they hold it: one of them decides, the other is told."""
    _, case = kit.held()
    services.take(case.pk, "rita")
    start, said = threading.Barrier(2), []

    def work(reason: str) -> None:
        start.wait()
        try:
            services.decide(case.pk, "rita", **{**DECISION, "reason": reason}, carry_out=effects.carry_out)
            said.append("decided")
        except CaseSettled:
            said.append("settled")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(reason,)) for reason in ("context", "false_alarm")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(said) == ["decided", "settled"]
    assert Decision.objects.count() == Entry.objects.filter(kind="safety.case_decided").count() == 1


@pytest.mark.django_db(transaction=True)
def test_reports_that_come_at_once_are_one_case():
    subject = f"record:{uuid.uuid4()}"
    start, failed = threading.Barrier(4), []

    def work() -> None:
        start.wait()
        try:
            for _ in range(5):
                cases.report(subject, kind="harm", message="Down with it.")
        except Exception as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    case = Case.objects.get()
    assert case.reports.count() == 20
    assert case.priority == cases.rulebook.load().priority("report", "harm")


def test_a_lock_cannot_be_taken_over_while_it_holds():
    _, case = kit.held()
    services.take(case.pk, "rita")
    with pytest.raises(CaseLocked):
        services.take(case.pk, "ralf")
    with pytest.raises(CaseLocked):
        services.put_back(case.pk, "ralf")
