"""Give people whom a prompt leaves open attributes from a seeded, balanced quota.

Promises: only open mentions change (byline.safety.mentions); the same prompt, seed and ledger give
the same result; over a ledger the joint table of gender, skin tone and age fills evenly, and each
of the three as evenly as it can on the way. `counts` is what was drawn before, `draws` what this
call adds; the caller keeps the ledger and both prompts. The words are those that the starter model
was trained on. Leaves out outputs: what the model draws from the words is measured elsewhere.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from byline.safety.mentions import Mention, read

GENDERS = ("woman", "man")
SKINS = ("light-skinned", "brown-skinned", "dark-skinned")
AGES = ("young", "middle-aged", "older")
# One table per kind of noun: a child has no age to draw, a retiree's is said by the word.
ADULT = tuple("/".join(("adult", *cell)) for cell in itertools.product(GENDERS, SKINS, AGES))
TABLES: Mapping[str, tuple[str, ...]] = {
    "adult": ADULT,
    **{
        name: tuple("/".join((name, *cell)) for cell in itertools.product(GENDERS, SKINS))
        for name in ("child", "youth", "senior")
    },
}
_TABLE_OF = {"adult": "adult", "generic": "adult", "child": "child", "baby": "child", "teen": "youth"}
_AGE_WORDS = {
    "young": "young", "younger": "young", "youthful": "young", "twenty-something": "young",
    "middle-aged": "middle-aged", "thirty-something": "middle-aged", "forty-something": "middle-aged",
    "old": "older", "older": "older", "elderly": "older", "aged": "older", "senior": "older",
    "retired": "older", "fifty-something": "older",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """`original` at `start`:`end` of the prompt became `replacement`; `cells` were drawn for it."""

    start: int
    end: int
    original: str
    replacement: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Debiased:
    """`draws` are the ledger's new cells, in order. `left` says why a prompt was left alone."""

    prompt: str
    changes: tuple[Change, ...] = ()
    draws: tuple[str, ...] = ()
    left: str = ""


class Quota:
    """Largest deficit first over one table; ties by the marginals' deficits, then by a keyed hash."""

    def __init__(self, counts: Mapping[str, int], seed: int) -> None:
        self._counts = Counter({k: int(v) for k, v in counts.items()})
        self._seed = seed
        self.draws: list[str] = []

    def draw(self, table: str, age: str = "") -> str:
        """The next cell of a table, of the given age when the prompt says one."""
        cells = TABLES[table]
        total = sum(self._counts[c] for c in cells)
        marginals: Counter[tuple[int, str]] = Counter()
        for cell in cells:
            for place, value in enumerate(cell.split("/")[1:]):
                marginals[place, value] += self._counts[cell]
        sizes = (len(GENDERS), len(SKINS), len(AGES))

        def need(cell: str) -> tuple[float, float, bytes]:
            joint = (total + 1) / len(cells) - self._counts[cell]
            parts = cell.split("/")[1:]
            sides = sum(
                (total + 1) / sizes[place] - marginals[place, value] for place, value in enumerate(parts)
            )
            key = f"{self._seed}|{total}|{len(self.draws)}|{cell}".encode()
            return round(joint, 9), round(sides, 9), hashlib.sha256(key).digest()

        chosen = max((c for c in cells if not age or c.endswith(f"/{age}")), key=need)
        self._counts[chosen] += 1
        self.draws.append(chosen)
        return chosen


def debias(prompt: str, *, seed: int, counts: Mapping[str, int]) -> Debiased:
    """Rewrite the open mentions of a prompt. `counts` maps cells to earlier draws of this ledger."""
    reading = read(prompt)
    quota = Quota(counts, seed)
    changes = []
    for mention, following in itertools.zip_longest(reading.mentions, reading.mentions[1:]):
        if following is not None and _joined(prompt, mention, following):
            continue  # "nurses and doctors of different ...": said once, after the last
        change = _rewrite(prompt, mention, quota)
        if change is not None:
            changes.append(change)
    out = prompt
    for change in reversed(changes):
        out = out[: change.start] + change.replacement + out[change.end :]
    return Debiased(out, tuple(changes), tuple(quota.draws), reading.left)


def _rewrite(prompt: str, mention: Mention, quota: Quota) -> Change | None:
    noun = prompt[mention.start : mention.end]
    if mention.kind == "collective":
        if mention.plural or _lists_members(prompt, mention):
            return None
        return _before(prompt, mention, "diverse", noun[0].lower() + noun[1:], ())
    if mention.plural:
        return _plural(prompt, mention, quota)
    cell = quota.draw(_TABLE_OF.get(mention.kind, mention.kind), _AGE_WORDS.get(mention.age, ""))
    words, head = _singular(mention, cell, noun)
    return _before(prompt, mention, words, head, (cell,))


