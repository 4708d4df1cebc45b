"""The words of a CMS page, as a document that a script is drafted from.

Takes title, rich text and stream fields of the page type in their order, by the same road as the search
index, so that every block type of a site is read without being known here.
"""

from typing import TYPE_CHECKING, Any

from django.db.models import CharField, TextField
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page
from wagtail.rich_text import get_text_for_indexing

from byline.audit.base.errors import InvalidInput

if TYPE_CHECKING:
    from byline.generation.script.documents import Document


class NoSuchPage(InvalidInput):
    code = "no_such_page"
    status = 404
    help = "Give the number of a page, as it stands in its address in the CMS."


def document_of(page_id: int) -> "Document":
    """The page as it was last saved, drafts included. NoSuchPage, DocumentRefused (a page without text)."""
    from byline.generation.script import documents

    found = Page.objects.filter(pk=page_id).first()
    if found is None:
        raise NoSuchPage(f"there is no page {page_id}")
    page = found.specific
    latest: Any = page.get_latest_revision_as_object()
    blocks = [("text", text) for text in _texts(latest)]
    return documents.from_blocks(latest.title, blocks, kind="page", address=f"page:{page_id}")


def _texts(page: Any) -> list[str]:
    inherited = {field.name for field in Page._meta.get_fields()}
    texts: list[str] = []
    for field in page._meta.get_fields():
        if field.name in inherited or not hasattr(field, "attname"):
            continue
        value = getattr(page, field.attname, None)
        if isinstance(field, StreamField):
            texts += [str(text) for text in field.get_searchable_content(value)]
        elif isinstance(field, RichTextField):
            texts.append(get_text_for_indexing(value or ""))
        elif isinstance(field, TextField | CharField) and isinstance(value, str) and not field.choices:
            texts.append(value)
    return [part for text in texts for part in text.split("\n") if part.strip()]
