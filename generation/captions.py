"""Captions from the times of the spoken words: readable cues, and WebVTT.

A cue has at most two lines of 42 characters and stands for at least one second where the next cue
allows it, at most six (the BBC's and EBU's usual limits). Where to cut is chosen over the whole text
at once, so that cues end with a sentence or a clause rather than wherever the line was full.
WebVTT follows https://www.w3.org/TR/webvtt1/. Positioning, colours and speakers are left out.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from byline.generation.voices.base import Speech, Word
from byline.safety.screen import alignment

LINE = 42  # characters, double-width ones counted twice
LINES = 2
LONGEST_S = 6.0
SHORTEST_S = 1.0
_COVERAGE = 0.75  # of the letters in words whose pronunciation is known: below it, it is not English
_PARAGRAPH_S = 1.5  # silence after which a transcript begins a new paragraph
_PAUSE_S = 0.7  # silence inside a cue that reads as the end of a thought
_SENTENCE = re.compile(r"[.!?…。！？।][\"'”’»)\]]*$")
_WIDE = "\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_CLOSING = "、。，．：；！？）」』】〉》”’…ー・"
_UNSPACED = re.compile(f"[{_WIDE}][{_CLOSING}]*|[^{_WIDE}]+")
_CLAUSE = re.compile(r"[,;:–—，、；：][\"'”’»)\]]*$")


class Cue(NamedTuple):
    """`start` and `end` in seconds of the clip; `text` has one or two lines."""

    start: float
    end: float
    text: str


def from_speech(speech: Speech, script: str) -> list[Cue]:
    """Cues for `speech`; a voice that gave no word times is aligned with the script (English only).

    Where the script cannot be aligned, times that the words share by their letters stand in.
    """
    words: Sequence[tuple[str, float, float]] = speech.words
    if not words or speech.timing != "engine":
        words = _aligned(speech, script) or words
    return from_words(words)


def _aligned(speech: Speech, script: str) -> Sequence[tuple[str, float, float]]:
    try:
        found = alignment.align(speech.samples, speech.rate, script)
    except alignment.AlignerMissing:
        return ()
    return found.words if found.coverage >= _COVERAGE else ()


def from_words(words: Sequence[tuple[str, float, float]]) -> list[Cue]:
    """Cues from (text, start, end) triples in spoken order. No words, no cues."""
    spoken = [piece for word in words for piece in _pieces(Word(*word))]
    if not spoken:
        return []
    groups = _cut(spoken)
    cues = []
    for number, group in enumerate(groups):
        start, end = group[0].start, group[-1].end
        free_until = groups[number + 1][0].start if number + 1 < len(groups) else float("inf")
        end = min(max(end, start + SHORTEST_S), max(free_until, end))
        cues.append(Cue(start, end, "\n".join(_lines([word.text for word in group]) or [])))
    return cues


def tokens(text: str) -> list[str]:
    """Where a line may be broken: words with the space before them, and single characters of scripts that
    are written without spaces (a closing mark stays with what it closes)."""
    found: list[str] = []
    for word in text.split():
        space = " " if found else ""
        for piece in _UNSPACED.findall(word):
            found.append(space + piece)
            space = ""
    return found


def of(produced: Mapping[str, Mapping[str, Any]]) -> list[Cue]:
    """The cues of a composed clip, from what its stages produced; [] before, and where nobody speaks."""
    return [
        Cue(float(start), float(end), str(text))
        for start, end, text in produced.get("watermark", {}).get("cues", [])
    ]


def transcript(cues: Iterable[Cue]) -> str:
    """What is said, one paragraph for each stretch without a long pause, with the time at which it begins."""
    paragraphs: list[tuple[float, float, list[str]]] = []
    for cue in cues:
        words = " ".join(cue.text.split())
        if paragraphs and cue.start - paragraphs[-1][1] < _PARAGRAPH_S:
            paragraphs[-1] = (paragraphs[-1][0], cue.end, [*paragraphs[-1][2], words])
        else:
            paragraphs.append((cue.start, cue.end, [words]))
    return "".join(f"[{_stamp(start)[3:8]}] {' '.join(words)}\n" for start, _, words in paragraphs)


def to_webvtt(cues: Iterable[Cue]) -> str:
    """The cues as one WebVTT file, text escaped."""
    blocks = ["WEBVTT"]
    for number, cue in enumerate(cues, start=1):
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{number}\n{_stamp(cue.start)} --> {_stamp(cue.end)}\n{text}")
    return "\n\n".join(blocks) + "\n"


# What is served and written to files: media type, and what makes it of the cues.
FORMS: Mapping[str, tuple[str, Callable[[Iterable[Cue]], str]]] = {
    "vtt": ("text/vtt; charset=utf-8", to_webvtt),
    "txt": ("text/plain; charset=utf-8", transcript),
}


def _stamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _unspaced(text: str) -> bool:
    return bool(text) and unicodedata.east_asian_width(text[-1]) in "WF"


def _join(texts: Sequence[str]) -> str:
    joined = ""
    for text in texts:
        separator = "" if not joined or (_unspaced(joined) and _unspaced(text)) else " "
        joined += separator + text
    return joined


def _pieces(word: Word) -> list[Word]:
    """A word as one line can hold it: only a word longer than a line, such as a URL, is cut."""
    text = " ".join(word.text.split())
    if _width(text) <= LINE:
        return [word._replace(text=text)] if text else []
    half = len(text) // 2
    middle = (word.start + word.end) / 2
    return _pieces(Word(text[:half], word.start, middle)) + _pieces(Word(text[half:], middle, word.end))


def _lines(texts: Sequence[str]) -> list[str] | None:
    """One line, or the most even two that both fit; None when two lines do not hold the words."""
    whole = _join(texts)
    if _width(whole) <= LINE:
        return [whole]
    best: tuple[float, list[str]] | None = None
    for cut in range(1, len(texts)):
        first, second = _join(texts[:cut]), _join(texts[cut:])
        wide, narrow = max(_width(first), _width(second)), min(_width(first), _width(second))
        if wide > LINE:
            continue
        uneven = (wide - narrow) - (6 if _CLAUSE.search(texts[cut - 1]) else 0)
        if best is None or uneven < best[0]:
            best = (uneven, [first, second])
    return best[1] if best else None


def _cut(words: list[Word]) -> list[list[Word]]:
    """Least-cost division into cues (dynamic programming over the word boundaries)."""
    cheapest: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(words) + 1):
        best = (float("inf"), end - 1)
        for start in range(end - 1, -1, -1):
            cost = _cost(words[start:end])
            if cost is None:
                break
            total = cheapest[start][0] + cost
            if total < best[0]:
                best = (total, start)
        cheapest.append(best)
    groups: list[list[Word]] = []
    end = len(words)
    while end:
        start = cheapest[end][1]
        groups.insert(0, words[start:end])
        end = start
    return groups


def _cost(group: list[Word]) -> float | None:
    """How badly these words make one cue; None when they do not fit one."""
    seconds = group[-1].end - group[0].start
    if len(group) > 1 and (seconds > LONGEST_S or _lines([word.text for word in group]) is None):
        return None
    last = group[-1].text
    cost = 1.0 if _SENTENCE.search(last) else 1.6 if _CLAUSE.search(last) else 2.8
    cost += max(0.0, SHORTEST_S + 0.2 - seconds) * 2
    for word, following in itertools.pairwise(group):
        cost += 0.7 if _SENTENCE.search(word.text) else 0
        cost += 1.0 if following.start - word.end > _PAUSE_S else 0
    return cost
