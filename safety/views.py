"""The readings of one text that are scored; a decision takes the maximum and names the reading.

Promises: the raw text is always a view; the normalised one is added when it differs beyond case
and spacing. Names of views are safe to log, their texts are not. Scoring both matters each way:
normalising finds what was hidden, and may not hide what was plain.
"""

from __future__ import annotations

from dataclasses import dataclass

from byline.safety.normalise import normalise


@dataclass(frozen=True)
class View:
    """`name` is "raw" or "normalised"; `steps` are the normaliser's steps that fired."""

    name: str
    text: str
    steps: tuple[str, ...] = ()


def views(text: str) -> tuple[View, ...]:
    """One or two views of a text; none for an empty one."""
    if not text.strip():
        return ()
    raw = View("raw", text)
    found = normalise(text)
    if " ".join(found.text.lower().split()) == " ".join(text.lower().split()):
        return (raw,)
    return raw, View("normalised", found.text, found.steps)
