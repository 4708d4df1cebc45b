"""Why moderation refused or held a request, with the words that fired: for its author alone.

The words come from the request's own row (stage `moderate`); whoever else may open the page sees
category and clause, as the audit log does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from byline.generation.models import GenerationRequest
from byline.generation.states import State
from byline.safety.categories import CATEGORIES, REASONS

_FIELDS = {
    "prompt": "What the clip shows",
    "edited_prompt": "Your own wording",
    "voice_over": "Voice-over",
    "negative_prompt": "What must not appear",
    "title": "Title on screen",
    "all": "All your texts together",
}
_SOURCES = {"head": "by likeness to texts that broke this rule", "no_go": "on the list of people not to show"}


@dataclass(frozen=True)
class Reason:
    """One thing that stands against the request. `pieces` is the text in order, as (words, fired)."""

    category: str
    clause: str
    help: str
    field: str
    found: str
    understood: bool  # whether the text is shown as it was understood, not as it was written
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Refusal:
    blocked: bool
    category: str
    clause: str
    help: str
    reasons: tuple[Reason, ...]


def of(row: GenerationRequest, reader: str) -> Refusal | None:
    """None unless moderation is what stopped the request. Words only for the requester."""
    if row.state not in {State.REJECTED, State.HELD} or row.stage != "moderate":
        return None
    mine = row.requester == reader
    run = row.runs.filter(stage="moderate", current=True).first() if mine else None
    fired = run.produces.get("fired", []) if run else []
    return Refusal(
        blocked=row.state == State.REJECTED,
        category=label(row.error_category),
        clause=row.error_clause,
        help=row.error_help,
        reasons=tuple(_reason(item) for item in fired),
    )


def label(category: str) -> str:
    """The category in words; "" for none."""
    return {**CATEGORIES, **REASONS}.get(category, category)


def _reason(item: Mapping[str, Any]) -> Reason:
    by = str(item["by"])
    return Reason(
        category=label(item["category"]),
        clause=item["clause"],
        help=item["help"],
        field=_field(item["text"]),
        found=_SOURCES.get(by) or (f"by rule {by}" if "." in by else f"by the guard {by}"),
        understood=item["view"] not in {"raw", "combined as written"},
        pieces=tuple(_pieces(item["reading"], item["spans"])),
    )


def _field(name: str) -> str:
    """The text's name on the page; a film's texts say which shot they belong to."""
    kind, _, shot = name.partition(".")
    label = _FIELDS.get(kind, kind)
    if not shot:
        return label
    return f"{label}, all shots together" if shot == "whole" else f"{label}, shot {shot}"


def _pieces(text: str, spans: list[list[int]]) -> Iterator[tuple[str, bool]]:
    at = 0
    for start, end in sorted(spans):
        if end <= at:
            continue
        start = max(start, at)
        if start > at:
            yield text[at:start], False
        yield text[start:end], True
        at = end
    if at < len(text):
        yield text[at:], False
