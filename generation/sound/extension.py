"""A sound made longer without a click: it goes on with the passage that fits its end best.

The last tenth of a second is looked for earlier in the sound (normalised cross-correlation); what followed
there follows now, faded over in step. It continues texture, music beds and room tone; it invents no new
words or notes. `click` measures a seam: 1 is the roughest place of an ordinary sound, more is heard.
"""

import numpy as np

from byline.audit.base.errors import InvalidInput

_TEMPLATE_S = 0.1
_FADE_S = 0.08
_SHORTEST_S = 0.5
MAX_SECONDS = 600.0


def extend(samples: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    """float32 mono, round(seconds * rate) samples that begin with `samples` but for the last 80 ms.

    InvalidInput when the sound is shorter than half a second, not shorter than `seconds`, or silent.
    """
    wanted = round(seconds * rate)
    if len(samples) < _SHORTEST_S * rate or not len(samples) <= wanted <= MAX_SECONDS * rate:
        raise InvalidInput(
            f"a sound is extended from at least {_SHORTEST_S} s to more than its own length",
            help=f"The longest is {MAX_SECONDS:.0f} s.",
        )
    sound = samples.astype(np.float64)
    fade = round(_FADE_S * rate)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    while len(sound) < wanted:
        follows = _continuation(samples.astype(np.float64), sound, rate)
        # The passage's own lead-in replaces the end step by step, then it goes on alone.
        lead = samples[follows - fade : follows]
        sound[-fade:] = sound[-fade:] * (1 - ramp) + lead * ramp
        sound = np.concatenate([sound, samples[follows:]])
    return sound[:wanted].astype(np.float32)


def _continuation(source: np.ndarray, sound: np.ndarray, rate: int) -> int:
    """Index in `source` that should follow the end of `sound`; not so near the end that little is left."""
    from scipy.signal import fftconvolve

    size = round(_TEMPLATE_S * rate)
    template = sound[-size:] - sound[-size:].mean()
    last = max(size + 1, round(0.75 * len(source)))
    field = source[:last]
    product = fftconvolve(field, template[::-1], mode="valid")
    energy = np.convolve(field**2, np.ones(size), mode="valid")
    likeness = product / np.sqrt(np.maximum(energy * (template**2).sum(), 1e-12))
    fade = round(_FADE_S * rate)
    likeness[: max(0, fade - size)] = -1.0
    return int(np.argmax(likeness)) + size


def click(samples: np.ndarray, rate: int, at: float) -> float:
    """The jump at `at` seconds over the largest ordinary one (99.9th percentile of second differences)."""
    jumps = np.abs(np.diff(samples.astype(np.float64), n=2))
    centre, reach = round(at * rate), round(0.005 * rate)
    around = jumps[max(0, centre - reach) : centre + reach]
    usual = float(np.percentile(jumps, 99.9)) if jumps.size else 0.0
    return float(around.max()) / max(usual, 1e-12) if around.size else 0.0
