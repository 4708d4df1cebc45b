"""Speech sentence by sentence: the first one is heard while the next is made, and long texts stay bounded.

`stream` works with every voice. `join` makes one speech of the pieces, with a breath between them and the
times of the words moved along.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from byline.generation.script.analysis import sentences
from byline.generation.soundtrack import resample
from byline.generation.voices.base import Speech, UnspeakableText, Voice, Word

PAUSE_S = 0.3


def pieces(text: str) -> list[str]:
    """The sentences of a text; one without a word, such as a row of dots, goes with the one before it.

    UnspeakableText when there is no word at all.
    """
    found: list[str] = []
    for sentence in sentences(text):
        if found and not (any(map(str.isalnum, sentence)) and any(map(str.isalnum, found[-1]))):
            found[-1] += f" {sentence}"
        else:
            found.append(sentence)
    if not found or not any(map(str.isalnum, found[0])):
        raise UnspeakableText("the voice-over has no word in it")
    return found


def stream(voice: Voice, text: str, **options: Any) -> Iterator[tuple[str, Speech]]:
    """(sentence, its speech) in order, each made when it is asked for. Raises what `Voice.speak` raises."""
    for sentence in pieces(text):
        yield sentence, voice.speak(sentence, **options)


def join(parts: Iterable[Speech], pause: float = PAUSE_S) -> Speech:
    """The parts as one speech at the first one's rate. ValueError when there is none."""
    sounds: list[np.ndarray] = []
    words: list[Word] = []
    rate, timing, passed = 0, "engine", 0
    for part in parts:
        rate = rate or part.rate
        if sounds:
            sounds.append(np.zeros(round(pause * rate), np.float32))
            passed += len(sounds[-1])
        begin = passed / rate
        words += [Word(word.text, word.start + begin, word.end + begin) for word in part.words]
        sounds.append(resample(part.samples, part.rate, rate))
        passed += len(sounds[-1])
        timing = part.timing if part.timing != "engine" else timing
    if not sounds:
        raise ValueError("a speech of nothing")
    return Speech(np.concatenate(sounds), rate, tuple(words), timing)


def shared_times(sentence: str, seconds: float) -> tuple[Word, ...]:
    """The written words over the length of their sentence, each with a share by its letters."""
    written = sentence.split()
    letters = [max(1, sum(map(str.isalnum, word))) + 1 for word in written]
    edges = np.concatenate([[0.0], np.cumsum(letters)]) * seconds / max(1, sum(letters))
    return tuple(Word(word, float(edges[i]), float(edges[i + 1])) for i, word in enumerate(written))
