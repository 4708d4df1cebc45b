"""The publish guard: a page with an unready, held or unverifiable clip cannot go live.

It stands where a page is saved as live, whichever way that happens (button, schedule, workflow,
shell), and asks `generation.submit.publish`, which trusts the file's bytes and not a flag.
"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from wagtail.fields import StreamField
from wagtail.models import Page

from byline.audit.base.errors import BylineError
from byline.generation import publication, submit
from byline.generation.models import GenerationRequest
from byline.generation.states import State


def clips_of(page: Model) -> Iterator[str]:
    """Ids of the generated clips that a page's StreamFields reference, at any depth."""
    for field in page._meta.get_fields():
        if isinstance(field, StreamField):
            for model, object_id, *_ in field.extract_references(getattr(page, field.name)):
                if model is GenerationRequest:
                    yield str(object_id)


def check(page: Model, actor: str) -> None:
    """Publish every clip of the page, or raise the ValidationError that stops the page."""
    if type(page) is Page and page.pk:
        page = page.specific  # type: ignore[attr-defined]  # the base row knows none of the fields that hold clips
    problems = []
    for clip_id in dict.fromkeys(clips_of(page)):
        try:
            clip = GenerationRequest.objects.get(pk=clip_id)
            if clip.state == State.PUBLISHED:
                publication.verify_stored(clip)
            else:
                submit.publish(clip.pk, actor=actor)
        except GenerationRequest.DoesNotExist:
            problems.append("A video on this page no longer exists. Choose another one.")
        except BylineError as error:
            problems.append(f"A video on this page cannot be published: {error}. {error.help}")
    if problems:
        raise ValidationError(problems)


def before_save(sender: type[Model], instance: Model, raw: bool = False, **kwargs: Any) -> None:
    """pre_save receiver: going live is refused here for every way of publishing."""
    if not raw and isinstance(instance, Page) and instance.live:
        check(instance, actor="cms")


def before_publish(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Hook of the editor's Publish button: the same check, answered with a readable message."""
    from wagtail.admin import messages

    try:
        check(page.specific, actor=request.user.get_username())
    except ValidationError as error:
        for message in error.messages:
            messages.error(request, message)
        return redirect("wagtailadmin_pages:edit", page.pk)
    return None
