from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "byline.audit"
    label = "byline_audit"
    default_auto_field = "django.db.models.BigAutoField"
