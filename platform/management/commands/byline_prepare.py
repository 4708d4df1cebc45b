"""Makes an installation fit to start: settings checked, keys there, tables up to date.

The supervisor runs it before any service; `byline setup` may run it alone. Safe to repeat.
"""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from byline.audit.base import conf
from byline.platform import keys
from byline.platform.database import location


class Command(BaseCommand):
    help = "Check the settings, make missing keys, apply migrations to an embedded database."

    def handle(self, *args: Any, **options: Any) -> None:
        made = keys.create(conf.home())
        if made:
            self.stdout.write(f"made {len(made)} keys in {conf.home() / 'keys'}")
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if not plan:
            return
        if not location.embedded():
            # Someone else's server: changing its tables is its administrator's decision.
            raise CommandError(f"{len(plan)} migrations are not applied; run `manage.py migrate` first")
        self.stdout.write(f"applying {len(plan)} migrations")
        call_command("migrate", verbosity=0)
