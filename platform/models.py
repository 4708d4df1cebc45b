"""Rows of the public side: what became of a clip after publication, API tokens.

Promises: a change of a clip's state is one row and one log entry, never an edit of an older row; a
token is kept as its SHA-256, so that a copy of the database lets nobody in. Rows are written by
status.py and tokens.py alone; reports are cases (byline.safety.review).
"""

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
