"""Public pages of review: report a clip, and see what became of the report.

Promises: every page works with a keyboard, a screen reader and without JavaScript; the same allowance as
the API's; a clip that is not public has no report page and cannot be told from one that does not exist. The
address of a report is the reporter's secret (122 random bits): the newsroom needs no account of theirs.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.exceptions import APIException

from byline.audit.base.errors import BylineError
from byline.platform import status
from byline.platform.api.throttles import ReportThrottle
from byline.platform.pages import PART, count, public
from byline.platform.review import appeals, reports
from byline.safety.review.models import Report


class ReportForm(forms.Form):
    """What the person may say; `verdict` and `record` come from the page they were on."""

    kind = forms.ChoiceField(error_messages={"required": "Choose what is wrong."})
    message = forms.CharField(
        max_length=2000, error_messages={"required": "Say what we should know, in at most 2,000 characters."}
    )
    contact = forms.CharField(max_length=254, required=False)
    country = forms.ChoiceField(required=False)
    verdict = forms.RegexField(r"\A[a-z_]{0,32}\Z", required=False)
    record = forms.UUIDField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, values in zip(("kind", "country"), reports.choices().values(), strict=True):
            self.fields[field].choices = values  # type: ignore[attr-defined]


@public
@require_safe
def report_clip(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The form about one published clip, also about one that was taken down."""
    if status.of(public_id) is None:
        raise Http404("No published clip has this id.")
    return render(request, "byline/report_clip.html", {"record": public_id, **reports.choices()})


@csrf_exempt  # no session is read and nothing of the visitor is changed; a form token would be a cookie
@public
@require_POST
def report(request: HttpRequest) -> HttpResponse:
    """Take a report, and give the person the address at which they can follow it."""
    part = request.headers.get(PART) == "answer"
    refused = _too_often(request, "byline/report_thanks.html" if part else "byline/report_clip.html")
    if refused is not None:
        return refused
    form = ReportForm(request.POST)
    if not form.is_valid():
        problem = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return _again(request, form, problem, part)
    row = reports.store(**form.cleaned_data)
    template = "byline/report_thanks.html" if part else "byline/report.html"
    return render(request, template, {"report": row, "case": row.case}, status=201)


def _again(request: HttpRequest, form: ReportForm, problem: str, part: bool) -> HttpResponse:
    """The form once more, with what was written and what is wrong with it."""
    if part:
        return render(request, "byline/report_thanks.html", {"problem": problem}, status=400)
    context: dict[str, Any] = {"problem": problem, "errors": form.errors, "given": form.data}
    context |= reports.choices()
    context |= {name: form.cleaned_data.get(name) for name in ("record", "verdict")}
    return render(request, "byline/report_clip.html", context, status=400)


def _too_often(request: HttpRequest, template: str) -> HttpResponse | None:
    try:
        count(request, ReportThrottle())
    except APIException as error:
        wait = int(getattr(error, "wait", 60) or 60)
        problem = f"Many reports came from your network. Try again in {wait // 60 + 1} minutes."
        context = {"problem": problem, "given": request.POST, **reports.choices()}
        refused = render(request, template, context, status=429)
        refused.headers["Retry-After"] = str(wait)
        return refused
    return None


@csrf_exempt
@public
@require_http_methods(["GET", "HEAD", "POST"])
def follow(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """What became of one report, and one appeal when it was refused."""
    row = Report.objects.filter(pk=report_id).select_related("case").first()
    if row is None:
        raise Http404("There is no such report.")
    context: dict[str, Any] = {"report": row, "case": row.case}
    code = 200
    if request.method == "POST":
        template = "byline/report_status.html"
        refused = _too_often(request, template)
        if refused is not None:
            return refused
        try:
            appeals.appeal_report(row, request.POST.get("plea", ""))
            return redirect("byline:report-status", report_id)
        except BylineError as error:
            context["problem"], code = f"{error} {error.help}", error.status
    context["standing"] = appeals.of_report(row)
    context["says"] = dict(reports.choices()["kinds"]).get(row.kind, row.kind)
    return render(request, "byline/report_status.html", context, status=code)
