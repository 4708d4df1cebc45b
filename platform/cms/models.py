"""A page type to start with. Sites with their own pages add `GeneratedVideoBlock` to a StreamField."""

from wagtail.admin.panels import FieldPanel
from wagtail.blocks import RichTextBlock
from wagtail.fields import StreamField
from wagtail.models import Page

from byline.platform.cms.blocks import GeneratedVideoBlock


class StoryPage(Page):
    body = StreamField(
        [
            ("text", RichTextBlock(features=["h2", "h3", "bold", "italic", "link", "ol", "ul"])),
            ("video", GeneratedVideoBlock()),
        ],
        blank=True,
    )
    content_panels = [*Page.content_panels, FieldPanel("body")]
    template = "byline_cms/story_page.html"
    page_description = "A story with text and AI-generated video"
