from django.apps import AppConfig


class CmsConfig(AppConfig):
    name = "byline.platform.cms"
    label = "byline_cms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import pre_save

        from byline.platform.cms.guard import before_save

        pre_save.connect(before_save, dispatch_uid="byline_publish_guard")
