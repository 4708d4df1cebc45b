"""Sound: loudness, restoration, seams and voice drift, on speech of the embedded voice.

`make bench-sound`. Six passages of bench/data/sound_text.txt in five timbres of espeak-ng, 30 clips; the text
was written for this purpose. It is clean synthetic speech: recordings of people in rooms will gain less.
Baselines run on the same clips: scipy's Wiener filter, straight lines over damaged samples, repetition.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
django.setup()

from bench.results_file import Results  # noqa: E402
from byline.generation.script.analysis import sentences  # noqa: E402
from byline.generation.sound import drift, effects, extension, loudness, restoration  # noqa: E402
from byline.generation.sound.base import MOODS, MusicWish  # noqa: E402
from byline.generation.sound.music import RATE, ProceduralMusic  # noqa: E402
from byline.generation.soundtrack import resample  # noqa: E402
from byline.generation.voices.espeak import EspeakVoice  # noqa: E402

TIMBRES = ("f4", "m3", "f2", "m1", "")
TEXT = (Path(__file__).parent / "data" / "sound_text.txt").read_text()
Clip = tuple[np.ndarray, int]


def snr(reference: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10((reference**2).sum() / max(((reference - found) ** 2).sum(), 1e-12)))


def clips() -> list[Clip]:
    said = sentences(" ".join(TEXT.split()))
    passages = [" ".join(said[start : start + 3]) for start in range(0, 18, 3)]
    spoken = [EspeakVoice(variant=name).speak(text) for name in TIMBRES for text in passages]
    return [(each.samples.astype(np.float64) * 0.5, each.rate) for each in spoken]


def gains(
    results: Results,
    metric: str,
    made: list[Clip],
    spoil: Callable[[np.ndarray], np.ndarray],
    mend: Callable[[np.ndarray, int], np.ndarray],
    plain: Callable[[np.ndarray, int], np.ndarray],
) -> None:
    """Decibels of signal-to-noise ratio gained over the spoilt clip, ours and the baseline's."""
    ours, theirs = [], []
    for sound, rate in made:
        spoilt = spoil(sound)
        before = snr(sound, spoilt)
        ours.append(snr(sound, mend(spoilt, rate)) - before)
        theirs.append(snr(sound, plain(spoilt, rate)) - before)
    results.add(
        metric, float(np.mean(ours)), unit="dB gained", better="higher", baseline=float(np.mean(theirs)),
        n=len(ours), low=min(ours), high=max(ours), note="mean; smallest and largest gain",
    )  # fmt: skip


def straight(spoilt: np.ndarray, rate: int) -> np.ndarray:
    bad = restoration.damaged(spoilt)
    good = np.setdiff1d(np.arange(len(spoilt)), bad)
    mended = spoilt.copy()
    mended[bad] = np.interp(bad, good, spoilt[good])
    return mended


def restored(results: Results, made: list[Clip]) -> None:
    from scipy.signal import lfilter, wiener

    chance = np.random.default_rng(0)

    def noise(decibel: float, dark: bool) -> Callable[[np.ndarray], np.ndarray]:
        def add(sound: np.ndarray) -> np.ndarray:
            hiss = chance.normal(size=len(sound))
            hiss = lfilter([1.0], [1.0, -0.95], hiss) if dark else hiss
            return sound + hiss * np.sqrt((sound**2).sum() / (hiss**2).sum()) * 10 ** (-decibel / 20)

        return add

    def filtered(sound: np.ndarray, rate: int) -> np.ndarray:
        return np.asarray(wiener(sound, 29))

    for decibel in (5, 10, 20):
        gains(results, f"denoise.white{decibel}", made, noise(decibel, False), restoration.denoise, filtered)
    gains(results, "denoise.dark10", made, noise(10, True), restoration.denoise, filtered)
    for level in (0.3, 0.5, 0.7):

        def clip(sound: np.ndarray, level: float = level) -> np.ndarray:
            return np.clip(sound, -level * np.abs(sound).max(), level * np.abs(sound).max())

        gains(results, f"declip.{level}", made, clip, restoration.repair, straight)

    def tick(sound: np.ndarray) -> np.ndarray:
        ticked, places = sound.copy(), chance.integers(100, len(sound) - 100, 60)
        ticked[places] += chance.choice([-0.4, 0.4], 60)
        return ticked

    gains(results, "declick", made, tick, restoration.repair, straight)


def levelled(results: Results, made: list[Clip]) -> None:
    errors, peaks = [], []
    for sound, rate in made:
        for target in (loudness.WEB, loudness.BROADCAST):
            fine = resample(sound.astype(np.float32), rate, 48_000)
            heard = loudness.measure(loudness.normalise(fine, 48_000, target), 48_000)
            errors.append(abs(heard.integrated - target))
            peaks.append(heard.true_peak)
    n = len(errors)
    results.add("loudness.error", max(errors), unit="LU from the target", n=n, note="largest")
    results.add("loudness.true_peak", max(peaks), unit="dBTP", n=n, note="largest; the ceiling is -1")


def seams(results: Results) -> None:
    wishes = [MusicWish(8, mood, seed) for mood in MOODS for seed in range(5)]
    beds = [ProceduralMusic().compose(wish).samples[: 6 * RATE] for wish in wishes]
    beds += [effects.make(name, 7)[: 6 * RATE] for name in effects.NAMES]
    ours = [extension.click(extension.extend(bed, RATE, 15), RATE, 6) for bed in beds]
    theirs = [extension.click(np.concatenate([bed, bed]), RATE, 6) for bed in beds]
    results.add(
        "extension.click", max(ours), unit="jump at the seam over the largest ordinary one",
        baseline=max(theirs),
        n=len(ours), low=min(ours), high=max(ours), note="largest; above 1 can be heard",
    )  # fmt: skip


def drifting(results: Results) -> None:
    long = {name: EspeakVoice(variant=name).speak(TEXT, rate=118) for name in TIMBRES}
    more = [
        EspeakVoice(variant=name).speak(TEXT, rate=118, pitch=pitch) for name in TIMBRES for pitch in (35, 65)
    ]
    same = [drift.drift(each.samples, each.rate).ratio for each in [*long.values(), *more]]
    tails = {name: EspeakVoice(variant=name).speak(TEXT[-430:], rate=118).samples for name in TIMBRES}
    changed = [
        drift.drift(np.concatenate([long[a].samples[: -len(tails[b])], tails[b]]), long[a].rate).ratio
        for a in TIMBRES
        for b in TIMBRES
        if a != b
    ]
    note = "largest; baseline: smallest where the last 25 s are another timbre; above 1 it changed"
    results.add(
        "drift.same_voice", max(same), unit="ends over neighbours, two minutes",
        baseline=min(changed), n=len(same), low=min(same), high=max(same), note=note,
    )  # fmt: skip
    results.add(
        "drift.changes_found", float(np.mean([ratio > 1 for ratio in changed])), unit="share",
        better="higher", n=len(changed), note="another timbre in the last 25 s",
    )  # fmt: skip


def main() -> int:
    results = Results("sound", quick=False)
    made = clips()
    restored(results, made)
    levelled(results, made)
    seams(results)
    drifting(results)
    results.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
