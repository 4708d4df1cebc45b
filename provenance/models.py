"""What recovers a clip when its file was stripped: one row per finished clip, and an index of its frames.

Promises: a record's public id is a random UUID that says nothing about when or how much was made;
nothing in it names a person or holds a prompt. Only published records answer strangers; the
readers in records.py see to that. Rows are written by the pipeline's last stage; saving a new
record indexes its frames in the same transaction, so there is no record that likeness cannot find.
"""

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q


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
    """One finished clip. `content_digest` is hex by the rule of byline.provenance.digest; `manifest` the C2PA
    store as signed; `fingerprints` a list of {"t", "phash256", "phash64", "variant"}; `sound` the hex form
    of a SoundPrint, empty where there is none. The fingerprints of a saved record do not change."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    mark_id = UnsignedBigIntegerField(unique=True)
    audio_id = models.BigIntegerField(null=True, blank=True, unique=True)
    sha256 = models.CharField(max_length=64)
    content_digest = models.CharField(max_length=100)
    manifest = models.BinaryField()
    proof = models.JSONField()
    fingerprints = models.JSONField(default=list)
    sound = models.TextField(default="", blank=True)
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

    def save(self, *args: Any, **kwargs: Any) -> None:
        from byline.provenance import fingerprint_index

        new = self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if new:
                fingerprint_index.add(self)

    def public_facts(self) -> dict[str, Any]:
        """What its public page may say, taken from the signed manifest and the proof."""
        from byline.provenance.records import manifest_facts

        index = self.proof.get("index") if isinstance(self.proof, dict) else None
        return {**manifest_facts(bytes(self.manifest)), "log_index": index}


def _chunk(number: int) -> models.GeneratedField:
    """16 of the 64 bits, cut by the database itself, so that they can never disagree with the hash."""
    return models.GeneratedField(
        expression=F("phash64").bitrightshift(48 - 16 * number).bitand(0xFFFF),
        output_field=models.IntegerField(),
        db_persist=True,
    )


class IndexedFrame(models.Model):
    """One distinct hash of one variant of a record's frames, `t` seconds where it first occurs.

    The four chunks of `phash64` are what fingerprint_index.py searches by (multi-index hashing).
    """

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="frames")
    t = models.FloatField()
    variant = models.CharField(max_length=40)
    phash64 = UnsignedBigIntegerField()
    phash256 = models.BinaryField(max_length=32)
    chunk0, chunk1, chunk2, chunk3 = (_chunk(number) for number in range(4))

    class Meta:
        default_permissions = ()
        indexes = [
            # The whole hash lies in each index: candidates are told apart without a visit to the table.
            models.Index(fields=[f"chunk{n}", "phash64"], name=f"byline_prov_frame_chunk{n}")
            for n in range(4)
        ]

    def __str__(self) -> str:
        return f"frame at {self.t} s of record {self.record_id}"
