from django.apps import AppConfig


class SafetyConfig(AppConfig):
    name = "byline.safety"
    label = "byline_safety"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from byline.safety import audit_kinds  # noqa: F401
        from byline.safety.screen import adapters  # noqa: F401
