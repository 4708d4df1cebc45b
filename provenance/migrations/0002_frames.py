"""An index of frames beside each record, and the record's sound print."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F

import byline.provenance.models


def chunk(shift):
    return models.GeneratedField(
        db_persist=True,
        expression=F("phash64").bitrightshift(shift).bitand(0xFFFF),
        output_field=models.IntegerField(),
    )


class Migration(migrations.Migration):
    dependencies = [("byline_provenance", "0001_records")]

    operations = [
        migrations.AddField(
            model_name="record", name="sound", field=models.TextField(blank=True, default="")
        ),
        migrations.CreateModel(
            name="IndexedFrame",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("t", models.FloatField()),
                ("variant", models.CharField(max_length=40)),
                ("phash64", byline.provenance.models.UnsignedBigIntegerField()),
                ("phash256", models.BinaryField(max_length=32)),
                ("chunk0", chunk(48)),
                ("chunk1", chunk(32)),
                ("chunk2", chunk(16)),
                ("chunk3", chunk(0)),
                (
                    "record",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="frames",
                        to="byline_provenance.record",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=[f"chunk{n}", "phash64"], name=f"byline_prov_frame_chunk{n}")
                    for n in range(4)
                ],
            },
        ),
    ]
