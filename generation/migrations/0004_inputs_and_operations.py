"""What an editor uploads, and which operation a request asks for on it."""

import uuid

from django.db import migrations, models

import byline.audit.commit


class Migration(migrations.Migration):
    dependencies = [("byline_generation", "0003_rewrites")]
    operations = [
        migrations.AddField(
            "generationrequest", "operation", models.CharField(default="text_to_video", max_length=40)
        ),
        migrations.AddField("generationrequest", "inputs", models.JSONField(blank=True, default=list)),
        migrations.AddField("generationrequest", "take_set", models.UUIDField(db_index=True, null=True)),
        migrations.CreateModel(
            name="UploadedInput",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("owner", models.CharField(db_index=True, max_length=150)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("picture", "Picture"),
                            ("mask", "Mask"),
                            ("clip", "Clip"),
                            ("song", "Song"),
                        ],
                        max_length=16,
                    ),
                ),
                ("sha256", models.CharField(db_index=True, max_length=64)),
                ("bytes", models.PositiveBigIntegerField()),
                ("width", models.PositiveIntegerField(default=0)),
                ("height", models.PositiveIntegerField(default=0)),
                ("frames", models.PositiveIntegerField(default=0)),
                ("fps", models.FloatField(default=0.0)),
                ("seconds", models.FloatField(default=0.0)),
                ("notes", models.JSONField(default=list)),
                ("credentials", models.CharField(default="none", max_length=32)),
                ("licence", models.CharField(max_length=200)),
                ("source", models.CharField(max_length=300)),
                ("declared_at", models.DateTimeField()),
                (
                    "salt",
                    models.BinaryField(default=byline.audit.commit.new_salt, editable=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("forgotten_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(kind__in=["picture", "mask", "clip", "song"]),
                        name="byline_gen_input_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(sha256__regex="^[0-9a-f]{64}$"), name="byline_gen_input_sha256"
                    ),
                ],
            },
        ),
    ]
