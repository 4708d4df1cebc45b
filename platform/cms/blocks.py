"""The StreamField block that puts a generated clip on a page, with its label and credentials."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from wagtail.blocks import CharBlock, StructBlock

from byline.platform.cms.views import clip_chooser
from byline.platform.links import credentials_url, public_id

ClipChooserBlock = clip_chooser.get_block_class(
    name="ClipChooserBlock", module_path="byline.platform.cms.blocks"
)


class GeneratedVideoBlock(StructBlock):
    clip = ClipChooserBlock(label="Video")
    caption = CharBlock(required=False, max_length=250)

    class Meta:
        icon = "media"
        label = "AI-generated video"
        template = "byline_cms/video_block.html"

    def get_context(self, value: Any, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context=parent_context)
        try:
            clip = value.get("clip")
        except ObjectDoesNotExist:
            clip = None
        context["clip"] = clip
        # Fail closed: a clip that is no longer published shows a notice, never its picture.
        shown = clip is not None and clip.state == "published"
        context["public_id"] = public_id(clip) if shown else None
        context["credentials_url"] = credentials_url(clip) if shown else None
        return dict(context)
