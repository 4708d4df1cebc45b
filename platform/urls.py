"""Every public and API address of the product; a host project includes this under a prefix of its own."""

from django.urls import URLPattern, URLResolver

app_name = "byline"
urlpatterns: list[URLPattern | URLResolver] = []
