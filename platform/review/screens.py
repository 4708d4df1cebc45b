"""Review in Django's admin: the queue, one case with its evidence side by side, the figures.

Promises: everything is done through `safety.review.services`, as over the API; previews are blurred until the
reviewer presses the button that says so; a case can be read by who may view cases, and worked on by who holds
`review_case`. Nothing is added, edited or deleted here.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince, timeuntil
from django.views.decorators.http import require_POST, require_safe

from byline.audit.base.errors import BylineError
from byline.platform.api import review as api
from byline.platform.read_only_admin import ReadOnlyAdmin
from byline.platform.review import appeals, effects, evidence
from byline.safety.review import cases, services
from byline.safety.review import rules as rulebook
from byline.safety.review.metrics import metrics
from byline.safety.review.models import REVIEW, Case

ACTIONS = ("take", "put_back", "unblur")


class WaitingFilter(admin.SimpleListFilter):
    """What to work on. The queue is what opens without a choice."""

    title = "state"
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("mine", "held by me"), ("overdue", "overdue"), ("settled", "settled"), ("all", "all")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        chosen = self.value() or "open"
        if chosen == "settled":
            return queryset.exclude(state=Case.State.OPEN)
        if chosen == "mine":
            return queryset.filter(state=Case.State.OPEN, assignee=request.user.get_username())
        if chosen == "overdue":
            return queryset.filter(state=Case.State.OPEN, due_at__lt=timezone.now())
        return queryset if chosen == "all" else queryset.filter(state=Case.State.OPEN)

    def choices(self, changelist: Any) -> Any:
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "waiting",
        }
        for value, title in self.lookup_choices:
            yield {
                "selected": self.value() == str(value),
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }


class DecisionForm(forms.Form):
    """One decision. The services check it again and have the last word."""

    outcome = forms.ChoiceField(widget=forms.RadioSelect)
    reason = forms.ChoiceField()
    clause = forms.ChoiceField(help_text="The clause that it breaks, or the one that you looked at.")
    rationale = forms.CharField(
        max_length=services.LONGEST_RATIONALE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For the file: what you saw and why. The log keeps a commitment to it.",
    )
    explanation = forms.CharField(
        label="Words for the user",
        max_length=cases.LONGEST,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="In plain words; needed where the decision takes something from them. Name no person.",
    )
    public_statement = forms.CharField(
        max_length=300,
        required=False,
        help_text="Shown to everybody on the clip's page; needed for a corrected label. Name no person.",
    )
    tags = forms.MultipleChoiceField(
        label="Known limits", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = rulebook.load()
        possible = services.outcomes(case)
        offered: dict[str, list[tuple[str, str]]] = {
            "outcome": [(name, name.replace("_", " ")) for name in possible],
            "reason": [
                (name, f"{item.label} ({', '.join(o for o in possible if o in item.outcomes)})")
                for name, item in rules.reasons.items()
                if item.outcomes & set(possible)
            ],
            "clause": [(number, f"{number} {text}") for number, text in services.clauses().items()],
            "tags": [(name, tag.notice) for name, tag in rules.tags.items()],
        }
        for name in ("reason", "clause"):
            offered[name].insert(0, ("", "Choose…"))
        for name, choices in offered.items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]


@admin.register(Case)
class CaseAdmin(ReadOnlyAdmin):
    """The most urgent first. A second rating looks like its first."""

    list_display = ("question", "due", "priority", "held", "about", "shown_state", "opened")
    list_display_links = ("question",)
    list_filter = (WaitingFilter, "category")
    search_fields = ("=subject", "=id")
    search_help_text = "A whole subject, for example request:<id>, or a case's id"
    ordering = ("priority", "due_at")
    list_per_page = 50
    show_full_result_count = False
    change_list_template = "byline_review/queue.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        """What this person may decide, and what is settled; ratings stay hidden once they are."""
        name = request.user.get_username()
        waiting = Q(pk__in=cases.queue(name).order_by().values("pk"))
        settled = ~Q(state=Case.State.OPEN) & ~Q(source__in=[Case.Source.SECOND, Case.Source.REPEAT])
        settled &= ~Q(excluded__contains=name)
        return super().get_queryset(request).filter(waiting | settled).select_related("original")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("figures/", view(require_safe(self.figures)), name="byline_review_figures"),
            path(
                "<uuid:case_id>/preview.jpg", view(require_safe(self.preview)), name="byline_review_preview"
            ),
            path("<uuid:case_id>/clip.mp4", view(require_safe(self.clip)), name="byline_review_clip"),
            path("<uuid:case_id>/do/<slug:action>/", view(require_POST(self.act)), name="byline_review_do"),
            path("<uuid:case_id>/assign/", view(require_POST(self.assign)), name="byline_review_assign"),
            path("<uuid:case_id>/decide/", view(require_POST(self.decide)), name="byline_review_decide"),
            *super().get_urls(),
        ]

    # ------------------------------------------------------------ the queue

    @admin.display(description="question")
    def question(self, case: Case) -> str:
        label = Case.Source(case.rated_as).label
        what = case.category.replace("_", " ") or rulebook.load().report_kinds.get(case.kind, "")
        return f"{label}: {what}" if what else label

    @admin.display(description="about")
    def about(self, case: Case) -> str:
        kind, _, rest = case.subject.partition(":")
        return f"{kind} {rest[:8]}" if rest else "no clip of ours"

    @admin.display(description="due", ordering="due_at")
    def due(self, case: Case) -> str:
        if case.state != Case.State.OPEN:
            return f"{case.due_at:%Y-%m-%d %H:%M}"
        if case.overdue:
            late = timesince(case.due_at)
            return format_html('<strong class="byline-overdue">overdue by {}</strong>', late)
        return f"in {timeuntil(case.due_at)}"

    @admin.display(description="held by")
    def held(self, case: Case) -> str:
        return case.held_by() or "–"

    @admin.display(description="state")
    def shown_state(self, case: Case) -> str:
        return str(case.get_state_display())

    @admin.display(description="opened", ordering="opened_at")
    def opened(self, case: Case) -> str:
        return f"{timesince(case.opened_at)} ago"

    # ------------------------------------------------------------ one case

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        return self._case(request, object_id)

    def _case(
        self, request: HttpRequest, case_id: UUID | str, form: DecisionForm | None = None
    ) -> HttpResponseBase:
        case = self.get_queryset(request).filter(pk=case_id).first() if _is_uuid(case_id) else None
        if case is None or not self.has_view_permission(request, case):
            messages.warning(request, "There is no such case, or it is not for you.")
            return redirect("admin:byline_safety_case_changelist")
        name = request.user.get_username()
        mine = case.held_by() == name
        decision = None if case.is_rating else getattr(case, "decision", None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": self.question(case),
            "case": case,
            "evidence": evidence.of(case, name),
            "decision": decision,
            "mine": mine,
            "holder": case.held_by(),
            "waiting": case.state == Case.State.OPEN,
            "may_review": request.user.has_perm(f"byline_safety.{REVIEW}"),
            "may_assign": request.user.has_perm("byline_safety.assign_case"),
            "form": form or (DecisionForm(case) if mine else None),
        }
        code = 400 if form is not None and form.errors else 200
        return TemplateResponse(request, "byline_review/case.html", context, status=code)

    def preview(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        return self._bytes(request, case_id, api.preview)

    def clip(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        return self._bytes(request, case_id, api.clip)

    def _bytes(self, request: HttpRequest, case_id: UUID, make: Any) -> HttpResponse:
        self._require_reviewer(request)
        name = request.user.get_username()
        try:
            case = cases.find(case_id)
            services.require_impartial(case, name)
            return make(case, name)
        except BylineError as error:
            return HttpResponse(f"{error}\n", status=error.status, content_type="text/plain; charset=utf-8")

    def act(self, request: HttpRequest, case_id: UUID, action: str) -> HttpResponseBase:
        """Take, put back, or see without the blur."""
        self._require_reviewer(request)
        if action not in ACTIONS:
            raise PermissionDenied
        try:
            getattr(services, action)(case_id, request.user.get_username())
        except BylineError as error:
            messages.error(request, f"{error} {error.help}")
        return redirect(reverse("admin:byline_safety_case_change", args=[case_id]))

    def assign(self, request: HttpRequest, case_id: UUID) -> HttpResponseBase:
        self._require_reviewer(request)
        if not request.user.has_perm("byline_safety.assign_case"):
            raise PermissionDenied
        to = request.POST.get("reviewer", "")
        try:
            if not appeals.is_reviewer(to):
                messages.error(request, "No reviewer has this name.")
            else:
                services.assign(case_id, to, actor=request.user.get_username())
        except BylineError as error:
            messages.error(request, f"{error} {error.help}")
        return redirect(reverse("admin:byline_safety_case_change", args=[case_id]))

    def decide(self, request: HttpRequest, case_id: UUID) -> HttpResponseBase:
        self._require_reviewer(request)
        try:
            case = cases.find(case_id)
            form = DecisionForm(case, request.POST)
            if not form.is_valid():
                return self._case(request, case_id, form)
            try:
                services.decide(
                    case_id,
                    request.user.get_username(),
                    carry_out=effects.carry_out,
                    **form.cleaned_data,
                )
            except BylineError as error:
                form.add_error(None, f"{error} {error.help}")
                return self._case(request, case_id, form)
        except BylineError as error:
            messages.error(request, f"{error} {error.help}")
        else:
            messages.success(request, "Decided. What follows from it was done, and both are in the log.")
        return redirect("admin:byline_safety_case_changelist")

    def figures(self, request: HttpRequest) -> HttpResponse:
        """How review is doing."""
        self._require_reviewer(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Review in figures",
            "figures": metrics(),
        }
        return TemplateResponse(request, "byline_review/figures.html", context)

    def _require_reviewer(self, request: HttpRequest) -> None:
        if not request.user.has_perm(f"byline_safety.{REVIEW}"):
            raise PermissionDenied


def _is_uuid(text: UUID | str) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True
