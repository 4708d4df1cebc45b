"""Addresses that leave the system: what a clip's page, manifest and file are called in public."""

from django.urls import NoReverseMatch, reverse

from byline.generation.models import GenerationRequest


def public_id(request: GenerationRequest) -> str | None:
    """The random public id of a finished clip's record; None before it is ready."""
    return request.result.get("record") if request.result else None


def credentials_url(request: GenerationRequest) -> str | None:
    """Path of the page that shows the label and the credentials; None before the clip is ready."""
    record = public_id(request)
    if record is None:
        return None
    try:
        return reverse("byline:credentials", args=[record])
    except NoReverseMatch:  # a host that installed the apps but not the addresses
        return None
