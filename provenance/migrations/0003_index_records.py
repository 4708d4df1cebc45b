"""Indexes the frames of records that were written before there was an index."""

from django.db import migrations


def index(apps, schema_editor):
    record_model = apps.get_model("byline_provenance", "Record")
    frame_model = apps.get_model("byline_provenance", "IndexedFrame")
    for record in record_model.objects.only("pk", "fingerprints").iterator(chunk_size=200):
        distinct = {item["phash64"]: item for item in reversed(record.fingerprints)}
        frame_model.objects.bulk_create(
            frame_model(
                record=record,
                t=item["t"],
                variant="as stored",
                phash64=int(item["phash64"], 16),
                phash256=bytes.fromhex(item["phash256"]),
            )
            for item in distinct.values()
        )


class Migration(migrations.Migration):
    dependencies = [("byline_provenance", "0002_frames")]

    operations = [migrations.RunPython(index, migrations.RunPython.noop)]
