from typing import Any

from django.templatetags.static import static
from django.urls import path
from django.utils.html import format_html
from wagtail import hooks

from byline.platform.cms import guard
from byline.platform.cms.appeal import AppealView
from byline.platform.cms.views import GenerateViewSet, clip_chooser

generate_viewset = GenerateViewSet("byline_generate")


@hooks.register("register_admin_viewset")
def viewsets() -> list[Any]:
    return [generate_viewset, clip_chooser]


@hooks.register("register_admin_urls")
def addresses() -> list[Any]:
    return [path("generate/<uuid:generation_id>/appeal/", AppealView.as_view(), name="byline_cms_appeal")]


@hooks.register("insert_global_admin_css")
def css() -> str:
    return format_html('<link rel="stylesheet" href="{}">', static("byline/cms.css"))


hooks.register("before_publish_page", guard.before_publish)
