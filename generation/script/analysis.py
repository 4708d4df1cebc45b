"""What a text says, by statistics alone: sentences, key phrases, central sentences, sentiment.

Key phrases are runs of words between function words, scored by degree and frequency (RAKE: Rose et al.
2010). Central sentences are found by PageRank over the cosines of their TF-IDF vectors (LexRank: Erkan and
Radev 2004) and picked so that a new one adds something (MMR: Carbonell and Goldstein 1998). Sentiment is
VADER (Hutto and Gilbert 2014), for English only; elsewhere it is None: not checked. Nothing here
understands a text; it chooses from what is written.
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
import yaml

from byline.safety import language as languages

MAX_RANKED = 2000  # sentences; the matrix of their likeness grows with the square
_DAMPING = 0.85
_END = re.compile(r"([.!?…]+[\"'”’»)\]]*)(\s+)|([。！？]+[」』”’）]*)(\s*)")
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_BREAK = re.compile(r"[.,;:!?…()\[\]{}\"“”«»„–—/|。！？、，；：]|\s-\s")


def sentences(text: str) -> list[str]:
    """The sentences of a text in order; joined with spaces they are the text, white space aside."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        so_far = text[start : match.start(2) if match[1] else match.end(3)]
        if match[1] and not _ends_sentence(so_far, match[1], text[match.end() : match.end() + 1]):
            continue
        if so_far.strip():
            found.append(so_far.strip())
        start = match.end()
    if text[start:].strip():
        found.append(text[start:].strip())
    return found


def _ends_sentence(so_far: str, mark: str, following: str) -> bool:
    if following.islower() and mark.startswith((".", "…")):
        return False
    last = so_far[: -len(mark)].split()[-1:] if mark.startswith(".") else []
    word = last[0].strip("(\"'“‘«[").lower() if last else ""
    initial = len(word) == 1 and word.isalpha() and word not in "aiou"
    return not (word in _lists()["abbreviations"] or initial)


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def key_phrases(text: str, language: str, most: int = 10) -> list[str]:
    """The phrases of at most three words that the text is about, best first, as they are written."""
    stops = function_words(language)
    candidates: list[list[str]] = []
    for part in _BREAK.split(text):
        run: list[str] = []
        for word in [*words(part), ""]:
            if word and _carries(word, stops) and len(run) < 3:
                run.append(word)
                continue
            if run:
                candidates.append(run)
            run = [word] if word and _carries(word, stops) else []
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for run in candidates:
        for word in run:
            frequency[word.lower()] += 1
            degree[word.lower()] += len(run)
    scores: dict[str, float] = {}
    written: dict[str, str] = {}
    for run in candidates:
        phrase = " ".join(run)
        key = phrase.lower()
        if not any(c.isalpha() for c in phrase):
            continue
        written.setdefault(key, phrase)
        if phrase.islower():  # rather not as it stands at the head of a sentence
            written[key] = phrase
        # The mean keeps long phrases from winning by length alone; a repeated phrase is what a text is about.
        mean = sum(degree[word.lower()] for word in run) / len(run)
        scores[key] = scores.get(key, 0.0) + mean
    chosen: list[str] = []
    for key in sorted(scores, key=lambda k: (-scores[k], text.lower().find(k))):
        if not any(key in other.lower() or other.lower() in key for other in chosen):
            chosen.append(written[key])
        if len(chosen) == most:
            break
    return chosen


def centrality(texts: Sequence[str], language: str) -> np.ndarray:
    """float64 (n,), sum 1: how much each sentence says of what the others say (LexRank).

    More than `MAX_RANKED` sentences are ranked in consecutive parts, each with its share of the whole.
    """
    if len(texts) > MAX_RANKED:
        parts = [texts[start : start + MAX_RANKED] for start in range(0, len(texts), MAX_RANKED)]
        return np.concatenate([centrality(part, language) * len(part) / len(texts) for part in parts])
    likeness = similarity(texts, language)
    np.fill_diagonal(likeness, 0.0)
    out = likeness.sum(axis=1, keepdims=True)
    count = len(texts)
    step = np.where(out > 0, likeness / np.maximum(out, 1e-12), 1.0 / max(count, 1))
    rank = np.full(count, 1.0 / max(count, 1))
    for _ in range(60):
        following = (1 - _DAMPING) / count + _DAMPING * (rank @ step)
        if np.abs(following - rank).sum() < 1e-8:
            break
        rank = following
    return rank


