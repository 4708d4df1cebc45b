from pathlib import Path

from django.apps import AppConfig


class PlatformConfig(AppConfig):
    name = "byline.platform"
    label = "byline_platform"
    default_auto_field = "django.db.models.BigAutoField"
    # platform/ has no __init__.py (it would shadow the standard library), so Django
    # cannot find a single location for this namespace package by itself.
    path = str(Path(__file__).resolve().parent)

    def ready(self) -> None:
        from django.conf import settings

        from byline.platform import audit_kinds, checks  # noqa: F401
        from byline.platform.review import roles, wiring

        roles.connect()
        wiring.connect()

        # Tasks go out through the current Celery app. A host project has its own; only the
        # product's own settings (they alone have DATABASE_ROLES) make ours the current one.
        if hasattr(settings, "DATABASE_ROLES"):
            from byline.platform import celery_app  # noqa: F401
