from django.apps import AppConfig


class CmsConfig(AppConfig):
    name = "byline.platform.cms"
    label = "byline_cms"
    default_auto_field = "django.db.models.BigAutoField"
