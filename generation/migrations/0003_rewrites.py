"""Quotas are kept per brand; what debiasing did with a prompt, and the editor's answer, get rows.

The ledger starts anew: the old one counted for a project, and no project says which brand it was.
"""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("byline_generation", "0002_serial")]
    operations = [
        migrations.RemoveField("generationrequest", "project"),
        migrations.AddField("generationrequest", "edited_prompt", models.TextField(blank=True, default="")),
        migrations.AlterField("generationrequest", "edited_prompt", models.TextField(blank=True)),
        migrations.AddField("generationrequest", "debias_reason", models.TextField(blank=True, default="")),
        migrations.AlterField("generationrequest", "debias_reason", models.TextField(blank=True)),
        migrations.DeleteModel("QuotaLedger"),
        migrations.CreateModel(
            name="QuotaLedger",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("brand", models.CharField(max_length=64)),
                ("cell", models.CharField(max_length=150)),
                ("count", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("brand", "cell"), name="byline_gen_one_cell")
                ],
            },
        ),
        migrations.CreateModel(
            name="Rewrite",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("brand", models.CharField(max_length=64)),
                ("requester", models.CharField(max_length=150)),
                (
                    "decision",
                    models.CharField(
                        choices=[
                            ("proposed", "Proposed"),
                            ("accepted", "Accepted"),
                            ("edited", "Edited"),
                            ("refused", "Refused"),
                            ("automatic", "Automatic"),
                            ("left", "Left"),
                        ],
                        default="proposed",
                        max_length=16,
                    ),
                ),
                ("original", models.TextField()),
                ("proposed", models.TextField()),
                ("seed", models.BigIntegerField()),
                ("draws", models.JSONField(default=list)),
                ("before", models.JSONField(default=dict)),
                ("attributes", models.JSONField(default=list)),
                ("target_sha256", models.CharField(max_length=64)),
                ("rules", models.CharField(max_length=16)),
                ("left", models.CharField(blank=True, max_length=16)),
                ("asked", models.JSONField(default=list)),
                ("shown", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "request",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rewrite",
                        to="byline_generation.generationrequest",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["brand", "created_at"], name="byline_gen_rewrite_brand")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decision", "proposed"),
                            ("request__isnull", True),
                        )
                        | models.Q(
                            models.Q(("decision", "proposed"), _negated=True), ("request__isnull", False)
                        ),
                        name="byline_gen_rewrite_decided",
                    )
                ],
            },
        ),
    ]
