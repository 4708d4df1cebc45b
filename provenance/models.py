"""What recovers a clip when its file was stripped: one row per finished clip.

Promises: a record's public id is a random UUID that says nothing about when or how much was made;
nothing in it names a person or holds a prompt. Only published records answer strangers; the
readers in records.py see to that. Rows are written by the pipeline's last stage.
"""

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q


class UnsignedBigIntegerField(models.BigIntegerField):
    """0 <= n < 2**64 in a bigint column, as two's complement: PostgreSQL has no unsigned type."""

    def get_prep_value(self, value: Any) -> int | None:
        number = models.IntegerField.get_prep_value(self, value)
        if number is None:
            return None
        if not 0 <= number < 2**64:
            raise ValidationError("a mark id has 64 bits")
        return int(number) - 2**64 if number >= 2**63 else int(number)

    def from_db_value(self, value: int | None, expression: Any, connection: Any) -> int | None:
        return value + 2**64 if value is not None and value < 0 else value

    @property
    def validators(self) -> list[Any]:
        return []  # those of the signed type would refuse the upper half


class Record(models.Model):
    """One finished clip. `content_digest` is hex by the rule of byline.audit.digest; `manifest` the C2PA
    store as signed; `fingerprints` a list of {"t", "phash256", "phash64"}."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    mark_id = UnsignedBigIntegerField(unique=True)
    audio_id = models.BigIntegerField(null=True, blank=True, unique=True)
    sha256 = models.CharField(max_length=64)
    content_digest = models.CharField(max_length=100)
    manifest = models.BinaryField()
    proof = models.JSONField()
    fingerprints = models.JSONField(default=list)
    published = models.BooleanField(default=False, db_index=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="byline_prov_record_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            ),
            models.CheckConstraint(
                name="byline_prov_record_audio_id",
                condition=Q(audio_id__isnull=True) | Q(audio_id__gt=0, audio_id__lt=2**32),
            ),
        ]

    def __str__(self) -> str:
        return f"record {self.pk}"

    def public_facts(self) -> dict[str, Any]:
        """What its public page may say, taken from the signed manifest and the proof."""
        from byline.provenance.records import manifest_facts

        index = self.proof.get("index") if isinstance(self.proof, dict) else None
        return {**manifest_facts(bytes(self.manifest)), "log_index": index}
