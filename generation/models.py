"""Rows of the making of a clip: the request (the truth about a job), its stage runs, the effects
already applied and the quota ledger.

The raw texts stay in the request's row and nowhere else; logs and audit entries hold salted
commitments to them. The database refuses what must never be: an unknown state, a ready request
without a file, a second effect of the same kind. Files are in `store.py`, transitions in
`transitions.py`.
"""

import hashlib
import hmac
import uuid
from typing import Any

from django.db import models
from django.db.models import F, Q

from byline.audit.commit import commitment, new_salt
from byline.generation.states import ACTIVE, State
from byline.generation.verdict import summary

MAX_SECONDS = 60  # of a clip of one prompt
FILM_SECONDS = 180  # of a film, made shot by shot
MAX_SEED = 2**63 - 1
SERIAL_BITS = 40
AUDIO_BITS = 32
STATES = [(state.value, state.value) for state in State]
ACTIVE_NAMES = sorted(state.value for state in ACTIVE)
HAS_FILE = [State.READY.value, State.PUBLISHED.value]


class GenerationRequest(models.Model):
    """One request for a clip. `id` is 122 random bits and doubles as the public address of the job."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=16, choices=STATES, default=State.SUBMITTED.value)
    requester = models.CharField(max_length=150, db_index=True)

    prompt = models.TextField()
    voice_over = models.TextField(blank=True)
    negative_prompt = models.TextField(blank=True)
    title = models.CharField(max_length=200, blank=True)
    references = models.JSONField(default=list, blank=True)  # intake.references
    salt = models.BinaryField(default=new_salt, editable=False)  # for commitments to the texts

    brand = models.CharField(max_length=64)
    seed = models.BigIntegerField()
    seconds = models.FloatField()
    profile = models.CharField(max_length=64)
    debias = models.BooleanField(default=True)  # False: the editor refused the quota draw
    # The editor's own wording instead of the proposed rewrite; moderated like the prompt.
    edited_prompt = models.TextField(blank=True)
    debias_reason = models.TextField(blank=True)  # why the rewrite was edited or refused
    operation = models.CharField(max_length=40, default="text_to_video")  # of byline.generation.operations
    inputs = models.JSONField(default=list, blank=True)  # [{"role", "input", "sha256"}], see inputs/roles.py
    options = models.JSONField(default=dict, blank=True)
    take_set = models.UUIDField(null=True, db_index=True)  # takes of one brief share it

    # A film's request carries its scenes (films/scenes.py); prompt and voice-over are then theirs, joined.
    film = models.ForeignKey("Film", on_delete=models.PROTECT, null=True, related_name="requests")
    scenes = models.JSONField(default=list, blank=True)

    # A rendition or an edit of a finished clip: made from its kept shots, an asset of its own (renditions/).
    master = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="renditions")
    edit = models.JSONField(default=list, blank=True)  # parts of the master, see renditions/editing.py

    # Set once, by the reservation effect; the mark in the picture carries the serial.
    serial = models.BigIntegerField(null=True, unique=True, editable=False)
    audio_id = models.BigIntegerField(null=True, unique=True, editable=False)

    # Lease: `attempt` is the fencing token, `retries` counts claims of a request whose worker died.
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    woken_at = models.DateTimeField(null=True)
    wakes = models.PositiveIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True)

    progress = models.FloatField(default=0.0)
    stage = models.CharField(max_length=32, blank=True)
    message = models.CharField(max_length=200, blank=True)

    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    error_help = models.TextField(blank=True)
    error_category = models.CharField(max_length=64, blank=True)
    error_clause = models.CharField(max_length=200, blank=True)
    held_in = models.CharField(max_length=16, blank=True)  # the state in which the hold happened
    held_for = models.JSONField(default=list, blank=True)  # what the hold was about, see verdict.py
    releases = models.JSONField(default=list, blank=True)  # [{"stage", "reasons", "actor", "reason", "at"}]

    result = models.JSONField(default=dict, blank=True)  # sha256, path, record, digest, evidence
    file_sha256 = models.CharField(max_length=64, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    settled_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["lease_until", "updated_at"],
                name="byline_gen_active",
                condition=Q(state__in=ACTIVE_NAMES),
            ),
        ]
        constraints = [
            models.CheckConstraint(name="byline_gen_state", condition=Q(state__in=[s.value for s in State])),
            models.CheckConstraint(
                name="byline_gen_seconds", condition=Q(seconds__gte=1, seconds__lte=FILM_SECONDS)
            ),
            models.CheckConstraint(name="byline_gen_seed", condition=Q(seed__gte=0)),
            models.CheckConstraint(
                name="byline_gen_progress", condition=Q(progress__gte=0.0, progress__lte=1.0)
            ),
            models.CheckConstraint(
                name="byline_gen_serial", condition=Q(serial__gte=0, serial__lt=2**SERIAL_BITS)
            ),
            models.CheckConstraint(
                name="byline_gen_audio_id", condition=Q(audio_id__gt=0, audio_id__lt=2**AUDIO_BITS)
            ),
            models.CheckConstraint(
                name="byline_gen_lease",
                condition=Q(lease_until__isnull=True, lease_owner="")
                | (Q(lease_until__isnull=False) & ~Q(lease_owner="")),
            ),
            models.CheckConstraint(
                name="byline_gen_rest_no_lease",
                condition=Q(state__in=ACTIVE_NAMES) | Q(lease_until__isnull=True),
            ),
            models.CheckConstraint(
                name="byline_gen_ready_has_file",
                condition=~Q(state__in=HAS_FILE)
                | Q(file_sha256__regex=r"^[0-9a-f]{64}$", serial__isnull=False, audio_id__isnull=False),
            ),
            models.CheckConstraint(
                name="byline_gen_film_has_scenes",
                condition=Q(film__isnull=True, scenes=[]) | (Q(film__isnull=False) & ~Q(scenes=[])),
            ),
            models.CheckConstraint(
                name="byline_gen_published_when",
                condition=Q(published_at__isnull=True) | Q(state=State.PUBLISHED.value),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"

    @property
    def subject(self) -> str:
        """How audit entries name this request."""
        return f"request:{self.id}"

    @property
    def error(self) -> dict[str, str]:
        """What a person is told about a request that was refused, held or failed; {} when none."""
        if not self.error_code:
            return {}
        return {
            "code": self.error_code,
            "message": self.error_message,
            "help": self.error_help,
            "category": self.error_category,
            "clause": self.error_clause,
        }

    def commit(self, field: str, value: str) -> str:
        """Commitment to one text, under a salt of its own that is derived from the row's: equal
        texts in two fields stay unlinkable, and opening one field opens no other."""
        salt = hmac.new(bytes(self.salt), field.encode(), hashlib.sha256).digest()
        return commitment(value, salt)

    def checks_summary(self) -> list[dict[str, str]]:
        """The checks of all current runs for an audit entry; one that did not run is "not checked"."""
        return summary([check for run in self.runs.filter(current=True) for check in run.checks])

    def produced(self) -> dict[str, dict[str, Any]]:
        """What the current runs of the stages produced, by stage name."""
        return {run.stage: run.produces for run in self.runs.filter(current=True)}


class UploadedInput(models.Model):
    """A picture, mask, clip or song that an editor gave. What is kept of it is sealed on disk
    (inputs/keeping.py): pixels or sound alone, without the file's metadata. `sha256` is that of the
    uploaded bytes. A forgotten one keeps its row, so that requests can say what they were made from."""

    class Kind(models.TextChoices):
        PICTURE = "picture"
        MASK = "mask"
        CLIP = "clip"
        SONG = "song"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.CharField(max_length=150, db_index=True)
    kind = models.CharField(max_length=16, choices=Kind)
    sha256 = models.CharField(max_length=64, db_index=True)
    bytes = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    frames = models.PositiveIntegerField(default=0)
    fps = models.FloatField(default=0.0)
    seconds = models.FloatField(default=0.0)
    notes = models.JSONField(default=list)  # what was done to it or is worth knowing
    credentials = models.CharField(max_length=32, default="none")  # status of its own Content Credentials
    licence = models.CharField(max_length=200)
    source = models.CharField(max_length=300)
    declared_at = models.DateTimeField()  # when the owner declared to hold the rights
    salt = models.BinaryField(default=new_salt, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    forgotten_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="byline_gen_input_kind", condition=Q(kind__in=["picture", "mask", "clip", "song"])
            ),
            models.CheckConstraint(
                name="byline_gen_input_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class StageRun(models.Model):
    """The latest outcome of one stage of one request. `current` is False once an earlier stage ran
    again: the outcome then no longer speaks of what exists."""

    request = models.ForeignKey(GenerationRequest, on_delete=models.CASCADE, related_name="runs")
    stage = models.CharField(max_length=32)
    position = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=16)
    passed = models.BooleanField()
    current = models.BooleanField(default=True)
    attempt = models.PositiveIntegerField()
    runs = models.PositiveIntegerField(default=1)
    superseded = models.PositiveIntegerField(default=0)  # earlier runs that had said something else
    digest = models.CharField(max_length=64)
    seconds = models.FloatField()
    checks = models.JSONField(default=list)
    evidence = models.JSONField(default=dict)
    produces = models.JSONField(default=dict)
    files = models.JSONField(default=dict)  # name -> {"path" below the work directory, "sha256"}
    finished_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["request", "stage"], name="byline_gen_one_run_per_stage"),
            models.CheckConstraint(name="byline_gen_run_seconds", condition=Q(seconds__gte=0)),
            models.CheckConstraint(name="byline_gen_run_counts", condition=Q(superseded__lt=F("runs"))),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.stage}: {self.verdict}"


class EffectApplied(models.Model):
    """That an effect happened. The unique key is what makes it happen once."""

    request = models.ForeignKey(GenerationRequest, on_delete=models.CASCADE, related_name="effects")
    stage = models.CharField(max_length=32)
    kind = models.CharField(max_length=64)
    key = models.CharField(max_length=100, blank=True)
    result = models.JSONField(default=dict)
    applied_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["request", "stage", "kind", "key"], name="byline_gen_effect_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.stage} {self.kind}"


class QuotaLedger(models.Model):
    """How often a debias cell (for instance "adult/woman/dark-skinned/older") was drawn for a brand.

    Read and written only under the brand's lock (rewrites.locked): two workers that drew from the
    same counts would both fill the same gap.
    """

    brand = models.CharField(max_length=64)
    cell = models.CharField(max_length=150)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["brand", "cell"], name="byline_gen_one_cell"),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.cell}: {self.count}"

    @classmethod
    def counts(cls, brand: str) -> dict[str, int]:
        """Draws so far, by cell; cells that were given back are left out."""
        return dict(cls.objects.filter(brand=brand, count__gt=0).values_list("cell", "count"))


class Rewrite(models.Model):
    """What debiasing did with one prompt, and what the editor said to it.

    A row without a request is a proposal that nobody has answered yet; `before` holds the ledger as it
    stood, so that the draw can be repeated exactly. `asked` and `shown` are the people of the original
    and of the final prompt, by attribute (safety/fairness/stated.py), for the bias report.
    """

    class Decision(models.TextChoices):
        PROPOSED = "proposed"
        ACCEPTED = "accepted"
        EDITED = "edited"
        REFUSED = "refused"
        AUTOMATIC = "automatic"  # applied without a look beforehand; shown with the request
        LEFT = "left"  # people, but none whose attributes are ours to choose

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.OneToOneField(
        GenerationRequest, on_delete=models.CASCADE, null=True, related_name="rewrite"
    )
    brand = models.CharField(max_length=64)
    requester = models.CharField(max_length=150)
    decision = models.CharField(max_length=16, choices=Decision, default=Decision.PROPOSED)
    original = models.TextField()
    proposed = models.TextField()
    seed = models.BigIntegerField()
    draws = models.JSONField(default=list)
    before = models.JSONField(default=dict)
    attributes = models.JSONField(default=list)
    target_sha256 = models.CharField(max_length=64)
    rules = models.CharField(max_length=16)
    left = models.CharField(max_length=16, blank=True)
    asked = models.JSONField(default=list)
    shown = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["brand", "created_at"], name="byline_gen_rewrite_brand")]
        constraints = [
            models.CheckConstraint(
                name="byline_gen_rewrite_decided",
                condition=Q(decision="proposed", request__isnull=True)
                | (~Q(decision="proposed") & Q(request__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.decision} {self.id}"


# Tables of films and of opinions are read with those of requests; nothing of theirs is needed above.
from byline.generation.films.rows import Film, FilmStep, FilmVersion  # noqa: E402, F401
from byline.generation.quality.rows import Opinion, Preference  # noqa: E402, F401
