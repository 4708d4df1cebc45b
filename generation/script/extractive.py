"""The embedded writer: it chooses and divides, it does not compose.

An article becomes its own central sentences in their own order, word for word, divided into shots; a
brief of a few sentences becomes a template of opening, topics and close in which only the brief's words
stand. What is seen in a shot is a framing and the key phrases of what is said there. It knows no facts, so it
adds none. Proper names are left out of the visuals: a picture of a real person needs their consent.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from byline.generation.script import analysis
from byline.generation.script.base import (
    LONGEST_SHOT_S,
    PAUSE_S,
    SHORTEST_SHOT_S,
    Draft,
    TextTooLong,
    Wish,
    WriterExample,
    shot_seconds,
    spoken_seconds,
)
from byline.generation.script.documents import Document
from byline.generation.script.storyboard import MAX_SHOTS, Shot, Writer

VERSION = "1"
_FRAMINGS = (
    "Wide establishing shot, slow push-in",
    "Medium shot, camera still",
    "Close-up, slow pan to the right",
    "High angle, slow pull-out",
    "Wide shot, slow pan to the left",
    "Detail shot, camera still",
)
_CLAUSE = re.compile(r"(?<=[,;:–—、，；：])\s*")
_JOINTS = re.compile(
    r"\s*(?:,\s*(?:and|then)\s+|;\s*|,\s+|\s+and\s+(?=how|why|what|where|when|the\b))", re.IGNORECASE
)
_SILENT_S = 7.0  # a shot without words that is longer than this drags
_SPEAKS_MOST_S = LONGEST_SHOT_S - 2 * PAUSE_S


class ExtractiveWriter:
    """Needs no model and no configuration; the same text and wish give the same storyboard."""

    def write(self, document: Document, wish: Wish, sentences: Sequence[str]) -> Draft:
        if document.kind == "brief" and len(sentences) <= 3:
            shots = _from_brief(document.text, sentences, wish)
            used, method = len(sentences), "template"
        else:
            shots, used = _from_article(document, sentences, wish)
            method = "extractive"
        if len(shots) > MAX_SHOTS:
            raise TextTooLong(
                f"the whole text makes {len(shots)} shots, a storyboard has at most {MAX_SHOTS}"
            )
        title = document.title or _title(document.text, wish.language)
        writer = Writer("byline-extractive", VERSION, method, "Apache-2.0")
        return Draft(title, tuple(shots), writer, used)

    def self_check(self) -> None:
        """Nothing to find missing."""

    def examples(self) -> Sequence[WriterExample]:
        brief = "How a storm forms and how a coastal town gets ready"
        return (WriterExample(brief, Wish(seconds=30.0, language="en-us"), 4, ("storm", "coastal town")),)


def _from_brief(text: str, sentences: Sequence[str], wish: Wish) -> list[Shot]:
    """Opening, shots for every topic of the brief, close. English joins part topics; else sentences do."""
    topics = [
        part.strip(" .!?") for each in sentences for part in _JOINTS.split(each.strip()) if part.strip(" .!?")
    ]
    whole = " ".join(text.split()).rstrip(".!?")
    topics = topics if len(topics) > 1 or len(sentences) == 1 else [each.rstrip(".!?") for each in sentences]
    opening = _shot("Opening", f"{whole}.", text, wish, 0)
    spoken = [
        _shot(
            _title(topic, wish.language),
            "" if topic == whole else f"{topic[:1].upper()}{topic[1:]}.",
            topic,
            wish,
            1,
        )
        for topic in topics
    ]
    # The voice has its time; what is left of the wish goes to shots without words, the close among them.
    left = (
        0.0 if wish.seconds is None else wish.seconds - opening.seconds - sum(shot.seconds for shot in spoken)
    )
    silent = max(len(topics) + 1, math.ceil(left / _SILENT_S))
    share = min(max(round(left / silent, 1), SHORTEST_SHOT_S), LONGEST_SHOT_S)
    shots = [opening]
    for number, (topic, shot) in enumerate(zip(topics, spoken, strict=True)):
        shots.append(shot)
        phrases = analysis.key_phrases(topic, wish.language, 3) or [topic]
        for detail in range((silent - 1) // len(topics) + (number < (silent - 1) % len(topics))):
            about = phrases[detail % len(phrases)]
            shots.append(replace(_shot(f"Detail: {about}", "", about, wish, 2 + detail), seconds=share))
    return [*shots, replace(_shot("Close", "", text, wish, 3), seconds=share)]


def _from_article(document: Document, sentences: Sequence[str], wish: Wish) -> tuple[list[Shot], int]:
    """The chosen sentences in order, one shot for as much as fits; a heading names the shots below it."""
    headings: list[str] = []
    heading = ""
    for block in document.blocks:
        if block.kind == "heading":
            heading = block.text
        else:
            headings += [heading] * len(analysis.sentences(block.text))
    cost = [spoken_seconds(sentence) for sentence in sentences]
    if wish.seconds is None:
        chosen = list(range(len(sentences)))
    else:
        # A shot has its pauses, about one for every eight seconds of speech.
        budget = wish.seconds * 8 / (8 + 2 * PAUSE_S)
        chosen = analysis.pick(sentences, wish.language, budget, cost)
    said: list[tuple[str, str]] = []
    for index in chosen:
        for piece in split_spoken(sentences[index]):
            name = headings[index] if index < len(headings) else ""
            joined = f"{said[-1][1]} {piece}" if said else ""
            if said and said[-1][0] == name and spoken_seconds(joined) <= _SPEAKS_MOST_S * 0.75:
                said[-1] = (name, joined)
            else:
                said.append((name, piece))
    shots = []
    for number, (name, text) in enumerate(said):
        shots.append(_shot(name or _title(text, wish.language), text, text, wish, number))
    return shots, len(chosen)


def split_spoken(sentence: str) -> list[str]:
    """The sentence in pieces that one shot can say, cut at clauses, else between words. Nothing is lost."""
    if spoken_seconds(sentence) <= _SPEAKS_MOST_S:
        return [sentence]
    pieces: list[str] = []
    for clause in _CLAUSE.split(sentence):
        for part in _by_words(clause):
            joined = f"{pieces[-1]} {part}" if pieces else part
            if pieces and spoken_seconds(joined) <= _SPEAKS_MOST_S:
                pieces[-1] = joined
            elif part:
                pieces.append(part)
    return pieces


def _by_words(clause: str) -> list[str]:
    if spoken_seconds(clause) <= _SPEAKS_MOST_S:
        return [clause]
    middle = len(clause) // 2
    spaces = [match.start() for match in re.finditer(r"\s", clause)]
    cut = min(spaces, key=lambda place: abs(place - middle), default=middle)
    return [*_by_words(clause[:cut].strip()), *_by_words(clause[cut:].strip())]


def _shot(title: str, audio: str, about: str, wish: Wish, number: int) -> Shot:
    phrases = _pictured(about, wish.language)
    visual = f"{_FRAMINGS[number % len(_FRAMINGS)]}: {', '.join(phrases)}"
    visual += f". {wish.style.strip()}" if wish.style.strip() else ""
    return Shot(title[:200], shot_seconds(audio), visual[:2000], audio)


def _pictured(text: str, language: str) -> list[str]:
    """Key phrases that can be seen: no numbers, and no proper names where the script shows them."""
    names = {w for s in analysis.sentences(text) for w in analysis.words(s)[1:] if w[:1].isupper()}
    found = analysis.key_phrases(text, language, 8)
    if analysis.base(language) != "de":  # where every noun has a capital
        found = [" ".join(w for w in phrase.split() if w not in names) for phrase in found]
    seen = [phrase for phrase in found if phrase and not any(c.isdigit() for c in phrase)]
    return seen[:3] or ["a neutral background that fits the words"]


def _title(text: str, language: str) -> str:
    phrases = analysis.key_phrases(text, language, 2)
    title = " · ".join(phrases) or " ".join(text.split()[:6])
    return (title[:1].upper() + title[1:])[:200]
