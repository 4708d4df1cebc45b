from pathlib import Path

from django.apps import AppConfig


class PlatformConfig(AppConfig):
    name = "byline.platform"
    label = "byline_platform"
    default_auto_field = "django.db.models.BigAutoField"
    # platform/ has no __init__.py (it would shadow the standard library), so Django
    # cannot find a single location for this namespace package by itself.
    path = str(Path(__file__).resolve().parent)
