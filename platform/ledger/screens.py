"""The log in Django's admin: read, filter, search by clip; nothing can be added, changed or deleted.

Registered from platform/admin.py. Whoever holds `byline_audit.view_entry` sees entries and the names
of people who are still known.
"""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from byline.audit import log, pseudonyms
from byline.audit.base.errors import BylineError
from byline.audit.models import Entry
from byline.platform.ledger.story import UnknownClip, story
from byline.platform.read_only_admin import ReadOnlyAdmin


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """One row per entry. Searching takes a whole subject: "request:<id>" or "record:<id>"."""

    list_display = ("id", "created", "kind", "subject", "who", "place")
    list_filter = ("kind", "created")
    search_fields = ("=subject",)
    search_help_text = "A whole subject, for example request:<id>"
    ordering = ("-id",)
    show_full_result_count = False
    list_per_page = 50
    fields = readonly_fields = (
        "id",
        "created",
        "kind",
        "subject",
        "actor",
        "who",
        "place",
        "payload",
        "proof",
        "story",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).select_related("leaf")

    @admin.display(description="who")
    def who(self, entry: Entry) -> str:
        if entry.actor.startswith(pseudonyms.SYSTEM):
            return entry.actor
        return pseudonyms.names([entry.actor]).get(entry.actor, "somebody who was erased")

    @admin.display(description="leaf")
    def place(self, entry: Entry) -> str:
        leaf = getattr(entry, "leaf", None)
        return str(leaf.index) if leaf else "waits for a checkpoint"

    @admin.display(description="proof")
    def proof(self, entry: Entry) -> str:
        """Made and verified now."""
        try:
            found = log.proof(entry.pk)
        except BylineError as error:
            return f"does not hold: {error}"
        if found is None:
            return "not yet: no checkpoint covers it"
        return (
            f"holds: leaf {found['index']} of the tree of {found['tree_size']}, {len(found['path'])} hashes"
        )

    @admin.display(description="story of this clip")
    def story(self, entry: Entry) -> str:
        try:
            return story(entry.subject.partition(":")[2], names=True).text()
        except UnknownClip:
            return "this entry is about no clip that is still on record"
