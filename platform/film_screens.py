"""Films in Django's admin: their versions and steps with who made and decided them; read, never changed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from byline.generation.films.rows import Film, FilmStep, FilmVersion
from byline.platform.read_only_admin import ReadOnlyAdmin


class _ReadOnlyRows(admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("byline_generation.view_film"))


class VersionRows(_ReadOnlyRows):
    model = FilmVersion
    fields = readonly_fields = ("number", "change", "shots", "actor", "created_at")


class StepRows(_ReadOnlyRows):
    model = FilmStep
    fields = readonly_fields = (
        "name", "state", "version", "runs", "actor", "request", "decided_by", "decided_at", "reason",
    )  # fmt: skip


@admin.register(Film)
class FilmAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "title", "owner", "brand", "profile")
    list_filter = ("brand", "profile")
    search_fields = ("id", "owner")
    fields = readonly_fields = ("id", "owner", "brand", "profile", "seed", "options", "brief", "storyboard")
    inlines = (VersionRows, StepRows)

    @admin.display(description="title")
    def title(self, film: Film) -> str:
        return str(film.current.storyboard["title"])

    @admin.display(description="storyboard")
    def storyboard(self, film: Film) -> str:
        shots = film.current.storyboard["shots"]
        return "\n".join(f"{shot['seconds']:g} s  {shot['visual']}  “{shot['audio']}”" for shot in shots)
