"""Addresses of the product running by itself: its own pages, the admin, and Wagtail when it is installed."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("byline.platform.urls")),
    path("admin/", admin.site.urls),
]

if find_spec("wagtail"):
    urlpatterns += [
        path("cms/", include("wagtail.admin.urls")),
        path("documents/", include("wagtail.documents.urls")),
        path("", include("wagtail.urls")),
    ]
