"""Rows of the no-go lists. Written by `lists` alone; a list whose rows were changed by other hands no
longer has the digest that stands with it, and screening fails instead of trusting it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class HashList(models.Model):
    """One list: where it came from and what a match leads to."""

    name = models.SlugField(max_length=60, unique=True)
    source = models.CharField(max_length=200, help_text="Whose list it is, and its version.")
    category = models.CharField(max_length=40, help_text="Policy category that a match falls under.")
    action = models.CharField(max_length=10, choices=[("review", "review"), ("block", "block")])
    entries = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, help_text="SHA-256 over the sorted entries.")
    file_sha256 = models.CharField(max_length=64, blank=True)
    imported_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["review", "block"]), name="byline_safety_hashlist_action"
            ),
        ]

    def __str__(self) -> str:
        return f"no-go list {self.name}"


class HashEntry(models.Model):
    """One hash in hex; the database refuses a width that its type does not have."""

    list = models.ForeignKey(HashList, on_delete=models.CASCADE, related_name="rows")
    type = models.CharField(max_length=10)
    value = models.CharField(max_length=64)
    reference = models.CharField(max_length=100, blank=True)
    tags = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["list", "type", "value", "reference"], name="byline_safety_hashentry_once"
            ),
            models.CheckConstraint(
                condition=Q(type__in=["pdq", "phash256"], value__regex=r"^[0-9a-f]{64}$")
                | Q(type="phash", value__regex=r"^[0-9a-f]{16}$"),
                name="byline_safety_hashentry_width",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.list_id}"
