from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

_AHEAD = 8  # quarters: two years in which nobody has to run `migrate`


class AuditConfig(AppConfig):
    name = "byline.audit"
    label = "byline_audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from byline.audit import audit_kinds  # noqa: F401

        post_migrate.connect(_add_partitions, sender=self)


def _add_partitions(using: str, **kwargs: Any) -> None:
    """Tables for the coming quarters' entries, made by the role that migrates."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regproc('byline_audit_add_partitions')")
        if cursor.fetchone()[0]:
            cursor.execute("SELECT byline_audit_add_partitions(%s)", [_AHEAD])
