"""What reviewers and operators do in Django's admin: cases, takedowns, tokens.

Promises: a clip's state changes only through `status.change`, which logs it, and a decision is never
edited afterwards; a token cannot be read. Which screens an account sees are Django's permissions. A host
project without django.contrib.admin loses these screens and keeps the API, `byline takedown` and
`byline token`.
"""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse

from byline.platform import status, tokens
from byline.platform.models import ApiToken, Notice, StatusChange
from byline.platform.read_only_admin import ReadOnlyAdmin
from byline.provenance.models import Record


class _NoDeletion(admin.ModelAdmin):
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StatusForm(ModelForm):
    """Refuses a record that was never public before the row is written."""

    def clean_record(self) -> Any:
        record = self.cleaned_data["record"]
        known = Record.objects.filter(pk=record, published=True).exists()
        if not known and not StatusChange.objects.filter(record=record).exists():
            raise ValidationError("No published clip has this id.")
        return record


@admin.register(StatusChange)
class StatusChangeAdmin(_NoDeletion):
    """Take a clip down, relabel it, publish it again. Each decision is a row of its own."""

    form = StatusForm
    list_display = ("since", "record", "state", "reason", "actor")
    list_filter = ("state", "reason")
    search_fields = ("record",)
    fields = ("record", "state", "reason", "statement", "note")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: StatusChange, form: ModelForm, change: bool) -> None:
        made = status.change(
            obj.record,
            obj.state,
            reason=obj.reason,
            statement=obj.statement,
            note=obj.note,
            actor=request.user.get_username(),
        )
        obj.pk = made.pk  # what the admin goes on to show and to log


@admin.register(Record)
class RecordAdmin(ReadOnlyAdmin):
    """Published clips, to find one and decide about it."""

    list_display = ("id", "created", "published", "state")
    list_filter = ("published",)
    search_fields = ("id", "sha256")
    fields = ("id", "created", "published", "sha256", "content_digest")
    readonly_fields = fields
    actions = ("decide",)

    @admin.display(description="state")
    def state(self, row: Record) -> str:
        found = status.PublicationStatus().status(str(row.pk))
        return found.state if found else ""

    @admin.action(description="Take down, relabel or publish again…", permissions=["view"])
    def decide(self, request: HttpRequest, chosen: QuerySet[Record]) -> HttpResponseRedirect | None:
        row = chosen.first()
        if row is None or chosen.count() != 1:
            self.message_user(request, "Choose one clip: each decision has its own reason.", messages.WARNING)
            return None
        return redirect(f"{reverse('admin:byline_platform_statuschange_add')}?record={row.pk}")


@admin.register(ApiToken)
class ApiTokenAdmin(_NoDeletion):
    """Who has a token. They are made with `byline token make`, which shows the text once."""

    list_display = ("name", "user", "created", "expires_at", "revoked_at")
    fields = readonly_fields = ("name", "user", "created", "expires_at", "revoked_at")
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        for token in chosen:
            tokens.revoke(token.pk, actor=request.user.get_username())


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Which mail about decisions went out; neither its words nor its address are kept."""

    list_display = ("__str__", "decision", "tries", "not_before", "settled_at")
    list_filter = ("state",)
    fields = ("decision", "state", "tries", "not_before", "settled_at")


# Screens that are registered beside what they show: the log's, and those of review.
from byline.platform import film_screens  # noqa: E402, F401
from byline.platform.fairness import screens as fairness_screens  # noqa: E402, F401
from byline.platform.ledger import screens  # noqa: E402, F401
from byline.platform.review import screens as review_screens  # noqa: E402, F401
