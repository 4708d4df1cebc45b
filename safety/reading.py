"""The texts of one request as moderation reads them: every text in every view, and what they say together.

Promises: texts of the scenes of one storyboard ("prompt.1", "prompt.2", "voice_over.1" ...) are also
read as one text, with and without the gaps at their seams, so that nothing hides by being cut over
two scenes; all texts are joined once more for names and hard conjunctions that are split over
fields; a stretch that U+202E turns round on screen is read as it is shown. Knows which categories do
not count in a text: what is only heard mentions people, it does not depict them; a negative prompt
lists what must not appear.
"""

from __future__ import annotations

import bisect
import itertools
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
_NUMBERED = re.compile(r"([a-z_]+)\.(\d{1,4})")
_WHOLE, SEAMLESS = ".whole", "seamless"
TOGETHER, COMBINED, WRITTEN = "all", "combined", "combined as written"
_GAP = " . "
# Right-to-left override: the letters after it are shown in reverse, up to its end (Unicode UAX 9, X4).
_OVERRIDDEN = re.compile("\u202e([^\u202c\u2069\n]*)[\u202c\u2069]?")


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
    """`views` by the name of the text; `lengths` in characters, of the texts as they were given;
    `joined` all texts as they are understood, `as_written` as they were written (names are)."""

    views: Mapping[str, tuple[View, ...]] = field(repr=False)
    lengths: Mapping[str, int]
    joined: Joined = field(repr=False)
    as_written: Joined = field(repr=False)

    def text(self, where: str, view: str) -> str:
        """The words of one view, "" for one that there is not."""
        if where == TOGETHER:
            return (self.as_written if view == WRITTEN else self.joined).text
        return next((v.text for v in self.views.get(where, ()) if v.name == view), "")


def read(texts: Mapping[str, str], longest: int) -> Reading:
    """Every text of at most `longest` characters that says anything, in every view."""
    lengths = {name: len(text) for name, text in texts.items() if text.strip()}
    readable = {name: text for name, text in texts.items() if 0 < lengths.get(name, 0) <= longest}
    found = {name: _as_shown(text) for name, text in readable.items()}
    wanted = [text_views for name, text_views in found.items() if kind(name) != NEGATIVE]
    joined, as_written = (_joined([text_views[i].text for text_views in wanted]) for i in (-1, 0))
    for name, scenes in _storyboards(readable).items():
        text = " ".join(scenes)
        lengths[name] = len(text)
        if len(text) <= longest:
            # Without the gaps, a word that was cut in two is whole again.
            seamless = views("".join(scenes))[-1]
            found[name] = (*views(text), View(SEAMLESS, seamless.text, seamless.steps))
    return Reading(found, lengths, joined, as_written)


def _joined(texts: list[str]) -> Joined:
    parts = [text + _GAP for text in texts]
    return Joined("".join(parts), tuple(itertools.accumulate(map(len, parts))))


def _as_shown(text: str) -> tuple[View, ...]:
    """The views of a text; where letters are turned round for the eye, also as the eye gets them."""
    shown = _OVERRIDDEN.sub(lambda m: m.group(1)[::-1], text)
    if shown == text:
        return views(text)
    understood = views(shown)[-1:]
    return (*views(text), *(View("as shown", v.text, ("override", *v.steps)) for v in understood))


def _storyboards(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """ "prompt.whole" -> the prompts of all scenes in their order, where there are several."""
    numbered: dict[str, dict[int, str]] = {}
    for name, text in texts.items():
        if found := _NUMBERED.fullmatch(name):
            numbered.setdefault(found.group(1), {})[int(found.group(2))] = text.strip()
    return {
        f"{name}{_WHOLE}": [scenes[n] for n in sorted(scenes)]
        for name, scenes in numbered.items()
        if len(scenes) > 1
    }


def kind(name: str) -> str:
    """What a text is, whichever scene it belongs to: "voice_over" for "voice_over.3"."""
    return name.partition(".")[0]


def spoken(name: str) -> bool:
    """Whether a text is only heard or read."""
    return kind(name) in SPOKEN


def whole(name: str) -> bool:
    """Whether this is several scenes' text put together, each of which was judged by itself."""
    return name.endswith(_WHOLE)


def left_out(name: str) -> frozenset[str]:
    """Categories that do not count in a text of this name."""
    if kind(name) == NEGATIVE:
        return _UNWANTED
    return _NOT_DEPICTED if spoken(name) else frozenset()
