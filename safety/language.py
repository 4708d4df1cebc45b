"""Is this text English, the only language the embedded encoder reads?

Promises one of "english", "none" (nothing to read) or the reason why not: a script or a language
code, or "unknown". Method: share of Latin letters, then stop words, then the share of words the
tokenizer knows; what these take for English is doubted once more by py3langid (byte n-grams, 140
languages). A text that is not English is reviewed, never passed: outside English the encoder
is blind (findings: recall 0 to 10 %). The code is a hint, no identification.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from byline.safety import words
from byline.safety.normalise import segment

# When py3langid names another language the text is held from SURE on, or from LIKELY on where the words
# look foreign as well. Set on open texts: 0.7 % of the lines of the Multilingual HateCheck in seven
# languages then pass, 3 of 7,400 English lines are held (docs/moderation.md).
SURE, LIKELY = 0.6, 0.2
_ENGLISH = {"en", "pcm", "zxx"}  # Pidgin is what it calls English slang, zxx what is no language


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@functools.cache
def _stop_words() -> Mapping[str, frozenset[str]]:
    file = resources.files("byline.safety").joinpath("data/stopwords.yaml")
    return {code: frozenset(text.split()) for code, text in yaml.safe_load(file.read_text("utf-8")).items()}


def codes() -> frozenset[str]:
    """The languages that `reading` can name, scripts left out."""
    return (frozenset(_stop_words()) | frozenset(_identifier().labels)) - {"english", *_ENGLISH}


_IDEOGRAPHS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")


@functools.lru_cache(maxsize=32)  # several checks of one request ask about the same view
def reading(text: str) -> str:
    """ "english", "none", or why not: e.g. "cyrillic", "cjk", "es", "unknown".

    One foreign sentence in an English text is enough: a harmful request must not hide behind a
    harmless English frame.
    """
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return "none"
    foreign = [c for c in letters if not c.isascii() and not unicodedata.name(c, "").startswith("LATIN")]
    if foreign:
        ideographs = sum(unicodedata.name(c, "").startswith(_IDEOGRAPHS) for c in foreign)
        if len(foreign) > 0.3 * len(letters) or len(foreign) >= 12 or ideographs >= 4:
            return _script(foreign)
    sentences = [s for s in re.split(r"[.!?;\n]+", text) if s.strip()]
    for sentence in (*sentences, text) if len(sentences) > 1 else sentences:
        verdict = _latin(sentence)
        if verdict != "english":
            return verdict
    return "english"


def legible(text: str) -> bool:
    """Whether at least half of the letters stand in words the encoder's tokenizer knows.

    Below that its scores are noise, and calling an unread text "harassment" would be a false reason.
    """
    tokens = re.findall(r"[^\W\d_]+", text.lower())
    letters = sum(map(len, tokens))
    return letters == 0 or sum(len(t) for t in tokens if _known(t)) >= 0.5 * letters


def _latin(sentence: str) -> str:
    tokens = re.findall(r"[^\W\d_]+", sentence.lower())
    if not tokens:
        return "english"
    stops = _stop_words()
    hits = {language: sum(t in listed for t in tokens) for language, listed in stops.items()}
    other = max((language for language in hits if language != "english"), key=lambda k: hits[k])
    # Short unknown tokens are units and initials ("fps"), no evidence of a language.
    tokens = [t for t in tokens if len(t) > 3 or not t.isascii() or t in stops["english"] or _known(t)]
    known = sum(t in stops["english"] or _known(t) for t in tokens)
    accented = any(not t.isascii() for t in tokens)
    if hits[other] >= 2 and hits[other] > hits["english"]:
        return other
    if hits[other] == 1 and hits["english"] == 0 and accented:
        return other
    if len(tokens) >= 4 and sum(not t.isascii() for t in tokens) >= 0.4 * len(tokens):
        return other if hits[other] else "unknown"  # marks all over: Vietnamese, not English
    if known >= 0.5 * len(tokens) or hits["english"] >= 0.25 * len(tokens):
        return _doubted(sentence, hits["english"])
    if len(tokens) <= 2 and not accented and sentence.lstrip()[:1].isupper():
        return _doubted(sentence, small=1)  # a name as a title, unless it is clearly no English
    return other if hits[other] else "unknown"


def _doubted(sentence: str, small: int) -> str:
    """ "english" or another language's code; `small` is the number of English stop words."""
    code, share = _identifier().classify(sentence)
    tokens = re.findall(r"[^\W\d_]+", sentence.lower())
    if sum(map(len, tokens)) < 2 * len(tokens):
        return "english"  # letters set apart: no language, but a disguise that another view undoes
    known = sum(t in _stop_words()["english"] or _known(t) for t in tokens)
    foreign = len(tokens) - known >= max(2, 0.3 * len(tokens)) or (small == 0 and len(tokens) >= 3)
    return code if code not in _ENGLISH and share >= (LIKELY if foreign else SURE) else "english"


def _known(token: str) -> bool:
    """A word of the tokenizer's list, an inflection of one, or a compound ("iceberg")."""
    if words.is_word(token) or any(
        token.endswith(e) and len(token) - len(e) > 3 and words.is_word(token[: -len(e)])
        for e in ("s", "es", "ed", "ing", "ly", "er")
    ):
        return True
    parts = segment(token) if 6 <= len(token) <= 20 else None
    return parts is not None and parts.count(" ") == 1 and all(len(p) >= 3 for p in parts.split())


def _script(letters: list[str]) -> str:
    families = Counter(unicodedata.name(c, "UNKNOWN").split()[0].lower() for c in letters)
    return families.most_common(1)[0][0]
