"""The sequence behind serials: 40 bits, never used twice, not even after a rolled-back transaction."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("byline_generation", "0001_requests")]
    operations = [
        migrations.RunSQL(
            "create sequence byline_generation_serial as bigint minvalue 0 maxvalue 1099511627775 no cycle",
            "drop sequence byline_generation_serial",
        )
    ]
