"""English words for a drawn person: which word, before or after the noun, with which article.

Promises: words are added from a fixed vocabulary only, so the moderation of the prompt still holds
for the result. One person: "an older dark-skinned female judge", a noun's own pair where English has
one ("mother"), child words for children. Two to four are described one by one; more as a group. What
the prompt says of age, body or disability stays and is not said twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from byline.safety import mentions as reading
from byline.safety.fairness.quota import Quota
from byline.safety.mentions import Mention


@dataclass(frozen=True)
class Change:
    """`original` at `start`:`end` of the prompt became `replacement`; `cells` were drawn for it."""

    start: int
    end: int
    original: str
    replacement: str
    cells: tuple[str, ...]


_TABLE_OF = {"adult": "adult", "generic": "adult", "child": "child", "baby": "child", "teen": "youth"}
_AGE_WORDS = {
    "young": "young", "younger": "young", "youthful": "young", "twenty-something": "young",
    "middle-aged": "middle-aged", "thirty-something": "middle-aged", "forty-something": "middle-aged",
    "old": "older", "older": "older", "elderly": "older", "aged": "older", "senior": "older",
    "retired": "older", "fifty-something": "older",
}  # fmt: skip
_ADJECTIVE = {"woman": "female", "man": "male", "nonbinary": "non-binary"}
_GENERIC = {"woman": "woman", "man": "man", "nonbinary": "non-binary person"}
_CHILD = {"woman": "girl", "man": "boy"}
_TEEN = {"woman": "teenage girl", "man": "teenage boy", "nonbinary": "non-binary teenager"}
_AFTER = {
    "hearing aid": "with a hearing aid",
    "prosthetic arm": "with a prosthetic arm",
    "white cane": "with a white cane",
    "wheelchair": "in a wheelchair",
}
# A wheelchair is not drawn into "climbs a ladder" or "in a chair".
_ON_FEET = re.compile(
    r"\b(?:walk|run|climb|danc|jump|jog|hik|ski|surf|skat|swim|cycl|rid|row|div|kneel|crouch|stand|stair|"
    r"ladder|stilt|march|sprint|sit|chair|seat|sofa|bench|balance beam|driv|fl(?:y|ies))\w*",
    re.IGNORECASE,
)
_NAMES = {"gender": "genders", "skin": "skin tones", "ethnicity": "ethnic backgrounds", "age": "ages"}
_NAMES |= {"body": "body types", "disability": "abilities"}
_PREPOSED = re.compile(r"\s+of\b|\s*['’]")  # what follows clings to the noun: "students of medicine"


def rewrite(prompt: str, mentions: Sequence[Mention], quota: Quota) -> list[Change]:
    """The changes of an English prompt, left to right."""
    changes: list[Change] = []
    writer = _Writer(prompt, quota)
    for mention, following in zip_longest(mentions, mentions[1:]):
        if changes and mention.phrase < changes[-1].end:
            continue  # "a crowd of fans" was taken as one
        if following is not None and _joined(prompt, mention, following):
            continue  # "nurses and doctors of different ...": said once, after the last
        change = writer.change(mention, following)
        if change is not None:
            changes.append(change)
    return changes


def _joined(prompt: str, mention: Mention, following: Mention) -> bool:
    between = prompt[mention.end : following.phrase]
    several = mention.plural and following.plural and not (mention.number or following.number)
    several = several and "collective" not in (mention.kind, following.kind)
    return several and bool(re.fullmatch(r"\s*(?:,|and|or|&|, and)\s+", between))


class _Writer:
    def __init__(self, prompt: str, quota: Quota) -> None:
        self.prompt, self.quota = prompt, quota
        self.without = ("wheelchair",) if _ON_FEET.search(prompt) else ()

    def change(self, mention: Mention, following: Mention | None) -> Change | None:
        if mention.kind == "collective":
            return self._collective(mention, following)
        if mention.plural:
            return self._plural(mention)
        cell = self._draw(mention)
        return self._singular(mention, cell)

    def _draw(self, mention: Mention) -> str:
        fixed = {"age": age_of(mention.age)} | dict.fromkeys(mention.said, "")
        table = _TABLE_OF.get(mention.kind, mention.kind)
        return self.quota.draw(table, fixed, self.without)

    def _said(self, mention: Mention, cell: str) -> dict[str, str]:
        """The drawn values that are still to be said."""
        values = self.quota.target.read(cell)
        if mention.age:
            values.pop("age", None)
        return {name: value for name, value in values.items() if value and name not in mention.said}

    def _singular(self, mention: Mention, cell: str) -> Change:
        said = self._said(mention, cell)
        noun = self.prompt[mention.start : mention.end]
        gender = said.get("gender", "woman")
        # An acronym keeps its capitals; a noun that began the sentence does not.
        small = noun if noun.isupper() else noun[0].lower() + noun[1:]
        pair = reading.pair(mention.noun)
        word = ""
        if mention.kind == "generic":
            head = _GENERIC[gender]
        elif pair and gender != "nonbinary":
            head = pair[gender == "man"]
        elif mention.kind in ("child", "baby"):
            head = _CHILD[gender] if mention.kind == "child" else f"{_infant(small)} {_CHILD[gender]}"
        elif mention.kind == "teen":
            head = _TEEN[gender]
        else:
            word, head = _ADJECTIVE[gender], small
        lead = " ".join(
            w for w in (said.get("body"), said.get("age"), said.get("skin"), said.get("ethnicity"), word) if w
        )
        change = self._before(mention, lead, head, (cell,))
        after = _AFTER.get(said.get("disability", ""))
        return (
            change
            if not after
            else Change(
                change.start, change.end, change.original, f"{change.replacement} {after}", change.cells
            )
        )

    def _collective(self, mention: Mention, following: Mention | None) -> Change | None:
        if mention.plural:
            return None
        noun = self.prompt[mention.start : mention.end]
        change = self._before(mention, "diverse", noun[0].lower() + noun[1:], ())
        if following is None or not re.fullmatch(r"\s+of\s+", self.prompt[mention.end : following.phrase]):
            return change
        tail = self.prompt[mention.end : following.end]  # "a diverse crowd of fans"
        original = self.prompt[change.start : following.end]
        return Change(change.start, following.end, original, change.replacement + tail, ())

    def _before(self, mention: Mention, words: str, head: str, cells: tuple[str, ...]) -> Change:
        """Put words before the noun and mend the article. A bare "someone" gets one."""
        prompt = self.prompt
        before = prompt[mention.phrase : mention.insert]
        middle = prompt[mention.insert : mention.start]  # a modifier that stays with the noun
        if mention.insert == 0 and not middle[:2].isupper():
            middle = middle[:1].lower() + middle[1:]  # it no longer begins the sentence
        parts = before.split(None, 1)
        first = parts[0].lower() if parts else ""
        following = words or f"{middle}{head}"
        if first in {"a", "an"}:
            # The article agrees with the word after it, which is an adjective that stays or our words.
            rest = parts[1] if len(parts) > 1 else ""
            fixed = article(rest or following)
            lead = f"{fixed.capitalize() if before[0].isupper() else fixed} {rest}"
        elif mention.noun in {"someone", "somebody"}:
            lead = f"{article(following)} "
        else:
            lead = before
        text = f"{lead}{words} {middle}{head}" if words else f"{lead}{middle}{head}"
        if prompt[mention.phrase].isupper() and text[0].islower():
            text = text[0].upper() + text[1:]
        return Change(mention.phrase, mention.end, prompt[mention.phrase : mention.end], text, cells)

    def _plural(self, mention: Mention) -> Change:
        """Two to four people are described one by one, more of them as a whole."""
        prompt, noun = self.prompt, self.prompt[mention.start : mention.end]
        if 2 <= mention.number <= 4 and not _PREPOSED.match(prompt, mention.end):
            cells, described = [], []
            for _ in range(mention.number):
                cell = self._draw(mention)
                cells.append(cell)
                described.append(self._member(mention, cell))
            listed = f"{', '.join(described[:-1])} and {described[-1]}"
            closing = "," if re.match(r"\s+\w", prompt[mention.end :]) else ""
            return Change(mention.start, mention.end, noun, f"{noun}, {listed}{closing}", tuple(cells))
        if _PREPOSED.match(prompt, mention.end):
            words = "diverse"
            if mention.insert == 0:
                noun = noun[0].lower() + noun[1:]
            return self._before(mention, words, noun, ())
        aged = mention.age or mention.kind in {"child", "baby", "teen", "youth", "senior"}
        names = [
            _NAMES[name]
            for name in self.quota.target.attributes
            if not (name == "age" and aged) and name not in mention.said
        ]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        return Change(mention.start, mention.end, noun, f"{noun} of different {listed}", ())

    def _member(self, mention: Mention, cell: str) -> str:
        said = self._said(mention, cell)
        gender = said.get("gender", "woman")
        young = mention.kind in {"child", "baby", "teen"} and gender in _CHILD
        head = _CHILD[gender] if young else _GENERIC[gender]
        order = (said.get("body"), said.get("age"), said.get("skin"), said.get("ethnicity"), head)
        words = " ".join(w for w in order if w)
        after = _AFTER.get(said.get("disability", ""), "")
        return f"{article(words)} {words} {after}".strip()


def age_of(word: str) -> str:
    """The value of an age word: "elderly" -> "older", "31-year-old" -> "young"; "" for none."""
    years = re.match(r"\d+", word)
    if years:
        return next(
            (name for limit, name in ((35, "young"), (60, "middle-aged")) if int(years[0]) < limit), "older"
        )
    return _AGE_WORDS.get(word, "")


def _infant(noun: str) -> str:
    return noun if noun in {"toddler", "newborn"} else "baby"


def article(following: str) -> str:
    """ "a" or "an" before a word, by sound as far as our own words and usual adjectives need it."""
    word = following.lower()
    if re.match(r"(?:hour|honest|heir|honou?r)", word):
        return "an"
    if re.match(r"(?:8|11\b|11-|18\b|18-)", word):
        return "an"
    return "an" if word[:1] in "aeiou" and not re.match(r"(?:uni(?!n)|use|eu|one\b|once)", word) else "a"


def is_natural(text: str) -> list[str]:
    """What is wrong with a rewritten English text, as far as rules can tell: a/an, articles before
    plurals, doubled words or attributes, holes. Empty means well formed by these rules, no more."""
    faults = []
    for match in re.finditer(r"\b(an?)\s+([\w-]+)", text, re.IGNORECASE):
        if match[1].lower() != article(match[2]) and not match[2].isupper():
            faults.append(f"article: {match[0]}")
    if found := re.search(r"\b(\w+) \1\b", text, re.IGNORECASE):
        faults.append(f"doubled: {found[0]}")
    found = re.search(r"\ban? [^.,;]{0,60}?\b(?:people|children|women|men|girls|boys)\b", text)
    if found and not re.search(r"\b(?:of|and|for|with|to)\b", found[0]):
        faults.append(f"number: {found[0]}")
    for group in (
        (r"\w+-skinned"),
        r"(?:female|male|woman|man|girl|boy)",
        r"(?:young|older|elderly|middle-aged|old)",
    ):
        if found := re.search(rf"\b{group}(?: [\w-]+)? {group}\b", text):
            faults.append(f"attribute twice: {found[0]}")
    if re.search(r"\s{2,}|\s[,.;]|,,|,\.", text) or text != text.strip():
        faults.append("spacing")
    if re.search(r"[.!?]\s+[a-z]", text):
        faults.append("capital")
    return faults
