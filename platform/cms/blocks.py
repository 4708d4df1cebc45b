"""The StreamField block that puts a generated clip on a page, with its label and credentials."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from wagtail.blocks import CharBlock, StructBlock

from byline.platform import status
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
        # Fail closed: only a clip that the public may see now shows its picture; any other shows a notice.
        record = public_id(clip) if clip is not None and clip.state == "published" else None
        now = status.of(record) if record else None
        shown = now is not None and now.state in status.OPEN
        context["status"] = now
        context["public_id"] = record if shown else None
        context["credentials_url"] = credentials_url(clip) if now is not None else None
        return dict(context)
