"""Rows of the public side: what became of a clip after publication, API tokens.

Promises: a change of a clip's state is one row and one log entry, never an edit of an older row; a
token is kept as its SHA-256, so that a copy of the database lets nobody in. Rows are written by
status.py, tokens.py and review/notices.py alone; reports are cases (byline.safety.review).
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

UNLIMITED = "unlimited_verification"


class StatusChange(models.Model):
    """One decision about a published clip. The newest row of a record is what holds.

    `reason` is public, `statement` too (one sentence for the clip's page); `note` is for reviewers.
    """

    class State(models.TextChoices):
        TAKEN_DOWN = "taken_down", "taken down"
        WITHDRAWN = "withdrawn", "consent withdrawn"
        RELABELLED = "relabelled", "relabelled"
        UNPUBLISHED = "unpublished", "unpublished"
        PUBLISHED = "published", "published again"

    class Reason(models.TextChoices):
        CONSENT = "consent_withdrawn", "a person withdrew their consent"
        LEGAL = "legal_order", "a court or an authority ordered it"
        RIGHTS = "rights", "somebody else holds rights in it"
        HARM = "harm", "it harms a person"
        MISLABELLED = "mislabelled", "its label was wrong"
        MISTAKE = "mistake", "it was published, or removed, by mistake"
        EDITORIAL = "editorial", "an editorial decision"

    record = models.UUIDField("record's public id", db_index=True)
    state = models.CharField(max_length=16, choices=State)
    reason = models.CharField(max_length=32, choices=Reason)
    statement = models.CharField(
        "public statement", max_length=300, blank=True, help_text="Shown to everybody. Name no person."
    )
    note = models.TextField("internal note", max_length=2000, blank=True, help_text="For reviewers only.")
    since = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=150, editable=False)

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="byline_platform_status_state",
                condition=Q(state__in=["taken_down", "withdrawn", "relabelled", "unpublished", "published"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.record}: {self.get_state_display()}"


class Notice(models.Model):
    """One mail about one decision: to the requester, or to the sender of `report`. It holds neither the words
    nor the address. Written by review/notices.py alone."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting to be sent"
        SENT = "sent", "handed to the mail server"
        NO_ADDRESS = "no_address", "nobody to send it to"
        GIVEN_UP = "given_up", "given up after several tries"

    decision = models.ForeignKey("byline_safety.Decision", on_delete=models.CASCADE, related_name="notices")
    report = models.ForeignKey(
        "byline_safety.Report", null=True, blank=True, on_delete=models.CASCADE, related_name="notices"
    )
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["not_before"], name="byline_notice_due", condition=Q(state="waiting"))
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["decision", "report"], name="byline_notice_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{'reporter' if self.report_id else 'requester'}, {self.get_state_display()}"

    def settle(self, state: str) -> None:
        """It needs no further try."""
        self.state, self.settled_at = state, timezone.now()
        self.save()


class ApiToken(models.Model):
    """Lets a program act as an account. What it may do are the account's permissions, no more."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="byline_tokens")
    name = models.CharField(max_length=100, help_text="Who uses it for what.")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created"]
        verbose_name = "API token"
        permissions: ClassVar = [(UNLIMITED, "Can verify files without a rate limit")]

    def __str__(self) -> str:
        return self.name


class ManifestId(models.Model):
    """The C2PA identifier (urn:c2pa:...) of a published record's manifest, to answer look-ups by it."""

    record = models.UUIDField(primary_key=True)
    label = models.CharField(max_length=200, unique=True)

    def __str__(self) -> str:
        return self.label
