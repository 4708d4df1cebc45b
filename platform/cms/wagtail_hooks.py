from typing import Any

from django.templatetags.static import static
from django.utils.html import format_html
from wagtail import hooks

from byline.platform.cms import guard
from byline.platform.cms.views import GenerateViewSet, clip_chooser

generate_viewset = GenerateViewSet("byline_generate")


@hooks.register("register_admin_viewset")
def viewsets() -> list[Any]:
    return [generate_viewset, clip_chooser]


@hooks.register("insert_global_admin_css")
def css() -> str:
    return format_html('<link rel="stylesheet" href="{}">', static("byline/cms.css"))


hooks.register("before_publish_page", guard.before_publish)
