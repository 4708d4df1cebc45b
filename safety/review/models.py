"""Rows of review: cases, reports from the public, decisions, looks at what is blurred, limits, declarations.

Promises: a case is decided at most once and a decision is never edited (the database refuses a second one,
`Decision.save` a change); a report holds what the person wrote and no address of the sender; subjects are
plain ids. Account names stand in these rows and never in the log. Rows are written by services.py alone.
"""

import hashlib
import hmac
import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from byline.audit.commit import commitment, new_salt
from byline.safety.review.rules import SOURCES

REVIEW, ASSIGN = "review_case", "assign_case"


class Case(models.Model):
    """One question that a person has to answer. `subject` is "request:<uuid>", "record:<uuid>",
    "upload:<hex>" or "" (a report about no clip of ours); `original` the case that an appeal or second
    rating is about."""

    class Source(models.TextChoices):
        HOLD = "hold", "held by a check"
        SCREENING = "screening", "held by screening of the result"
        REPORT = "report", "report from the public"
        APPEAL = "appeal", "appeal"
        DECLARATION = "declaration", "an uploader's declaration"
        SAMPLE = "sample", "random sample of allowed clips"
        SECOND = "second", "second rating"
        REPEAT = "repeat", "repeated rating"

    class State(models.TextChoices):
        OPEN = "open"
        DECIDED = "decided"
        CLOSED = "closed", "closed without a decision"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.CharField(max_length=16, choices=Source)
    subject = models.CharField(max_length=200, blank=True, db_index=True)
    category = models.CharField(max_length=64, blank=True)
    kind = models.CharField("kind of report", max_length=16, blank=True)
    original = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="later"
    )
    facts = models.JSONField(default=dict, help_text="What was known when it was opened; no prompt.")
    plea = models.TextField("the appellant's words", max_length=2000, blank=True)
    excluded = models.JSONField(default=list, help_text="Accounts that may not decide it.")
    only = models.CharField(max_length=150, blank=True)  # a repeated rating is for this person alone

    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    closed_because = models.CharField(max_length=200, blank=True)
    priority = models.PositiveSmallIntegerField()
    clocks = models.JSONField(default=list, help_text="Every duty with its source, the nearest first.")
    opened_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    assignee = models.CharField(max_length=150, blank=True)
    locked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["priority", "due_at"]
        permissions: ClassVar = [
            (REVIEW, "Can take and decide cases"),
            (ASSIGN, "Can give cases to others and take them away"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["priority", "due_at"], name="byline_review_queue", condition=Q(state="open"))
        ]
        constraints: ClassVar = [
            models.CheckConstraint(name="byline_review_source", condition=Q(source__in=SOURCES)),
            models.CheckConstraint(
                name="byline_review_state",
                condition=Q(state="open", settled_at__isnull=True)
                | Q(state__in=["decided", "closed"], settled_at__isnull=False),
            ),
            models.CheckConstraint(
                name="byline_review_lock",
                condition=Q(assignee="", locked_until__isnull=True)
                | (~Q(assignee="") & Q(locked_until__isnull=False)),
            ),
            models.UniqueConstraint(
                name="byline_review_one_open",
                fields=["subject", "source"],
                condition=Q(state="open", source__in=["hold", "screening", "report", "sample"])
                & ~Q(subject=""),
            ),
            # One appeal per decision: a person's by its case, a machine's by what it was about.
            models.UniqueConstraint(
                name="byline_review_one_appeal", fields=["original"], condition=Q(source="appeal")
            ),
            models.UniqueConstraint(
                name="byline_review_one_appeal_auto",
                fields=["subject"],
                condition=Q(source="appeal", original__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()} {str(self.pk)[:8]}"

    @property
    def log_subject(self) -> str:
        return f"case:{self.pk}"

    @property
    def rated_as(self) -> str:
        """The source that says which outcomes there are: for a second rating, that of its first."""
        return self.original.source if self.is_rating and self.original else self.source

    @property
    def is_rating(self) -> bool:
        """A second look that only measures: its decision changes nothing."""
        return self.source in {self.Source.SECOND, self.Source.REPEAT}

    @property
    def overdue(self) -> bool:
        return self.state == self.State.OPEN and self.due_at < timezone.now()

    def held_by(self, now: Any = None) -> str:
        """Who has it at this moment; "" when nobody does or their time ran out."""
        moment = now or timezone.now()
        return self.assignee if self.locked_until and self.locked_until > moment else ""


class Report(models.Model):
    """ "This is wrong", from anybody. The id is the reporter's secret: its page says what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reports")
    kind = models.CharField(max_length=16)
    message = models.TextField(max_length=2000)
    contact = models.CharField(max_length=254, blank=True)
    country = models.CharField(max_length=8, blank=True)
    verdict = models.CharField(max_length=32, blank=True)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["created"]

    def __str__(self) -> str:
        return f"{self.kind} ({self.created:%Y-%m-%d})"


class Decision(models.Model):
    """What was decided, why, under which clause, by whom. `entry` is the id of its entry in the log, which
    holds a salted commitment to `rationale` and `explanation` instead of their words."""

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="decision")
    outcome = models.CharField(max_length=16)
    reason = models.CharField(max_length=32)
    clause = models.CharField(max_length=300)
    policy_version = models.CharField(max_length=64)
    rationale = models.TextField(max_length=2000)
    explanation = models.TextField(max_length=2000, blank=True)
    public_statement = models.CharField(max_length=300, blank=True)
    tags = models.JSONField(default=list)
    reviewer = models.CharField(max_length=150)
    decided_at = models.DateTimeField(default=timezone.now)
    salt = models.BinaryField(default=new_salt, editable=False)
    entry = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["-decided_at"]

    def __str__(self) -> str:
        return f"{self.outcome} ({self.decided_at:%Y-%m-%d})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("a decision is never edited; a later case replaces it")
        super().save(*args, **kwargs)

    def commit(self, field: str) -> str:
        """The commitment that the log holds to one text, under a salt of its own."""
        salt = hmac.new(bytes(self.salt), field.encode(), hashlib.sha256).digest()
        return commitment(getattr(self, field), salt)


class Look(models.Model):
    """That somebody chose to see a preview without the blur, and until when it stays so for them."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="looks")
    reviewer = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.reviewer} at {self.at:%Y-%m-%d %H:%M}"


class KnownLimit(models.Model):
    """A tag that a reviewer set on a subject; its notice stands on the clip's page."""

    subject = models.CharField(max_length=200)
    tag = models.CharField(max_length=32)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="limits")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="byline_review_one_limit", fields=["subject", "tag"])
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.tag}"


class Declaration(models.Model):
    """What an uploader says of a file: made by AI or not. `found` is what verification said of it;
    `accepted` None while a person has to decide."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sha256 = models.CharField(max_length=64, db_index=True)
    declarant = models.CharField(max_length=150)
    synthetic = models.BooleanField()
    found = models.CharField(max_length=32)
    accepted = models.BooleanField(null=True)
    case = models.OneToOneField(
        Case, null=True, blank=True, on_delete=models.PROTECT, related_name="declaration"
    )
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-created"]

    def __str__(self) -> str:
        return f"{'AI' if self.synthetic else 'not AI'}: {self.sha256[:12]}"
