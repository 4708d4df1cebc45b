"""The log's tables. Rows are only ever added; the database refuses the rest (migrations/0002_guards.py).

Promises: an entry is one plain insert in the caller's transaction, with no lock shared between
writers; the database itself stamps `created` and `txid`, whatever the writer says. The sealer
gives committed entries dense indices (`SealedLeaf`), stores full tiles, then a tree head, and only
when these are committed a signed checkpoint over it.
Entries lie in one partition per quarter (migrations/0004_partitions.py), so that old ones can be
dropped whole once they are in the archive. Only the table of pseudonyms, which is no part of the
log, may be erased from.
Left out: foreign keys from leaf to entry. They would cost a lookup per sealed row; fsck checks
the same and more.
"""

from typing import Any

from django.db import models

from byline.audit import canonical


class Entry(models.Model):
    """Something that happened. `payload` holds commitments, never prompts, names or biometrics."""

    kind = models.CharField(max_length=100)
    subject = models.CharField(max_length=200)  # what it is about, e.g. "request:<uuid>"
    actor = models.CharField(max_length=200)  # "system:<part>" or "person:<token>", see pseudonyms.py
    payload = models.JSONField()
    created = models.DateTimeField(editable=False)  # clock_timestamp() at insert, by trigger
    txid = models.BigIntegerField(editable=False)  # pg_current_xact_id() at insert, by trigger

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["subject", "id"], name="byline_audit_entry_subject"),
            models.Index(fields=["txid", "id"], name="byline_audit_entry_txid"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def as_dict(self) -> dict[str, Any]:
        """The JSON object whose canonical bytes are the leaf."""
        return canonical.entry(
            pk=self.pk,
            kind=self.kind,
            subject=self.subject,
            actor=self.actor,
            payload=self.payload,
            created=canonical.timestamp(self.created),
        )


class SealedLeaf(models.Model):
    """The place of one entry in the tree."""

    index = models.BigIntegerField(primary_key=True)  # dense from 0
    entry = models.OneToOneField(Entry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="leaf")
    leaf_hash = models.BinaryField()  # 32 bytes, RFC 6962

    class Meta:
        default_permissions = ("view",)


class Tile(models.Model):
    """A full tile of C2SP tlog-tiles: 256 hashes and the root over them."""

    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()  # 8,192 bytes
    root = models.BinaryField()  # 32 bytes

    class Meta:
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="byline_audit_tile_place")]


class TreeHead(models.Model):
    """Size and root after one batch, committed together with its leaves and tiles."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()  # 32 bytes
    # Every entry written by a transaction older than this is in the tree: the sealer need not look there.
    frontier = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)


class Checkpoint(models.Model):
    """A signed tree head (C2SP tlog-checkpoint), stored after its tree was committed."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()  # 32 bytes
    note = models.TextField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)


class Cosignature(models.Model):
    """A witness's signature line over a checkpoint of ours (C2SP tlog-cosignature)."""

    size = models.BigIntegerField()
    witness = models.CharField(max_length=200)
    line = models.TextField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["size", "witness"], name="byline_audit_cosignature_once")
        ]


class Pseudonym(models.Model):
    """Whose token it is. Erasing a row erases the person from the log; the log stays as it is."""

    name = models.CharField(max_length=200, primary_key=True)
    token = models.CharField(max_length=32, unique=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
