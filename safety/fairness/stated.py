"""What an English text says about the people in it, by attribute: the prompts' side of the bias report.

Promises: one entry per person or group of people that a noun names, with the values of `attributes`
that stand with it and "" where the text leaves them open. A reading of words, not of the world: an
origin is not taken for a skin tone. Leaves out people without a noun (pronouns, names) and other
languages; those texts give no people rather than a guess.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from itertools import zip_longest

from byline.safety import mentions
from byline.safety.fairness.attributes import VALUES
from byline.safety.fairness.wording import age_of

_GENDER = {
    "woman": "woman women girl girls lady ladies female females mother mothers daughter sister "
    "grandmother wife bride actress waitress policewoman businesswoman saleswoman schoolgirl",
    "man": "man men boy boys gentleman gentlemen male males father fathers son brother grandfather "
    "husband groom waiter policeman businessman salesman schoolboy fireman",
    "nonbinary": "non-binary nonbinary",
}
_SAYS = {word: gender for gender, words in _GENDER.items() for word in words.split()}
_ORIGINS = {value.lower(): value for value in VALUES["ethnicity"]}
_WORD = re.compile(r"[A-Za-z][\w'’-]*|[.;:!?,]")
_MODIFIER_WORDS = 6
_COUNTED = re.compile(r"\b(?:two|three|four|both|[234])\s+(?:[\w-]+\s+){0,3}$", re.IGNORECASE)


def people(text: str, attributes: Sequence[str]) -> list[dict[str, str]]:
    """[{"gender": "woman", "skin": "", ...}] for the people of a text, in order."""
    found = []
    start = 0
    for head in _heads(text):
        before = _phrase(text[max(start, 0) : head.end()])
        found.append({name: _value(name, before, text[head.end() :]) for name in attributes})
        start = head.end()
    return found


@functools.cache
def _nouns() -> re.Pattern[str]:
    words = set(_SAYS) - {"female", "females", "male", "males", "non-binary", "nonbinary"}
    words |= mentions.nouns()
    listed = "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{listed})(?![\w-])(?!\s+(?:of|in) different)", re.IGNORECASE)


def _heads(text: str) -> list[re.Match[str]]:
    """Nouns that end a phrase: of "woman doctor" the last, and not the "nurses" before "nurses, a woman"."""
    every = list(_nouns().finditer(text))
    heads = []
    for match, following in zip_longest(every, every[1:]):
        gap = text[match.end() : following.start()] if following else " . "
        listed = _COUNTED.search(text[: match.start()]) and re.match(r",\s+an?\s+(?:[\w-]+\s+){0,5}$", gap)
        if gap.strip() == "" or listed:
            continue
        heads.append(match)
    return heads


def _phrase(text: str) -> list[str]:
    """The words of the noun phrase that a text ends with, in lower case."""
    words: list[str] = []
    for word in reversed(_WORD.findall(text)):
        if word in ".;:!?," or len(words) > _MODIFIER_WORDS:
            break
        if words and word.lower() in {"and", "or", "with", "in", "to", "of", "at"}:
            break
        words.append(word.lower())
        if word.lower() in {"a", "an", "the"}:
            break
    return words[::-1]


def _value(name: str, words: Sequence[str], following: str) -> str:
    if name == "gender":
        return next((_SAYS[w] for w in reversed(words) if w in _SAYS), "")
    if name == "skin":
        return next((w for w in words if w in VALUES["skin"]), "")
    if name == "age":
        return next((value for w in words if (value := age_of(w))), "")
    phrase = " ".join(words)
    if name == "ethnicity":
        return next((v for low, v in _ORIGINS.items() if re.search(rf"\b{low}\b", phrase)), "")
    if name == "body":
        return next((v for v in VALUES["body"] if v and v in words), "")
    near = re.match(r"\s+(?:with a|in a) (hearing aid|prosthetic arm|white cane|wheelchair)", following)
    return near[1] if near else ""