def similarity(texts: Sequence[str], language: str) -> np.ndarray:
    """float64 (n, n): cosines of the texts' TF-IDF vectors."""
    stops = function_words(language)
    bags = [Counter(_stem(word) for word in words(text) if _carries(word, stops)) for text in texts]
    held: Counter[str] = Counter(stem for bag in bags for stem in bag)
    column = {stem: index for index, stem in enumerate(held)}
    matrix = np.zeros((len(texts), max(len(column), 1)))
    for row, bag in enumerate(bags):
        for stem, count in bag.items():
            matrix[row, column[stem]] = (1 + math.log(count)) * math.log((1 + len(texts)) / held[stem])
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.maximum(norms, 1e-12)
    cosines: np.ndarray = matrix @ matrix.T
    return cosines


def pick(texts: Sequence[str], language: str, budget: float, cost: Sequence[float]) -> list[int]:
    """Indices, in the text's order, of sentences that together say most within a budget.

    The first sentence of an article is the news, so early ones weigh more. A sentence that does not fit
    any more is passed over; the best one is taken even where it alone is over the budget.
    """
    count = len(texts)
    if sum(cost) <= budget:
        return list(range(count))
    rank = centrality(texts, language) * count
    rank = rank * (1.0 + 0.6 / (1.0 + np.arange(count)))
    likeness = similarity(texts, language) if count <= MAX_RANKED else np.zeros((count, 0))
    chosen: list[int] = []
    left = budget
    open_ = set(range(count))
    while open_:

        def gain(index: int) -> float:
            same = max((likeness[index, other] for other in chosen), default=0.0) if likeness.size else 0.0
            return float(0.7 * rank[index] - 0.6 * same * rank.max())

        best = max(open_, key=lambda index: (gain(index), -index))
        open_.discard(best)
        if cost[best] <= left or not chosen:
            chosen.append(best)
            left -= cost[best]
        open_ = {index for index in open_ if cost[index] <= left}
    return sorted(chosen)


def sentiment(text: str, language: str) -> float | None:
    """Mean VADER compound of the sentences, -1 to 1; None for a text that is not English."""
    if base(language) != "en":
        return None
    said = sentences(text)
    if not said:
        return None
    analyser = _vader()
    return round(sum(analyser.polarity_scores(each)["compound"] for each in said) / len(said), 3)


def guess_language(text: str) -> str:
    """A tag such as "en-us" or "de", "" where it cannot be told. A hint: the editor has the last word."""
    found = languages.reading(text[:20_000])
    return "en-us" if found == "english" else found if len(found) == 2 else ""


def base(language: str) -> str:
    return language.lower().partition("-")[0]


def knows(language: str) -> bool:
    """Whether there is a list of this language's function words."""
    return base(language) in _lists()


def function_words(language: str) -> frozenset[str]:
    return _lists().get(base(language), frozenset())


@functools.cache
def _lists() -> dict[str, frozenset[str]]:
    file = resources.files("byline.generation").joinpath("script/words.yaml")
    return {name: frozenset(text.split()) for name, text in yaml.safe_load(file.read_text("utf-8")).items()}


@functools.cache
def _vader() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def _carries(word: str, stops: frozenset[str]) -> bool:
    plain = word.lower().replace("’", "'")
    if plain in stops or plain.partition("'")[0] in stops:
        return False
    return len(plain) > 2 if stops else len(plain) > 3 or not plain.isascii()


def _stem(word: str) -> str:
    """Plural and verb endings off, enough to see that two sentences speak of the same thing."""
    plain = word.lower()
    for ending in ("ies", "ing", "ed", "es", "s"):
        if plain.endswith(ending) and len(plain) - len(ending) >= 4:
            return plain[: -len(ending)]
    return plain
