from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "byline.generation"
    label = "byline_generation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from byline.generation import audit_kinds  # noqa: F401
