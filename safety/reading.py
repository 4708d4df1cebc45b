"""The texts of one request as moderation reads them: every text in every view, and what they say together.

Promises: scenes of one storyboard ("scene.1", "scene.2" ...) are also read as one text, with and
without the gaps at their seams, so that nothing hides by being cut over two scenes; all texts are
joined once more for names and hard conjunctions that are split over fields. Knows which categories
do not count in a text: what is only heard mentions people, it does not depict them; a negative
prompt lists what must not appear.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from byline.safety.views import View, views

# What is only heard or read mentions people and works; it does not depict them.
SPOKEN = frozenset({"voice_over", "title", "captions", "script", "transcript"})
_NOT_DEPICTED = frozenset({"real_person", "copyright_brand"})
# A negative prompt lists what must not appear ("nudity, blood"), so naming it is no offence.
NEGATIVE = "negative_prompt"
_UNWANTED = frozenset({"sexual", "violence", "copyright_brand", "real_person"})
_SCENE = re.compile(r"scene[._ -]?(\d{1,4})")
STORYBOARD, SEAMLESS = "storyboard", "seamless"
TOGETHER, COMBINED = "all", "combined"
_GAP = " . "


@dataclass(frozen=True)
class Joined:
    """All texts but the negative prompt in one; `ends` are the positions where each one ends."""

    text: str
    ends: tuple[int, ...]

    def parts(self, *spans: tuple[int, int]) -> set[int]:
        """The numbers of the texts in which these spans begin or end."""
        return {bisect.bisect_right(self.ends, at) for start, end in spans for at in (start, end - 1)}


@dataclass(frozen=True)
class Reading:
    """`views` by the name of the text; `lengths` in characters, of the texts as they were given."""

    views: Mapping[str, tuple[View, ...]] = field(repr=False)
    lengths: Mapping[str, int]
    joined: Joined = field(repr=False)

    def text(self, where: str, view: str) -> str:
        """The words of one view, "" for one that there is not."""
        if where == TOGETHER:
            return self.joined.text
        return next((v.text for v in self.views.get(where, ()) if v.name == view), "")


def read(texts: Mapping[str, str], longest: int) -> Reading:
    """Every text of at most `longest` characters that says anything, in every view."""
    lengths = {name: len(text) for name, text in texts.items() if text.strip()}
    readable = {name: text for name, text in texts.items() if 0 < lengths.get(name, 0) <= longest}
    found = {name: views(text) for name, text in readable.items()}
    found |= _storyboard(readable, longest)
    joined, ends = "", []
    for name, text_views in found.items():
        if name not in {NEGATIVE, STORYBOARD}:
            joined += text_views[-1].text + _GAP
            ends.append(len(joined))
    return Reading(found, lengths, Joined(joined, tuple(ends)))


def _storyboard(texts: Mapping[str, str], longest: int) -> dict[str, tuple[View, ...]]:
    numbered = [(int(m.group(1)), text) for name, text in texts.items() if (m := _SCENE.fullmatch(name))]
    scenes = [text.strip() for _, text in sorted(numbered, key=lambda pair: pair[0])]
    if len(scenes) < 2 or sum(map(len, scenes)) + len(scenes) > longest:
        return {}
    # Without the gap, a word that was cut in two is whole again.
    seamless = views("".join(scenes))[-1]
    return {STORYBOARD: (*views(" ".join(scenes)), View(SEAMLESS, seamless.text, seamless.steps))}


def left_out(name: str) -> frozenset[str]:
    """Categories that do not count in a text of this name."""
    if name == NEGATIVE:
        return _UNWANTED
    return _NOT_DEPICTED if name in SPOKEN else frozenset()