def _joined(prompt: str, mention: Mention, following: Mention) -> bool:
    between = prompt[mention.end : following.phrase]
    several = mention.plural and following.plural and not (mention.number or following.number)
    return several and bool(re.fullmatch(r"\s*(?:,|and|or|&|, and)\s+", between))


def _lists_members(prompt: str, mention: Mention) -> bool:
    """ "a group of students": the members are a mention of their own."""
    return bool(re.match(r"\s+of\b", prompt[mention.end :]))


def _singular(mention: Mention, cell: str, noun: str) -> tuple[str, str]:
    """(describing words, noun) for one person: "older dark-skinned woman", "doctor"."""
    _, gender, skin, *rest = cell.split("/")
    age = "" if mention.age or not rest else rest[0]
    child = {"woman": "girl", "man": "boy"}[gender]
    lead = f"{age} {skin}".strip()
    if mention.kind == "generic":
        return lead, gender
    if mention.kind == "child":
        return lead, child
    if mention.kind == "baby":
        return lead, f"baby {child}" if noun.lower() != "toddler" else f"toddler {child}"
    if mention.kind == "teen":
        return f"{lead} teenage", child
    if noun.lower() == "pupil":
        return f"{lead} {child}", noun
    # "a woman doctor" but "a male doctor": both are English and both were in the starter's captions.
    word = {"woman": "woman", "man": "male"}[gender]
    # An acronym keeps its capitals; a noun that began the sentence does not.
    return f"{lead} {word}", noun if noun.isupper() else noun[0].lower() + noun[1:]


def _before(prompt: str, mention: Mention, words: str, head: str, cells: tuple[str, ...]) -> Change:
    """Put words before the noun and mend the article. A bare "someone" gets one."""
    article = prompt[mention.phrase : mention.insert]
    middle = prompt[mention.insert : mention.start]  # a modifier that stays with the noun
    if mention.insert == 0 and not middle[:2].isupper():
        middle = middle[:1].lower() + middle[1:]  # it no longer begins the sentence
    first = article.split()[0].lower() if article.split() else ""
    if first in {"a", "an"}:
        # The article agrees with the word after it, which is an adjective that stays or our words.
        rest = article.split(None, 1)[1] if len(article.split()) > 1 else ""
        following = rest or words
        fixed = _article(following)
        new = fixed.capitalize() if article[0].isupper() else fixed
        lead = f"{new} {rest}"
    elif mention.noun in {"someone", "somebody"}:
        lead = f"{_article(words)} "
    else:
        lead = article
    text = f"{lead}{words} {middle}{head}"
    if prompt[mention.phrase].isupper() and text[0].islower():
        text = text[0].upper() + text[1:]
    return Change(mention.phrase, mention.end, prompt[mention.phrase : mention.end], text, cells)


def _article(following: str) -> str:
    """ "a" or "an" before a word, by sound as far as our own words need it."""
    word = following.lower()
    if re.match(r"(?:hour|honest|heir|honou?r)", word):
        return "an"
    return "an" if word[0] in "aeiou" and not re.match(r"(?:uni|use|eu|one\b|once)", word) else "a"


def _plural(prompt: str, mention: Mention, quota: Quota) -> Change | None:
    """Two to four people are described one by one, more of them as a whole."""
    noun = prompt[mention.start : mention.end]
    if 2 <= mention.number <= 4:
        cells, described = [], []
        for _ in range(mention.number):
            cell = quota.draw(_TABLE_OF.get(mention.kind, mention.kind), _AGE_WORDS.get(mention.age, ""))
            _, gender, skin, *rest = cell.split("/")
            if mention.kind in {"child", "baby", "teen"}:
                gender = {"woman": "girl", "man": "boy"}[gender]
            words = " ".join(w for w in ("" if mention.age else "".join(rest), skin, gender) if w)
            cells.append(cell)
            described.append(f"{_article(words)} {words}")
        listed = f"{', '.join(described[:-1])} and {described[-1]}"
        closing = "," if re.match(r"\s+\w", prompt[mention.end :]) else ""
        text = f"{noun}, {listed}{closing}"
        return Change(mention.start, mention.end, noun, text, tuple(cells))
    aged = mention.age or mention.kind in {"child", "baby", "teen", "youth", "senior"}
    varied = "different genders and skin tones" if aged else "different genders, skin tones and ages"
    return Change(mention.start, mention.end, noun, f"{noun} of {varied}", ())
