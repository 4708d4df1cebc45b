"""Films: the project, its versions and steps; a request of a film carries its scenes."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import byline.audit.commit


class Migration(migrations.Migration):
    dependencies = [
        ("byline_generation", "0004_inputs_and_operations"),
    ]

    operations = [
        migrations.CreateModel(
            name="Film",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("owner", models.CharField(db_index=True, max_length=150)),
                ("brief", models.TextField(blank=True)),
                ("brand", models.CharField(max_length=64)),
                ("profile", models.CharField(max_length=64)),
                ("seed", models.BigIntegerField()),
                ("options", models.JSONField(blank=True, default=dict)),
                ("salt", models.BinaryField(default=byline.audit.commit.new_salt)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="FilmStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        choices=[
                            ("script", "script"),
                            ("shots", "shots"),
                            ("voice", "voice"),
                            ("music", "music"),
                            ("assemble", "assemble"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("started", "Started"),
                            ("made", "Made"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=0)),
                ("runs", models.PositiveIntegerField(default=0)),
                ("actor", models.CharField(blank=True, max_length=150)),
                ("result", models.JSONField(blank=True, default=dict)),
                ("decided_by", models.CharField(blank=True, max_length=150)),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="FilmVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("storyboard", models.JSONField()),
                ("seeds", models.JSONField()),
                ("change", models.CharField(max_length=64)),
                ("shots", models.JSONField(default=list)),
                ("actor", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="generationrequest",
            name="byline_gen_seconds",
        ),
        migrations.AddField(
            model_name="generationrequest",
            name="scenes",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddConstraint(
            model_name="film",
            constraint=models.CheckConstraint(condition=models.Q(("seed__gte", 0)), name="byline_film_seed"),
        ),
        migrations.AddField(
            model_name="generationrequest",
            name="film",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="requests",
                to="byline_generation.film",
            ),
        ),
        migrations.AddConstraint(
            model_name="generationrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("seconds__gte", 1), ("seconds__lte", 180)), name="byline_gen_seconds"
            ),
        ),
        migrations.AddConstraint(
            model_name="generationrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("film__isnull", True), ("scenes", [])),
                    models.Q(("film__isnull", False), models.Q(("scenes", []), _negated=True)),
                    _connector="OR",
                ),
                name="byline_gen_film_has_scenes",
            ),
        ),
        migrations.AddField(
            model_name="filmstep",
            name="film",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="byline_generation.film"
            ),
        ),
        migrations.AddField(
            model_name="filmstep",
            name="request",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="byline_generation.generationrequest",
            ),
        ),
        migrations.AddField(
            model_name="filmversion",
            name="film",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="versions",
                to="byline_generation.film",
            ),
        ),
        migrations.AddConstraint(
            model_name="filmstep",
            constraint=models.UniqueConstraint(fields=("film", "name"), name="byline_film_one_step"),
        ),
        migrations.AddConstraint(
            model_name="filmstep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["approved", "rejected"]), _negated=True),
                    models.Q(models.Q(("decided_by", ""), _negated=True), ("decided_at__isnull", False)),
                    _connector="OR",
                ),
                name="byline_film_decided_by",
            ),
        ),
        migrations.AddConstraint(
            model_name="filmversion",
            constraint=models.UniqueConstraint(fields=("film", "number"), name="byline_film_one_number"),
        ),
    ]
