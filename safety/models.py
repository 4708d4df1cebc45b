"""Consents: who allowed what of theirs to be used, how and until when.

Promises: a row holds a pseudonym, scopes, uses, dates and hashes, and nothing that could identify a
person by itself: no name, no biometric template, no recording. A form is recorded once (the hash
of the signed evidence is unique), so an old form cannot be recorded again as a new consent. Rows
are revoked, never deleted, as long as clips made under them exist.
"""

from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models

_HEX64 = RegexValidator(r"\A[0-9a-f]{64}\Z", "64 lowercase hexadecimal digits are needed")


class Consent(models.Model):
    """One signed consent. `subject` is the operator's pseudonym for the person or the estate."""

    class SubjectKind(models.TextChoices):
        PERSON = "person"
        ESTATE = "estate"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject_kind = models.CharField(max_length=10, choices=SubjectKind)
    subject = models.CharField(max_length=100, db_index=True)
    scopes = models.JSONField(help_text='What may be used: a list of "voice" and "face".')
    uses = models.JSONField(help_text="Purposes it may be used for, e.g. newsroom, advertising.")
    # SHA-256 of the very recordings or pictures that may serve as reference: a consent for one
    # recording is not one for whatever else is found of the person.
    references = models.JSONField(help_text="SHA-256 of each reference file that it covers.")
    evidence_sha256 = models.CharField(max_length=64, unique=True, validators=[_HEX64])
    created = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(subject_kind__in=["person", "estate"]), name="byline_safety_consent_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(evidence_sha256__regex=r"^[0-9a-f]{64}$"),
                name="byline_safety_consent_evidence",
            ),
        ]

    def __str__(self) -> str:
        return f"consent {self.id}"


class PolicyActivation(models.Model):
    """One approval of a policy file; the last row names the one in force (activation.py)."""

    sha256 = models.CharField(max_length=64, validators=[_HEX64])
    version = models.CharField(max_length=100)
    activated_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sha256__regex=r"^[0-9a-f]{64}$"), name="byline_safety_policy_sha256"
            ),
        ]

    def __str__(self) -> str:
        return f"policy {self.version}"


# Django finds models here; they live beside the code that writes them.
from byline.safety.hashlists.models import HashEntry, HashList  # noqa: E402
from byline.safety.review.models import (  # noqa: E402
    Case,
    Decision,
    Declaration,
    KnownLimit,
    Look,
    Report,
)

__all__ = [
    "Case",
    "Consent",
    "Decision",
    "Declaration",
    "HashEntry",
    "HashList",
    "KnownLimit",
    "Look",
    "PolicyActivation",
    "Report",
]
