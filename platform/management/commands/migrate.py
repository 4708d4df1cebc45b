"""`migrate` as the owner role, with the embedded database started when none runs."""

import contextlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import connections

from byline.audit.base import conf
from byline.platform.database import broker, cluster, location, roles


class Command(DjangoCommand):
    """Django's own command, unchanged, in a host project (which has no `DATABASE_ROLES`)."""

    def handle(self, *args: Any, **options: Any) -> None:
        if not hasattr(settings, "DATABASE_ROLES"):
            super().handle(*args, **options)
            return
        with contextlib.ExitStack() as stack:
            if _is_embedded(options["database"]):
                stack.enter_context(cluster.running(conf.home()))
            with roles.acting_as("owner", options["database"]):
                super().handle(*args, **options)
            if getattr(settings, "CELERY_BROKER_URL", None) == broker.URL:
                with roles.acting_as("app", options["database"]):
                    connection = connections[options["database"]]
                    connection.ensure_connection()
                    broker.install(connection.connection)


def _is_embedded(alias: str) -> bool:
    host = connections[alias].settings_dict["HOST"]
    return location.embedded() and Path(host) == location.socket_directory(conf.home())
