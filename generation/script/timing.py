"""Shots as long as what is said in them, measured with the voice that will say it."""

from typing import Any

from byline.generation.models import MAX_SECONDS
from byline.generation.script.storyboard import InvalidStoryboard, Storyboard


def fit(storyboard: Storyboard, voice: str = "default", **spoken_as: Any) -> Storyboard:
    """Every shot at least as long as its speech by this voice, to the tenth of a second above it;
    `spoken_as` are the voice's rate, pitch and language, which is the storyboard's when not given.

    A shot whose speech is longer than a clip can be is InvalidStoryboard: divide it. Silent shots stay.
    """
    from byline.generation import soundtrack, voices

    speaker = voices.load(voice)
    fitted = storyboard
    for number, shot in enumerate(storyboard.shots):
        if not shot.audio.strip():
            continue
        spoken = speaker.speak(shot.audio, **{"language": storyboard.language, **spoken_as})
        needed = int(soundtrack.needed_seconds(spoken) * 10 + 1) / 10
        if needed > MAX_SECONDS:
            raise InvalidStoryboard(f"shot {number + 1} takes {needed:.1f} s to say", help="Divide the shot.")
        if needed > shot.seconds:
            fitted = fitted.edited(number, seconds=needed)
    return fitted
