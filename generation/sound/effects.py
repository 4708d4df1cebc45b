"""Simple sound effects, made from noise and sine waves by a seed: weather, water, and a few marks.

`choose` finds them in a text by plain words (English). They are stylised like the starter's drawings and are
no recordings; nothing of them is anybody's.
"""

import re
from collections.abc import Callable

import numpy as np

from byline.audit.base.errors import InvalidInput

RATE = 24_000
Maker = Callable[[float, np.random.Generator], np.ndarray]


class UnknownEffect(InvalidInput):
    code = "unknown_effect"


def make(name: str, seconds: float, seed: int = 0) -> np.ndarray:
    """float32 mono at RATE, round(seconds * RATE) samples, peak 0.5. UnknownEffect lists the names."""
    if name not in _MAKERS:
        raise UnknownEffect("there is no sound effect of this name", help=f"Effects: {', '.join(NAMES)}.")
    chance = np.random.default_rng([seed % 2**32, NAMES.index(name)])
    sound = _MAKERS[name](seconds, chance)
    sound = sound * 0.5 / max(float(np.abs(sound).max()), 1e-9)
    edge = min(round(0.02 * RATE), len(sound) // 2)
    sound[:edge] *= np.linspace(0, 1, edge)
    sound[len(sound) - edge :] *= np.linspace(1, 0, edge)
    return sound.astype(np.float32)


def choose(text: str) -> tuple[str, ...]:
    """The effects whose words stand in an English text, in the order of NAMES, three at most."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return tuple(name for name in NAMES if words & _WORDS[name])[:3]


def _time(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def _noise(seconds: float, chance: np.random.Generator, low: float, high: float) -> np.ndarray:
    from scipy.signal import butter, sosfilt

    noise = chance.normal(size=len(_time(seconds)))
    band: np.ndarray = sosfilt(butter(2, [low, high], "bandpass", fs=RATE, output="sos"), noise)
    return band


def _slow(seconds: float, chance: np.random.Generator, per_second: float) -> np.ndarray:
    """A smooth random curve between 0 and 1 that turns about so often a second."""
    count = max(4, round(seconds * per_second) + 3)
    points = chance.random(count)
    curve: np.ndarray = np.interp(_time(seconds), np.linspace(0, seconds, count), points)
    return curve * curve * (3 - 2 * curve)


def _rain(seconds: float, chance: np.random.Generator) -> np.ndarray:
    sound = 0.5 * _noise(seconds, chance, 900, 9000)
    drops = np.zeros_like(sound)
    for place in chance.integers(0, max(1, len(sound) - 400), round(40 * seconds)):
        length = min(400, len(sound) - place)
        pitch = chance.uniform(1500, 4500)
        time = np.arange(length) / RATE
        drops[place : place + length] += (
            np.sin(2 * np.pi * pitch * time) * np.exp(-time * 500) * chance.random()
        )
    return sound + drops


def _wind(seconds: float, chance: np.random.Generator) -> np.ndarray:
    gusts = 0.25 + _slow(seconds, chance, 0.7)
    return _noise(seconds, chance, 180, 700) * gusts + 0.3 * _noise(seconds, chance, 700, 1600) * gusts**3


def _waves(seconds: float, chance: np.random.Generator) -> np.ndarray:
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * _time(seconds) / 5.5 + chance.random())
    return (
        _noise(seconds, chance, 150, 1200) * (0.2 + swell)
        + 0.4 * _noise(seconds, chance, 1500, 6000) * swell**3
    )


def _thunder(seconds: float, chance: np.random.Generator) -> np.ndarray:
    time = _time(seconds)
    rumble = _noise(seconds, chance, 25, 160) * (0.4 + _slow(seconds, chance, 5))
    crack = _noise(seconds, chance, 200, 2500) * np.exp(-time * 9)
    return (6 * rumble + 0.4 * crack) * np.exp(-time * 0.9)


def _fire(seconds: float, chance: np.random.Generator) -> np.ndarray:
    sound = 0.25 * _noise(seconds, chance, 100, 900)
    for place in chance.integers(0, max(1, len(sound) - 240), round(14 * seconds)):
        length = min(240, len(sound) - place)
        sound[place : place + length] += (
            chance.normal(size=length) * np.exp(-np.arange(length) / 40) * chance.random()
        )
    return sound


def _whoosh(seconds: float, chance: np.random.Generator) -> np.ndarray:
    time = _time(seconds)
    shape = np.sin(np.pi * time / seconds) ** 3
    return _noise(seconds, chance, 400, 1400) * shape + 0.6 * _noise(seconds, chance, 1400, 5000) * shape**2


def _bell(seconds: float, chance: np.random.Generator) -> np.ndarray:
    time = _time(seconds)
    base = chance.uniform(480, 560)
    partials = ((0.5, 0.6, 0.7), (1.0, 1.0, 1.0), (1.19, 0.6, 1.3), (2.0, 0.5, 1.8), (2.52, 0.3, 2.6))
    return sum(
        (
            loud * np.sin(2 * np.pi * base * ratio * time) * np.exp(-time * decay)
            for ratio, loud, decay in partials
        ),
        np.zeros(len(time)),
    )


def _heartbeat(seconds: float, chance: np.random.Generator) -> np.ndarray:
    time = _time(seconds)
    sound = np.zeros(len(time))
    for begin in np.arange(0, seconds, 0.9):
        for delay, loud in ((0.0, 1.0), (0.28, 0.7)):
            since = np.clip(time - begin - delay, 0, None)
            sound += loud * np.sin(2 * np.pi * 52 * since) * np.exp(-since * 18) * (since > 0)
    return sound


_MAKERS: dict[str, Maker] = {
    "rain": _rain,
    "wind": _wind,
    "waves": _waves,
    "thunder": _thunder,
    "fire": _fire,
    "whoosh": _whoosh,
    "bell": _bell,
    "heartbeat": _heartbeat,
}
NAMES = tuple(_MAKERS)
_WORDS = {
    "rain": {"rain", "rains", "raining", "rainy", "drizzle", "downpour", "shower", "showers"},
    "wind": {"wind", "winds", "windy", "gale", "gust", "gusts", "storm", "storms", "hurricane", "breeze"},
    "waves": {"sea", "ocean", "wave", "waves", "beach", "coast", "shore", "surf", "tide"},
    "thunder": {"thunder", "lightning", "thunderstorm", "thunderstorms"},
    "fire": {"fire", "fires", "flame", "flames", "campfire", "bonfire", "burning"},
    "whoosh": {"whoosh", "rocket", "swoosh", "flyby"},
    "bell": {"bell", "bells", "church", "chime", "chimes"},
    "heartbeat": {"heartbeat", "pulse"},
}
