"""Editors' screens: write a brief, watch it being made, choose a finished clip for a page."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import FormView, TemplateView
from wagtail.admin.views.generic import WagtailAdminTemplateMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.admin.widgets import BaseChooser
from wagtail.blocks import ChooserBlock

from byline.audit.base.errors import BylineError
from byline.generation import rewrites, states, store, submit
from byline.generation.models import GenerationRequest
from byline.generation.quality import record
from byline.platform.api.serializers import GenerationSerializer
from byline.platform.api.views import visible_to
from byline.platform.cms import reasons, wishes
from byline.platform.cms.forms import BriefForm

PERMISSION = "byline_generation.add_generationrequest"


def _allowed(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied


def _find(request: HttpRequest, generation_id: UUID) -> GenerationRequest:
    _allowed(request)
    return get_object_or_404(visible_to(request.user), pk=generation_id)


class BriefView(WagtailAdminTemplateMixin, FormView):
    page_title = "Generate a video"
    header_icon = "media"
    template_name = "byline_cms/brief.html"
    form_class = BriefForm
    _show_breadcrumbs = True

    def get_breadcrumbs_items(self) -> list[dict[str, str]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": self.page_title}]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        _allowed(request)
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        recent = visible_to(self.request.user)[:10]
        return super().get_context_data(recent=recent, **kwargs)

    def form_valid(self, form: BriefForm) -> HttpResponse:
        """Submit; a brief that leaves people open is first shown with the wording it would get."""
        given = dict(form.cleaned_data)
        answer, requester = given.pop("answer"), self.request.user.get_username()
        try:
            wished = wishes.taken(given, requester)
            first = given.pop("first")
            if given["debias"] and not given["rewrite"]:
                asked = {name: given[name] for name in ("prompt", "brand", "seed")}
                proposal = rewrites.propose(**asked, requester=requester)
                if proposal.id:
                    return self._ask(form, proposal, first=first)
            given["debias"] = given["debias"] and answer != "refuse"
            if answer != "edit":
                given["edited_prompt"] = ""
            created = submit.submit(**given, **wished, requester=requester)
        except (rewrites.ReasonNeeded, rewrites.ProposalGone) as error:
            if not given["rewrite"]:
                form.add_error("debias_reason", f"{error} {error.help}")
                return self.form_invalid(form)
            asked = {name: form.cleaned_data[name] for name in ("prompt", "brand", "seed")}
            proposal = rewrites.propose(**asked, requester=requester)
            return self._ask(form, proposal, f"{error} {error.help}", first=first)
        except BylineError as error:
            form.add_error(None, f"{error} {error.help}")
            return self.form_invalid(form)
        return redirect("byline_generate:progress", created.pk)

    def _ask(
        self, form: BriefForm, proposal: rewrites.Proposal, problem: str = "", *, first: UUID | None = None
    ) -> HttpResponse:
        """The page on which the editor accepts, edits or refuses the wording. `first` is the input that an
        uploaded picture became: a file is not sent twice."""
        kept = [
            (name, self.request.POST[name])
            for name in form.fields
            if name in self.request.POST and name not in ANSWER_FIELDS | {"first"}
        ]
        kept += [("first", str(first))] if first else []
        context = self.get_context_data(
            form=form, proposal=proposal, pieces=_pieces(proposal), kept=kept, problem=problem
        )
        context["given"] = self.request.POST
        return render(self.request, "byline_cms/rewrite.html", context, status=400 if problem else 200)


ANSWER_FIELDS = {"rewrite", "answer", "edited_prompt", "debias_reason"}


def _pieces(proposal: rewrites.Proposal) -> list[tuple[str, str]]:
    """The proposed text in order, as (what stays, what is new)."""
    made, at = [], 0
    for change in proposal.changes:
        made.append((proposal.prompt[at : change.start], change.replacement))
        at = change.end
    return [*made, (proposal.prompt[at:], "")]


class ProgressView(WagtailAdminTemplateMixin, TemplateView):
    page_title = "Your video"
    header_icon = "media"
    template_name = "byline_cms/progress.html"
    _show_breadcrumbs = True

    def get_breadcrumbs_items(self) -> list[dict[str, str]]:
        index = {"url": reverse("byline_generate:index"), "label": BriefView.page_title}
        return [*super().get_breadcrumbs_items(), index, {"url": "", "label": self.page_title}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = _find(self.request, self.kwargs["generation_id"])
        return super().get_context_data(
            generation=found,
            data=_status(found),
            terminal=found.state in states.AT_REST,
            heard=_heard(found),
            quality=record.of(found) if found.result else None,
            made=_made(found),
            refusal=reasons.of(found, self.request.user.get_username()),
            **kwargs,
        )


def _heard(found: GenerationRequest) -> dict[str, Any]:
    """Loudness and peak of the clip's sound, {} when it has none."""
    run = found.runs.filter(stage="watermark", current=True).first()
    evidence = run.evidence if run else {}
    return {name: evidence[name] for name in ("loudness_lufs", "true_peak_dbtp") if name in evidence}


