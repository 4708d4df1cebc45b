"""Mail to the people a decision concerns: the requester and each reporter who left an address.

Promises: a notice is queued in the decision's own transaction and holds no words and no address; both are
looked up when it is sent, so that a reporter's address that was removed meanwhile is not kept here. A mail
server that is away delays a notice and loses none; after `TRIES` it is given up and stays in the table.
Without `BYLINE["REVIEW_MAIL_FROM"]` nothing is queued.
"""

import logging
from datetime import timedelta
from urllib.parse import urljoin

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from byline.audit.base import conf
from byline.platform.models import Notice
from byline.platform.review import appeals, subjects
from byline.safety.review import statements
from byline.safety.review.models import Decision, Report

logger = logging.getLogger(__name__)

TRIES = 8  # with the pauses below, somewhat over four hours
_PER_ROUND = 20  # the sweeper has other duties


def queue(decision: Decision) -> None:
    """Remember who has to hear of a decision. Called inside its transaction."""
    if not conf.get("REVIEW_MAIL_FROM"):
        return
    case = decision.case
    if appeals.concerns_requester(decision) and subjects.of_case(case).requester:
        Notice.objects.create(decision=decision)
    about = case.original if case.original is not None else case
    for report in about.reports.exclude(contact=""):
        Notice.objects.create(decision=decision, report=report)


def deliver() -> int:
    """Send what is due, once; returns how many went out. Several processes share the work."""
    sent = 0
    for _ in range(_PER_ROUND):
        with transaction.atomic():
            now = timezone.now()
            waiting = Notice.objects.filter(state=Notice.State.WAITING, not_before__lte=now)
            notice = waiting.select_for_update(skip_locked=True).order_by("not_before").first()
            if notice is None:
                return sent
            message = _message(notice)
            if message is None:
                notice.settle(Notice.State.NO_ADDRESS)
                continue
            try:
                message.send()
            except OSError as error:  # smtplib's errors are OSErrors
                # The class alone: the text of an SMTP error quotes the address.
                logger.warning("notice %d was not sent (%s)", notice.pk, type(error).__name__)
                notice.tries += 1
                notice.not_before = now + timedelta(minutes=2**notice.tries)
                if notice.tries >= TRIES:
                    notice.state = Notice.State.GIVEN_UP
                notice.save()
                return sent
            notice.settle(Notice.State.SENT)
            sent += 1
    return sent


def _message(notice: Notice) -> EmailMessage | None:
    """The mail as it reads today; None when there is nobody to send it to any more."""
    composed = _to_reporter(notice.report) if notice.report else _to_requester(notice.decision)
    if composed is None:
        return None
    address, subject, body = composed
    try:
        validate_email(address)
    except ValidationError:
        return None
    return EmailMessage(subject, body, conf.get("REVIEW_MAIL_FROM"), [address])


def _to_requester(decision: Decision) -> tuple[str, str, str] | None:
    row = subjects.of_case(decision.case).request
    if row is None:
        return None
    user = get_user_model().objects.filter(username=row.requester, is_active=True).first()
    if user is None:
        return None
    path = reverse("byline:generation-statements", args=[row.pk])
    told = statements.of_decision(decision).text()
    body = f"{told}\nTo read it again or to appeal, sign in: {_address(path)}\n"
    return user.email, f"A decision about your request {str(row.pk)[:8]}", body


def _to_reporter(report: Report) -> tuple[str, str, str] | None:
    standing = appeals.of_report(report)
    if standing is None:
        return None
    path = reverse("byline:report-status", args=[report.pk])
    body = (
        f"{standing.statement.text()}\nTo read it again or to appeal, keep this address: {_address(path)}\n"
    )
    return report.contact, "What became of your report", body


def _address(path: str) -> str:
    return urljoin(conf.get("PUBLIC_BASE_URL"), path)
