from django.apps import AppConfig


class ProvenanceConfig(AppConfig):
    name = "byline.provenance"
    label = "byline_provenance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from byline.provenance import audit_kinds  # noqa: F401
        from byline.provenance.forensics import settings  # noqa: F401
        from byline.provenance.marks import markers  # noqa: F401
