"""What people said of finished clips: thumbs with tags, and which of two takes of one prompt is better."""

from django.db import models
from django.db.models import F, Q

TAGS = ("prompt", "motion", "physics", "artefact", "text", "sound", "people")


class Opinion(models.Model):
    """One person's thumb for one clip; a second one replaces it. `tags` say what it is about."""

    request = models.ForeignKey(
        "byline_generation.GenerationRequest", on_delete=models.CASCADE, related_name="opinions"
    )
    rater = models.CharField(max_length=150)
    up = models.BooleanField()
    tags = models.JSONField(default=list, blank=True)
    at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "byline_generation"
        constraints = [
            models.UniqueConstraint(fields=["request", "rater"], name="byline_gen_one_opinion"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {'up' if self.up else 'down'}"


class Preference(models.Model):
    """That one person found `better` better than `worse`; both are of one prompt. The last word counts."""

    better = models.ForeignKey(
        "byline_generation.GenerationRequest", on_delete=models.CASCADE, related_name="preferred"
    )
    worse = models.ForeignKey(
        "byline_generation.GenerationRequest", on_delete=models.CASCADE, related_name="not_preferred"
    )
    rater = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "byline_generation"
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["better", "worse", "rater"], name="byline_gen_one_preference"),
            models.CheckConstraint(name="byline_gen_two_takes", condition=~Q(better=F("worse"))),
        ]

    def __str__(self) -> str:
        return f"{self.better_id} over {self.worse_id}"
