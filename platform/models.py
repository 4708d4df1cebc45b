"""Rows of the public side: what became of a clip after publication, reports from the public, API tokens.

Promises: a change of a clip's state is one row and one log entry, never an edit of an older row; a
report holds what the person wrote and the verdict, never the file and no address of the sender; a
token is kept as its SHA-256, so that a copy of the database lets nobody in. Rows are written by
status.py, feedback.py and tokens.py alone.
"""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

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


class Feedback(models.Model):
    """ "This is wrong", from anybody. `record` is set when the verdict was about a clip of ours."""

    class Kind(models.TextChoices):
        VERDICT = "verdict", "The answer is wrong"
        LABEL = "label", "The clip is wrongly labelled"
        REMOVE = "remove", "The clip should be taken down"
        OTHER = "other", "Something else"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=Kind)
    message = models.TextField(max_length=2000)
    contact = models.CharField(max_length=254, blank=True)
    verdict = models.CharField(max_length=32, blank=True)
    record = models.UUIDField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.CharField(max_length=150, blank=True)
    outcome = models.TextField("what was done", max_length=2000, blank=True)

    class Meta:
        ordering: ClassVar = ["-created"]
        verbose_name_plural = "reports from the public"
        indexes: ClassVar = [
            models.Index(
                fields=["created"], name="byline_platform_fb_open", condition=Q(handled_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.created:%Y-%m-%d})"


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
