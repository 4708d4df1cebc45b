"""Mail about decisions: who gets one, what it says, and what happens when the mail server is away."""

from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
import review_kit as kit
from django.core import mail
from django.core.mail.backends import locmem
from django.utils import timezone

from byline.platform.models import Notice
from byline.platform.review import notices, reports


@pytest.fixture(autouse=True)
def _mail(settings: Any, monkeypatch: Any, db: None) -> None:
    settings.BYLINE = {**settings.BYLINE, "REVIEW_MAIL_FROM": "review@byline.example"}
    kit.draws(monkeypatch)


def refused() -> Notice:
    """The notice of a held request of "ed" that a reviewer refused."""
    _, case = kit.held()
    kit.decide(case, "rita", "reject")
    return Notice.objects.get()


def with_address(name: str = "ed") -> None:
    user = kit.editor(name)
    user.email = f"{name}@byline.example"
    user.save()


def test_the_requester_gets_the_statement_of_reasons_and_no_reviewer_is_named():
    with_address()
    notice = refused()
    assert notices.deliver() == 1
    [sent] = mail.outbox
    assert (sent.to, sent.from_email) == (["ed@byline.example"], "review@byline.example")
    assert kit.WORDS["explanation"] in sent.body
    assert "/statements" in sent.body
    assert "rita" not in sent.body
    assert kit.WORDS["rationale"] not in sent.body
    notice.refresh_from_db()
    assert notice.state == "sent"
    assert notices.deliver() == 0


def test_each_reporter_who_left_an_address_hears_of_it_and_the_others_do_not():
    row = reports.store(kind="other", message="The page is slow.", contact="reader@example.org")
    kit.decide(row.case, "rita", "keep")
    assert notices.deliver() == 1
    [sent] = mail.outbox
    assert sent.to == ["reader@example.org"]
    assert f"/reports/{row.pk}/" in sent.body
    silent = reports.store(kind="other", message="The page is slow.")
    kit.decide(silent.case, "rita", "keep")
    assert notices.deliver() == 0


def test_an_address_that_is_none_or_was_removed_meanwhile_ends_the_notice():
    row = reports.store(kind="other", message="The page is slow.", contact="ask for me at the desk")
    kit.decide(row.case, "rita", "keep")
    without = refused_without_account()
    assert notices.deliver() == 0
    assert mail.outbox == []
    assert set(Notice.objects.values_list("state", flat=True)) == {"no_address"}
    assert without.settled_at is None  # as it was read before the delivery


def refused_without_account() -> Notice:
    _, case = kit.held()
    kit.decide(case, "ralf", "reject")
    return Notice.objects.get(report=None)


def test_a_mail_server_that_is_away_delays_a_notice_and_its_error_names_no_address(
    monkeypatch: Any, caplog: Any
):
    def away(*_: Any) -> int:
        raise SMTPServerDisconnected("ed@byline.example: go away")

    with_address()
    notice = refused()
    sends = locmem.EmailBackend.send_messages
    monkeypatch.setattr(locmem.EmailBackend, "send_messages", away)
    assert notices.deliver() == 0
    notice.refresh_from_db()
    assert (notice.state, notice.tries) == ("waiting", 1)
    assert notice.not_before > timezone.now() + timedelta(minutes=1)
    assert "ed@byline.example" not in caplog.text
    assert notices.deliver() == 0  # not due
    monkeypatch.setattr(locmem.EmailBackend, "send_messages", sends)
    Notice.objects.update(not_before=timezone.now())
    assert notices.deliver() == 1


def test_it_is_given_up_after_some_hours_and_says_so(monkeypatch: Any):
    def away(*_: Any) -> int:
        raise ConnectionRefusedError

    with_address()
    notice = refused()
    monkeypatch.setattr(locmem.EmailBackend, "send_messages", away)
    for _ in range(notices.TRIES):
        Notice.objects.update(not_before=timezone.now())
        notices.deliver()
    notice.refresh_from_db()
    assert notice.state == "given_up"


def test_nothing_is_queued_where_no_sender_is_set(settings: Any):
    settings.BYLINE = {**settings.BYLINE, "REVIEW_MAIL_FROM": ""}
    _, case = kit.held()
    kit.decide(case, "rita", "reject")
    assert not Notice.objects.exists()
