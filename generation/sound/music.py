"""The embedded music maker: a quiet bed by rules and a seed, in 24 kHz mono.

Four chords go round; a soft pad holds them, a bass marks the bar, plucked notes of the chord wander over
it, and an echo of shaped noise puts them in one room. It quotes no piece of anybody and needs no licence.
It is a bed under a voice, not a song: no melody, no drums, no lyrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from byline.generation.sound.base import MOODS, MusicFailed, MusicInfo, MusicWish, Piece

RATE = 24_000
VERSION = "1"
MAX_SECONDS = 600.0
_FADE_S = 1.5


@dataclass(frozen=True)
class _Mood:
    """`chords`: scale degrees; `scale`: semitones above the key; `bright`: how many partials sound."""

    tempo: tuple[int, int]
    scale: tuple[int, ...]
    chords: tuple[tuple[int, ...], ...]
    bright: int
    pluck: float  # how often a beat's half has a note


_MAJOR, _MINOR, _DORIAN = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10)
_MOODS = {
    "calm": _Mood((66, 76), _MAJOR, ((0, 4, 5, 3), (0, 3, 5, 4), (0, 5, 3, 4)), 4, 0.35),
    "bright": _Mood((96, 112), _MAJOR, ((0, 4, 5, 3), (0, 3, 4, 3), (0, 5, 1, 4)), 6, 0.75),
    "tense": _Mood((84, 92), _MINOR, ((0, 5, 0, 4), (0, 3, 0, 6), (0, 5, 3, 4)), 5, 0.55),
    "sombre": _Mood((54, 62), _DORIAN, ((0, 3, 0, 6), (0, 5, 3, 0), (0, 6, 3, 0)), 3, 0.2),
}


class ProceduralMusic:
    """Needs no configuration. The same wish gives the same samples."""

    @property
    def info(self) -> MusicInfo:
        return MusicInfo("byline-bed", VERSION, "Apache-2.0")

    def compose(self, wish: MusicWish) -> Piece:
        """See `MusicMaker.compose`. `prompt` is not read."""
        if wish.mood not in _MOODS or not 0.5 <= wish.seconds <= MAX_SECONDS:
            raise MusicFailed(
                f"no bed of this mood and length: 0.5 to {MAX_SECONDS:.0f} s",
                help=f"Moods: {', '.join(MOODS)}.",
            )
        mood = _MOODS[wish.mood]
        chance = np.random.default_rng([wish.seed % 2**32, MOODS.index(wish.mood)])
        beat = 60.0 / int(chance.integers(*mood.tempo))
        key = 45 + int(chance.integers(0, 8))  # MIDI number of the bass's key note
        chords = mood.chords[int(chance.integers(len(mood.chords)))]
        bar = 4 * beat
        track = np.zeros(round((wish.seconds + 4) * RATE), np.float64)
        for number in range(int(np.ceil(wish.seconds / bar)) + 1):
            degree = chords[number % len(chords)]
            begin = number * bar
            notes = [_semitone(mood.scale, degree + step) for step in (0, 2, 4)]
            for semitone in notes:
                _add(track, begin, _pad(key + 12 + semitone, bar * 1.15, mood.bright, chance), 0.10)
            _add(track, begin, _plucked(key - 12 + notes[0], bar, 3), 0.30)
            for half in range(8):
                if chance.random() < mood.pluck:
                    octave = 24 if chance.random() < 0.7 else 36
                    semitone = notes[int(chance.integers(3))]
                    volume = 0.10 + 0.06 * (half % 2 == 0)
                    _add(
                        track,
                        begin + half * beat / 2,
                        _plucked(key + octave + semitone, 1.8, mood.bright),
                        volume,
                    )
        room = _room(track, chance)[: round(wish.seconds * RATE)]
        room = faded(room, RATE, min(_FADE_S, wish.seconds / 3))
        room *= 0.5 / max(float(np.abs(room).max()), 1e-9)
        beats = tuple(float(time) for time in np.arange(0, wish.seconds, beat))
        return Piece(room.astype(np.float32), RATE, beats)

    def self_check(self) -> None:
        """Nothing to find missing."""

    def examples(self) -> Sequence[MusicWish]:
        return tuple(MusicWish(4.0, mood, 7) for mood in MOODS)


def faded(samples: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    """With a raised-cosine fade of so many seconds at both ends."""
    count = min(round(seconds * rate), len(samples) // 2)
    if count == 0:
        return samples
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / count)
    shaped = samples.copy()
    shaped[:count] *= ramp
    shaped[-count:] *= ramp[::-1]
    return shaped


def _semitone(scale: tuple[int, ...], degree: int) -> int:
    return scale[degree % 7] + 12 * (degree // 7)


def _frequency(note: float) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _add(track: np.ndarray, begin: float, sound: np.ndarray, volume: float) -> None:
    first = round(begin * RATE)
    part = sound[: max(0, len(track) - first)]
    track[first : first + len(part)] += volume * part


def _pad(note: int, seconds: float, partials: int, chance: np.random.Generator) -> np.ndarray:
    """Three voices a few cents apart, upper partials falling off, slow at both ends."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    for cents in (-5.0, 0.0, 6.0):
        base = _frequency(note + cents / 100)
        for partial in range(1, partials + 1):
            phase = chance.random() * 2 * np.pi
            sound += np.sin(2 * np.pi * base * partial * time + phase) / partial**1.8
    rise = np.minimum(1.0, time / (0.35 * seconds)) * np.minimum(1.0, (seconds - time) / (0.3 * seconds))
    return sound * np.sin(0.5 * np.pi * np.clip(rise, 0, 1)) / 3


def _plucked(note: int, seconds: float, partials: int) -> np.ndarray:
    """Partials that die away, the upper ones sooner."""
    time = np.arange(round(seconds * RATE)) / RATE
    base = _frequency(note)
    sound = np.zeros(len(time))
    for partial in range(1, partials + 1):
        sound += np.sin(2 * np.pi * base * partial * time) * np.exp(-time * (1.6 + 1.3 * partial)) / partial
    return sound * np.minimum(1.0, time / 0.008) * np.minimum(1.0, (seconds - time) / 0.05)


def _room(dry: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """The track with the echo of a hall: noise that decays over 1.6 s, darker than the sound."""
    from scipy.signal import butter, fftconvolve, sosfilt

    time = np.arange(round(1.6 * RATE)) / RATE
    echo = chance.normal(size=len(time)) * np.exp(-time * 4.2)
    echo = sosfilt(butter(2, 3200, fs=RATE, output="sos"), echo)
    echo /= np.sqrt((echo**2).sum())
    wet = fftconvolve(dry, echo)[: len(dry)]
    mixed: np.ndarray = sosfilt(butter(1, 7000, fs=RATE, output="sos"), dry + 0.55 * wet)
    return mixed
