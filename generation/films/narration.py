"""The film's narration: what each shot says, spoken at the time of that shot, as one speech.

A shot that is too short for its words is named, with the seconds that it needs, before any frame is made;
script/timing.py makes shots long enough beforehand.
"""

from collections.abc import Callable, Sequence

import numpy as np

from byline.generation import soundtrack
from byline.generation.films.scenes import Scene
from byline.generation.voices.base import Speech, UnspeakableText, Word

Speak = Callable[[str], Speech]


def spoken(scenes: Sequence[Scene], audios: Sequence[str], speak: Speak) -> Speech:
    """One speech in which every scene's words begin with the scene.

    `audios` are the cleaned texts of the scenes. SpeechTooLong names the first scene that is too short,
    UnspeakableText says that none has words.
    """
    rate, timing = 0, "engine"
    placed: list[tuple[int, np.ndarray]] = []
    words: list[Word] = []
    for number, (scene, text) in enumerate(zip(scenes, audios, strict=True), start=1):
        if not text:
            continue
        said = speak(text)
        needed = soundtrack.needed_seconds(said)
        if needed > scene.seconds + 1e-6:
            raise soundtrack.SpeechTooLong(
                f"Shot {number} needs {needed:.1f} s for its words and has {scene.seconds:g} s.",
                help="Give the shot more seconds or fewer words, or fit the narration to the voice first.",
            )
        rate = rate or said.rate
        placed.append((round(scene.start * rate), soundtrack.resample(said.samples, said.rate, rate)))
        words += [Word(word.text, word.start + scene.start, word.end + scene.start) for word in said.words]
        if said.timing != "engine" or not said.words:  # the captions then come from aligning the whole
            timing = "sentence"
    if not placed:
        raise UnspeakableText("No shot of the film says anything.")
    track = np.zeros(max(first + len(samples) for first, samples in placed), np.float32)
    for first, samples in placed:
        track[first : first + len(samples)] = samples
    return Speech(track, rate, tuple(words), timing)