def _made(found: GenerationRequest) -> dict[str, Any]:
    """What the engine took and which of its settings trade quality; {} before it ran."""
    run = found.runs.filter(stage="engine", current=True).first()
    evidence = run.evidence if run else {}
    usage = evidence.get("usage", {})
    if not usage:
        return {}
    return {**usage, "wh": 1000 * usage["kwh"], "lossy": evidence.get("settings", {}).get("lossy", [])}


def _status(found: GenerationRequest) -> dict[str, Any]:
    data = dict(GenerationSerializer(found).data)
    data["terminal"] = found.state in states.AT_REST
    data["playable"] = found.state in {"ready", "published"}
    data["id"] = str(found.pk)
    return data


@require_safe
def status(request: HttpRequest, generation_id: UUID) -> JsonResponse:
    """What the progress page polls once a second."""
    return JsonResponse(_status(_find(request, generation_id)))


@require_safe
def preview(request: HttpRequest, generation_id: UUID) -> FileResponse:
    """The finished clip, for signed-in editors, before it is public."""
    found = _find(request, generation_id)
    if found.state not in {"ready", "published"}:
        raise Http404("This clip is not ready.")
    path = store.read_path(found.file_sha256)
    return FileResponse(path.open("rb"), content_type=store.CLIPS[path.suffix])


@require_safe
def forthcoming(request: HttpRequest, generation_id: UUID) -> HttpResponse:
    """A screened and labelled picture of what the clip is going to be, while the model works on it."""
    found = _find(request, generation_id)
    try:
        if (found.state, found.stage) != ("generating", "engine"):
            raise FileNotFoundError
        picture = store.preview_path(found.pk, found.attempt).read_bytes()
    except FileNotFoundError as error:
        raise Http404("There is no preview.") from error
    response = HttpResponse(picture, content_type="image/jpeg")
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def sound_picture(request: HttpRequest, generation_id: UUID) -> HttpResponse:
    """Waveform and spectrogram of the finished clip's sound."""
    from byline.generation.sound import files, pictures

    found = _find(request, generation_id)
    if found.state not in {"ready", "published"}:
        raise Http404("This clip is not ready.")
    try:
        samples, rate = files.read(store.read_path(found.file_sha256))
    except files.NoSound as error:
        raise Http404("This clip has no sound.") from error
    response = HttpResponse(pictures.picture(samples, rate), content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400"
    return response


@require_POST
def cancel(request: HttpRequest, generation_id: UUID) -> HttpResponse:
    found = _find(request, generation_id)
    try:
        submit.cancel(found.pk, actor=request.user.get_username())
        messages.success(request, "The stop was asked for; the worker stops at its next step.")
    except BylineError as error:
        messages.error(request, f"{error} {error.help}")
    return redirect("byline_generate:progress", found.pk)


class GenerateViewSet(ViewSet):
    add_to_admin_menu = True
    icon = "media"
    menu_label = "Generate video"
    name = "byline_generate"
    url_prefix = "generate"

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", BriefView.as_view(), name="index"),
            path("<uuid:generation_id>/", ProgressView.as_view(), name="progress"),
            path("<uuid:generation_id>/status/", status, name="status"),
            path("<uuid:generation_id>/clip.mp4", preview, name="preview"),
            path("<uuid:generation_id>/forthcoming.jpg", forthcoming, name="forthcoming"),
            path("<uuid:generation_id>/sound.png", sound_picture, name="sound"),
            path("<uuid:generation_id>/cancel/", cancel, name="cancel"),
        ]

    def get_menu_item(self, order: int | None = None) -> Any:
        from wagtail.admin.menu import MenuItem

        class PermittedItem(MenuItem):
            def is_shown(self, request: HttpRequest) -> bool:
                return bool(request.user.has_perm(PERMISSION))

        return PermittedItem(
            self.menu_label,
            reverse("byline_generate:index"),
            name=self.name,
            icon_name=self.icon,
            order=order or 250,
        )


class UUIDChooserBlock(ChooserBlock):
    """Wagtail looks chosen objects up by the stored value; a UUID is stored as text and found as UUID."""

    def bulk_to_python(self, values: list[Any]) -> list[Any]:
        to_python = self.model_class._meta.pk.to_python
        return list(super().bulk_to_python([to_python(value) for value in values]))


class UUIDChooser(BaseChooser):
    """The widget's state goes through plain JSON, which has no UUID."""

    def get_value_data_from_instance(self, instance: Any) -> dict[str, Any]:
        data = super().get_value_data_from_instance(instance)
        return {**data, "id": str(data["id"])}


class ClipChooser(ChooserViewSet):
    """Finished clips only: the ones an editor may put on a page."""

    model = "byline_generation.GenerationRequest"
    icon = "media"
    choose_one_text = "Choose a video"
    choose_another_text = "Choose another video"
    base_block_class = UUIDChooserBlock
    base_widget_class = UUIDChooser
    per_page = 20

    def get_object_list(self) -> Any:
        return GenerationRequest.objects.filter(state__in=["ready", "published"]).order_by("-created_at")


clip_chooser = ClipChooser("byline_clip_chooser")
