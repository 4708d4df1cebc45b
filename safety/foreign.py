"""Hints in texts that the embedded model cannot read: words of other languages.

Promises only hints: a text that is not English goes to a person anyway (byline.safety.language);
these name what it may be about and let strict profiles block. Two sources: key terms of our own in
fourteen languages (data/key_terms.yaml), and hashes of the LDNOOBW word lists (CC-BY-4.0) in
data/foreign_words.npz, from which no word can be read. Leaves out grammar, irony and every language
that neither lists.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
import yaml

LONGEST = 4  # words of a listed expression
LONGEST_UNSPACED = 8  # characters of an expression in a script without spaces
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
# Profanity is sexual more often than not; a reviewer sees which list spoke.
LISTED, LISTED_SCORE = "sexual", 0.6
SCORES: Mapping[str, float] = {
    "minors": 0.95, "sexual": 0.7, "weapons_illegal": 0.6, "violence": 0.6, "self_harm": 0.7, "hate": 0.7,
}  # fmt: skip


@dataclass(frozen=True)
class Hint:
    """`by` is e.g. "words.key.es" or "words.list.de"; the span is in characters."""

    by: str
    category: str
    score: float
    start: int
    end: int


@functools.cache
def _key_terms() -> Mapping[str, Mapping[str, re.Pattern[str]]]:
    raw = yaml.safe_load(resources.files("byline.safety").joinpath("data/key_terms.yaml").read_text("utf-8"))
    return {
        language: {name: _pattern(terms.split()) for name, terms in lists.items()}
        for language, lists in raw.items()
    }


def _pattern(terms: list[str]) -> re.Pattern[str]:
    parts = [re.escape(t) if _UNSPACED.search(t) else rf"(?<!\w){re.escape(t)}" for t in terms]
    return re.compile("|".join(parts), re.IGNORECASE)


@functools.cache
def _listed() -> Mapping[str, frozenset[int]]:
    file = resources.files("byline.safety").joinpath("data/foreign_words.npz")
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as stored:
        return {language: frozenset(stored[language].tolist()) for language in stored.files}


def digest(expression: str) -> int:
    """The first 8 bytes of the SHA-256 of an expression in one spelling, as an integer."""
    return int.from_bytes(hashlib.sha256(_plain(expression).encode()).digest()[:8], "big")


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def find(text: str) -> tuple[Hint, ...]:
    """Hints in a text, by position; at most one per source, language and category."""
    hints = [*_by_key_terms(text), *_by_lists(text)]
    return tuple(sorted(hints, key=lambda h: (h.start, h.by)))


def _by_key_terms(text: str) -> Iterator[Hint]:
    for language, lists in _key_terms().items():
        found = {name: match for name, pattern in lists.items() if (match := pattern.search(text))}
        for name, match in found.items():
            if name != "child":
                yield Hint(f"words.key.{language}", name, SCORES[name], *match.span())
        if "child" in found and "sexual" in found:
            yield Hint(f"words.key.{language}", "minors", SCORES["minors"], *found["child"].span())


def _by_lists(text: str) -> Iterator[Hint]:
    seen = set()
    for value, start, end in _expressions(text[:20_000]):
        for language, listed in _listed().items():
            if value in listed and language not in seen:
                seen.add(language)
                yield Hint(f"words.list.{language}", LISTED, LISTED_SCORE, start, end)


def _expressions(text: str) -> Iterator[tuple[int, int, int]]:
    """(digest, start, end) of every run of up to LONGEST words, and of short runs of unspaced letters."""
    tokens = list(_WORD.finditer(text))
    for i, first in enumerate(tokens):
        for last in tokens[i : i + LONGEST]:
            yield digest(text[first.start() : last.end()]), first.start(), last.end()
        word = first.group(0)
        if _UNSPACED.search(word):
            for a in range(len(word)):
                for b in range(a + 1, min(a + LONGEST_UNSPACED, len(word)) + 1):
                    yield digest(word[a:b]), first.start() + a, first.start() + b
