"""Finding the names and terms of a policy's lists in a text.

Promises: case, accents, punctuation and missing spaces between the parts of a name do not hide it
("JANE-DOE", "janedoe", "Jané Doe"), "Doe, Jane" is found for a name of two parts, and positions
are those of the text that was given. Disguises beyond that are undone by byline.safety.views,
whose readings are searched as well. Leaves out misspellings: write them as aliases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Span = tuple[int, int]
_BETWEEN = r"[\W_]{0,4}"


def fold(text: str) -> tuple[str, list[int]]:
    """The text without case and accents, and for each of its characters the position it came from."""
    if text.isascii():
        return text.lower(), list(range(len(text)))
    out: list[str] = []
    origin: list[int] = []
    for position, char in enumerate(text):
        for part in unicodedata.normalize("NFKD", char).casefold():
            if not unicodedata.combining(part):
                out.append(part)
                origin.append(position)
    return "".join(out), origin


def _key(text: str) -> str:
    return "".join(c for c in fold(text)[0] if c.isalnum())


@dataclass(frozen=True)
class NameList:
    """Compiled spellings. `find` gives the entry's number and the characters it stands at."""

    pattern: re.Pattern[str] | None = None
    entries: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.pattern is not None

    def find(self, text: str) -> list[tuple[int, Span]]:
        """Every occurrence, in order of position; spans are (start, end) in characters of `text`."""
        if self.pattern is None:
            return []
        folded, origin = fold(text)
        return [
            (self.entries[_key(m.group())], (origin[m.start()], origin[m.end() - 1] + 1))
            for m in self.pattern.finditer(folded)
        ]

    def blank(self, text: str) -> str:
        """The text with spaces in place of every occurrence: the rest stays where it was."""
        for _, (start, end) in self.find(text):
            text = text[:start] + " " * (end - start) + text[end:]
        return text


def compile_names(entries: Iterable[Sequence[str]]) -> NameList:
    """One entry is the spellings of one person or term. ValueError for one of under three letters,
    or for a spelling that stands in two entries."""
    found: dict[str, int] = {}
    patterns: dict[str, None] = {}
    for number, spellings in enumerate(entries):
        for spelling in spellings:
            key = _key(spelling)
            if len(key) < 3:
                raise ValueError(f"{spelling!r} is too short to be searched for")
            if found.setdefault(key, number) != number:
                raise ValueError(f"{spelling!r} stands in two entries")
            parts = re.findall(r"[^\W_]+", fold(spelling)[0])
            patterns[_BETWEEN.join(map(re.escape, parts))] = None
            if len(parts) == 2 and found.setdefault(_key(parts[1] + parts[0]), number) == number:
                patterns[rf"{re.escape(parts[1])}\s?,\s?{re.escape(parts[0])}"] = None
    if not patterns:
        return NameList()
    longest_first = sorted(patterns, key=len, reverse=True)
    return NameList(re.compile(rf"(?<![^\W_])(?:{'|'.join(longest_first)})(?![^\W_])"), found)
