"""Bias reports and rewrites in Django's admin: read, never changed.

The list shows what was decided about each rewrite and no text; texts are in a rewrite's own page, for
accounts that may view rewrites. The report of a brand is linked from the list.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import path

from byline.audit.base.errors import BylineError
from byline.generation import brands
from byline.generation.models import Rewrite
from byline.platform.fairness.report import Report, report
from byline.platform.fairness.words import figure
from byline.platform.ledger.retention import parse_day
from byline.platform.read_only_admin import ReadOnlyAdmin
from byline.safety.fairness.statistics import Balance


@admin.register(Rewrite)
class RewriteAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "brand", "decision", "people", "left", "request")
    list_filter = ("brand", "decision")
    fields = readonly_fields = (
        "created_at", "brand", "requester", "decision", "reason", "original", "proposed", "edited", "draws",
        "seed", "rules", "left", "request",
    )  # fmt: skip
    change_list_template = "byline_fairness/rewrites.html"
    list_select_related = ("request",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).exclude(decision=Rewrite.Decision.PROPOSED)

    @admin.display(description="people")
    def people(self, row: Rewrite) -> int:
        return len(row.shown)

    @admin.display(description="reason")
    def reason(self, row: Rewrite) -> str:
        return row.request.debias_reason if row.request else ""

    @admin.display(description="edited")
    def edited(self, row: Rewrite) -> str:
        return row.request.edited_prompt if row.request else ""

    def get_urls(self) -> list[Any]:
        own = path("report/", self.admin_site.admin_view(self.report_view), name="byline_fairness_report")
        return [own, *super().get_urls()]

    def report_view(self, request: HttpRequest) -> TemplateResponse:
        """The report of ?brand=, from ?since= to ?until=."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found: Report | None = None
        problem = ""
        try:
            days = {
                name: parse_day(request.GET[name]) for name in ("since", "until") if request.GET.get(name)
            }
            found = report(request.GET.get("brand", ""), **days)
        except BylineError as error:
            problem = f"{error} {error.help}"
        context = {
            **self.admin_site.each_context(request),
            "title": "Bias report",
            "brands": brands.names(),
            "report": found,
            "tables": _tables(found) if found else [],
            "ledger": _figures(found.ledger) if found else {},
            "problem": problem,
            "given": request.GET,
        }
        status = 400 if problem else 200
        return TemplateResponse(request, "byline_fairness/report.html", context, status=status)


def _tables(found: Report) -> list[dict[str, Any]]:
    """What the page shows, one entry per attribute."""
    made = []
    for name in found.target:
        sides = [
            ("Briefs as written", found.before[name].balance, found.before[name].open),
            ("Prompts given to the model", found.after[name].balance, found.after[name].open),
        ]
        if name in found.outputs.sides:
            sides.append(("Clips, measured on frames", found.outputs.sides[name], found.outputs.nobody))
        made.append(
            {
                "name": name,
                "sides": [(title, _rows(side), _figures(side), side.n, left) for title, side, left in sides],
                "drift": found.drift[name],
                "months": [(w.label, _rows(w.balance), w.balance.n) for w in found.drift[name].windows],
                "turned_down": [(v or "unsaid", *t) for v, t in found.turned_down[name].items() if t[1]],
                "accuracy": found.outputs.accuracy.get(name),
                "measured": name in found.outputs.sides,
            }
        )
    return made


def _rows(side: Balance) -> list[tuple[str, int, float, float]]:
    return [
        (value or "unsaid", side.counts[value], 100 * share, 100 * side.target[value])
        for value, share in side.shares.items()
    ]


def _figures(side: Balance) -> dict[str, str]:
    if not side.n:
        return {}
    return {
        "Normalised entropy": figure(side.entropy),
        "KL to target": figure(side.kl),
        "Max-min ratio": figure(side.ratio),
        "Largest gap": figure(side.gap),
    }
