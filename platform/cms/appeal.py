"""What was decided about an editor's request, with its reasons, and their one appeal.

The address is named `byline_cms_appeal` and takes the request's id; the page of a blocked request links it.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.generic import FormView
from wagtail.admin.views.generic import WagtailAdminTemplateMixin

from byline.audit.base.errors import BylineError
from byline.generation.models import GenerationRequest
from byline.platform.api.views import visible_to
from byline.platform.review import appeals


class PleaForm(forms.Form):
    plea = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="What was overlooked?",
        help_text="You can appeal once. Somebody who had no part in the decision reads it.",
    )


class AppealView(WagtailAdminTemplateMixin, FormView):
    """Everybody who may see the request reads the reasons; only the requester may appeal."""

    page_title = "What was decided, and why"
    header_icon = "warning"
    template_name = "byline_cms/appeal.html"
    form_class = PleaForm
    _show_breadcrumbs = True
    row: GenerationRequest

    def get_breadcrumbs_items(self) -> list[dict[str, str]]:
        progress = {"url": reverse("byline_generate:progress", args=[self.row.pk]), "label": "Your video"}
        return [*super().get_breadcrumbs_items(), progress, {"url": "", "label": self.page_title}]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("byline_generation.add_generationrequest"):
            raise PermissionDenied
        self.row = get_object_or_404(visible_to(request.user), pk=kwargs["generation_id"])
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = appeals.of_request(self.row)
        mine = self.row.requester == self.request.user.get_username()
        first = next((item for item in found if item.statement.restricts), None)
        may_appeal = mine and first is not None and first.appealable
        return super().get_context_data(generation=self.row, standings=found, may_appeal=may_appeal, **kwargs)

    def form_valid(self, form: PleaForm) -> HttpResponse:
        name = self.request.user.get_username()
        if self.row.requester != name:
            raise PermissionDenied
        try:
            appeals.appeal_request(self.row, name, form.cleaned_data["plea"])
            messages.success(self.request, "Your appeal was received. Somebody else decides.")
        except BylineError as error:
            messages.error(self.request, f"{error} {error.help}")
        return redirect("byline_cms_appeal", self.row.pk)
