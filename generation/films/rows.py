"""Rows of a film: the project, every version of its storyboard, and the standing of each step.

A version is never changed: an edit, a retake or a new draft is a row of its own that says who made it.
The raw texts stay in these rows; the audit log holds salted commitments to them. What is made of a
film are requests (`GenerationRequest.film`), each with the scenes it was made from.
"""

import hashlib
import hmac
import json
import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from byline.audit.commit import commitment, new_salt

STEPS = ("script", "shots", "voice", "music", "assemble")


class Film(models.Model):
    """One film. `owner` names a person as `GenerationRequest.requester` does."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.CharField(max_length=150, db_index=True)
    brief = models.TextField(blank=True)  # what it was drafted from; "" for a storyboard that was given
    brand = models.CharField(max_length=64)
    profile = models.CharField(max_length=64)
    seed = models.BigIntegerField()
    options = models.JSONField(default=dict, blank=True)  # intake.options: size, engine, voice, music ...
    salt = models.BinaryField(default=new_salt, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "byline_generation"
        ordering = ["-created_at"]
        constraints = [models.CheckConstraint(name="byline_film_seed", condition=Q(seed__gte=0))]

    def __str__(self) -> str:
        return f"film {self.id}"

    @property
    def subject(self) -> str:
        """How audit entries name this film."""
        return f"film:{self.id}"

    @property
    def current(self) -> "FilmVersion":
        """The latest version; a film always has one."""
        return self.versions.order_by("-number")[0]

    def commit(self, field: str, value: str) -> str:
        """Commitment to one text, under a salt of its own that is derived from the row's."""
        salt = hmac.new(bytes(self.salt), field.encode(), hashlib.sha256).digest()
        return commitment(value, salt)


class FilmVersion(models.Model):
    """The storyboard as it stood after one change. `seeds` has one per shot; `change` says what was done,
    in our words, and `shots` which shots (from 1) are not as they were."""

    film = models.ForeignKey(Film, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    storyboard = models.JSONField()  # script.storyboard.as_dict
    seeds = models.JSONField()
    change = models.CharField(max_length=64)
    shots = models.JSONField(default=list)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "byline_generation"
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["film", "number"], name="byline_film_one_number")]

    def __str__(self) -> str:
        return f"{self.film_id} version {self.number}: {self.change}"

    def text(self) -> str:
        """The storyboard as one text, for a commitment."""
        return json.dumps([self.storyboard, self.seeds], sort_keys=True, ensure_ascii=False)


class FilmStep(models.Model):
    """How one step stands, for one version of the film. `request` is what a step that generates asked for;
    whether that is made yet is the request's own state (`standing`)."""

    class State(models.TextChoices):
        OPEN = "open"  # nothing was made, or what was made is of an older version
        STARTED = "started"  # asked for; `request` knows the rest
        MADE = "made"  # waits for a person
        APPROVED = "approved"
        REJECTED = "rejected"

    film = models.ForeignKey(Film, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=16, choices=[(name, name) for name in STEPS])
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    version = models.PositiveIntegerField(default=0)
    runs = models.PositiveIntegerField(default=0)
    actor = models.CharField(max_length=150, blank=True)  # who ran it last
    request = models.ForeignKey(
        "byline_generation.GenerationRequest", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    result = models.JSONField(default=dict, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "byline_generation"
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["film", "name"], name="byline_film_one_step"),
            models.CheckConstraint(
                name="byline_film_decided_by",
                condition=~Q(state__in=["approved", "rejected"])
                | (~Q(decided_by="") & Q(decided_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.film_id} {self.name}: {self.state}"

    def standing(self) -> str:
        """The state a person is told: of a step that was started, the state of its request."""
        if self.state != self.State.STARTED or self.request is None:
            return str(self.state)
        made: Any = self.request.state
        return str(self.State.MADE) if made in {"ready", "published"} else str(made)
