from django.apps import AppConfig


class ProvenanceConfig(AppConfig):
    name = "byline.provenance"
    label = "byline_provenance"
    default_auto_field = "django.db.models.BigAutoField"
