"""`make bench-watermark_audio`: the sound mark and the sound print on speech and music nobody tuned on.

`measure` writes its rows into the results of `bench.watermark`; run alone (`python -m bench.watermark_audio`)
they go to bench/results/watermark_audio.json with the same metric ids and goals. A hit is the right id from a
blind search with three active keys, the mark's being the last; a wrong id counts as a false accept. Rates
carry Wilson 95 % intervals. Times are those of the processor, one thread. Quality is PESQ (ITU-T P.862.2,
the PyPI package `pesq`, optional) for speech and the noise-to-mask ratio (noise_to_mask.py) for both.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from tqdm import tqdm

from bench import watermark_audio_clips as clips
from bench.noise_to_mask import noise_to_mask
from bench.results_file import Results
from bench.watermark_audio_clips import ATTACKS, Clip
from byline.provenance.marks.audio import AudioMark
from byline.provenance.sound_fingerprints import SoundIndex, SoundPrint, compare_sound, sound_fingerprint

KEY, NEWER, NEWEST, STRANGER = (bytes(range(n, n + 32)) for n in (0, 50, 100, 150))
FIRST_ID = 0x9E3779B1
WRONG_ID = "an id that was never written"
MUSIC_ATTACKS = ("none", "aac64", "mp3_64", "opus64", "opus24", "resample16k", "noise20", "cut5s")
PRINT_ATTACKS = (
    "aac64",
    "mp3_64",
    "opus64",
    "opus24",
    "resample8k",
    "noise20",
    "noise10",
    "cut5s",
    "echo",
    "highpass500",
    "music_bed",
    "speed5",
)


def measure(results: Results, quick: bool) -> None:
    """All rows `audio.*` and `sound_print.*` that are not there yet; `quick` takes a few clips."""
    speech = [*clips.synthetic_voices(4 if quick else None), *clips.natural_voices(1 if quick else 2)]
    music = [clips.composed_music(seed) for seed in ((11,) if quick else (11, 12, 13))]
    music += [*clips.recorded_music()][: 2 if quick else None]
    beds = [_mixed(voice, seed) for seed, voice in enumerate(speech[:: 4 if quick else 3], start=21)]
    marked = {kind: _marked(of) for kind, of in (("speech", speech), ("music", music), ("bed", beds))}
    _quality(results, speech, marked["speech"], music + beds, marked["music"] + marked["bed"])
    prints = {sound.name: sound_fingerprint(sound.samples, sound.rate) for sound in marked["speech"]}
    for sound in clips.dialogue("nl", 20 if quick else 100):
        prints[f"other {sound.name}"] = sound_fingerprint(sound.samples, sound.rate)
    _survival(results, "audio", marked["speech"], ATTACKS, prints)
    _false_accepts(results, speech + music, 30 if quick else 120)
    _survival(results, "audio.music", marked["music"], MUSIC_ATTACKS)
    _survival(results, "audio.with_bed", marked["bed"], MUSIC_ATTACKS)
    _false_matches(results, speech, 1_000 if quick else 6_000)


def _mixed(voice: Clip, seed: int) -> Clip:
    """Speech with a music bed 12 dB lower, marked as one sound."""
    bed = clips.composed_music(seed, len(voice.samples) / voice.rate + 0.1, voice.rate).samples
    bed = bed[: len(voice.samples)]
    mix = voice.samples + bed / np.std(bed) * np.std(voice.samples) * 10 ** (-12 / 20)
    return Clip(f"{voice.name} over {seed}", (0.8 * mix / np.abs(mix).max()).astype(np.float32), voice.rate)


def _marked(sounds: list[Clip]) -> list[Clip]:
    mark = AudioMark([KEY])
    return [Clip(s.name, mark.embed(s.samples, s.rate, FIRST_ID + n), s.rate) for n, s in enumerate(sounds)]


def _survival(
    results: Results,
    prefix: str,
    marked: list[Clip],
    attacks: Iterable[str],
    prints: Mapping[str, SoundPrint] | None = None,
) -> None:
    """Rates of the mark; with `prints`, those of the sound prints on the same attacked sounds too."""
    mark = AudioMark([NEWEST, NEWER, KEY])
    index = SoundIndex(prints or {})
    for name in attacks:
        metric = f"{prefix}.{name}"
        if results.has(metric) or not marked:
            continue
        words, ways = ATTACKS[name]
        lost: list[str] = []
        seconds: list[float] = []
        matches: list[tuple[str, float] | None] = []
        for number, sound in enumerate(tqdm(marked, metric, disable=None)):
            for way in ways:
                attacked = way(sound)
                began = time.process_time()
                found = mark.detect(attacked.samples, attacked.rate)
                if found is None:
                    lost.append(sound.name)
                elif found.payload == FIRST_ID + number and found.key_index == 2:
                    seconds.append(time.process_time() - began)
                else:
                    lost.insert(0, f"{WRONG_ID} on {sound.name}")
                if prints and name in PRINT_ATTACKS:
                    best = index.best(sound_fingerprint(attacked.samples, attacked.rate))
                    matches.append(
                        (best[0] if best[0] == sound.name else "", best[1].bit_error_rate) if best else None
                    )
        tried = len(marked) * len(ways)
        note = words + (f"; lost: {', '.join(lost[:6])}" if lost else "")
        _rate(results, metric, tried - len(lost), tried, note)
        if matches:
            _print_rate(results, name, matches, words, len(prints or {}))
        if name in ("none", "speed5") and prefix == "audio":
            _middle(results, f"audio.detect_found_s.{name}", seconds, "three keys, 10 s of sound", "s")


def _print_rate(
    results: Results, name: str, matches: list[tuple[str, float] | None], words: str, stored: int
) -> None:
    errors = [match[1] for match in matches if match and match[0]]
    wrong = sum(match is not None and not match[0] for match in matches)
    rate = f", median bit error rate {np.median(errors):.3f}" if errors else ""
    note = f"{words}; one of {stored} prints, {wrong} wrong{rate}"
    _rate(results, f"sound_print.{name}", len(errors), len(matches), note)


def _quality(
    results: Results, speech: list[Clip], marked: list[Clip], music: list[Clip], marked_music: list[Clip]
) -> None:
    if not results.has("audio.pesq"):
        try:
            from pesq import pesq
        except ImportError:
            results.add("audio.pesq", None, note="the package pesq is not installed")
        else:
            scores = [
                pesq(16_000, *(clips.resampled(sound, 16_000).samples for sound in pair), "wb")
                for pair in zip(speech, marked, strict=True)
            ]
            _middle(results, "audio.pesq", scores, "mean; PESQ-wb, marked against unmarked", at=np.mean)
    for kind, before, after in (("speech", speech, marked), ("music", music, marked_music)):
        if results.has(f"audio.nmr_{kind}"):
            continue
        ratios = [
            noise_to_mask(*(clips.resampled(sound, 48_000).samples for sound in pair), 48_000)
            for pair in zip(before, after, strict=True)
        ]
        note = f"mean; {100 * np.mean([r.audible for r in ratios]):.0f} % of (frame, band) above threshold"
        _middle(
            results, f"audio.nmr_{kind}", [r.total_db for r in ratios], note, "dB, 0 = threshold", np.mean
        )
    if not results.has("audio.embed_s"):
        mark, times = AudioMark([KEY]), []
        for sound in speech[:10]:
            began = time.process_time()
            mark.embed(sound.samples, sound.rate, FIRST_ID)
            times.append(time.process_time() - began)
        _middle(results, "audio.embed_s", times, "10 s of sound", "s")


def _false_accepts(results: Results, sounds: list[Clip], most: int) -> None:
    """Unmarked sound, as it is and coded, and sound with a stranger's mark; blind and with a short list."""
    if results.has("audio.false_accepts"):
        return
    stranger = AudioMark([STRANGER])
    mark = AudioMark([NEWEST, NEWER, KEY])
    short_list = [FIRST_ID + n for n in range(100)]
    accepts, blind, listed = 0, 0, 0
    times: list[float] = []
    for sound in tqdm([*_unmarked(sounds, stranger, most)], "false accepts", disable=None):
        if (blind + listed) % 3 == 2:
            listed += 1
            accepts += mark.detect(sound.samples, sound.rate, candidates=short_list) is not None
        else:
            blind += 1
            began = time.process_time()
            accepts += mark.detect(sound.samples, sound.rate) is not None
            times.append(time.process_time() - began)
    accepts += sum(row.note.count(WRONG_ID) for row in results.rows.values())
    note = f"{blind} blind and {listed} with a list of 100 ids; bound 1e-9 each, three keys; wrong ids count"
    results.add("audio.false_accepts", accepts, n=blind + listed, note=note)
    _middle(results, "audio.detect_absent_s", times, "three keys, 5 to 10 s of sound", "s")


def _unmarked(sounds: list[Clip], stranger: AudioMark, most: int) -> Iterator[Clip]:
    given = 0
    for sound in sounds:
        others = Clip(sound.name, stranger.embed(sound.samples, sound.rate, FIRST_ID), sound.rate)
        for one in (sound, others, clips.coded(sound, "aac", 64_000, "mp4")):
            if given < most:
                given += 1
                yield one
    for sound in clips.dialogue("cs", max(0, most - given)):
        yield clips.cut(sound, 0, 5)


def _false_matches(results: Results, speech: list[Clip], most: int) -> None:
    """Different recordings compared in full. The threshold was set on the Dutch dialogues, not on these."""
    if results.has("sound_print.false_matches"):
        return
    others = [sound for sound in speech if not sound.name.startswith("Fish")]  # else some are in both
    others += clips.dialogue("cs", 20 if most < 2_000 else 100)
    prints = [sound_fingerprint(sound.samples, sound.rate) for sound in others]
    rng = np.random.default_rng(0)
    pairs = [(i, j) for i in range(len(prints)) for j in range(i)]
    chosen = rng.permutation(len(pairs))[:most]
    similar, nearest = 0, 1.0
    for at in tqdm(chosen, "sound_print.false_matches", disable=None):
        found = compare_sound(*(prints[n] for n in pairs[at]))
        similar += found.similar
        nearest = min(nearest, found.bit_error_rate)
    note = (
        f"pairs of different recordings, most of the same two actors; smallest bit error rate {nearest:.3f}"
    )
    results.add("sound_print.false_matches", similar, n=len(chosen), note=note)


def _rate(results: Results, metric: str, hits: int, tried: int, note: str) -> None:
    share, z = hits / tried, 1.96
    centre = (share + z * z / (2 * tried)) / (1 + z * z / tried)
    half = z / (1 + z * z / tried) * np.sqrt(share * (1 - share) / tried + z * z / (4 * tried * tried))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    results.add(metric, share, n=tried, low=float(low), high=float(high), note=note, better="higher")


def _middle(
    results: Results,
    metric: str,
    values: list[float],
    note: str,
    unit: str = "",
    at: Callable[[list[float]], np.floating] = np.median,
) -> None:
    if values:
        rest = {"unit": unit} if unit else {}
        results.add(
            metric, float(at(values)), n=len(values), low=min(values), high=max(values), note=note, **rest
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few clips: minutes")
    quick = parser.parse_args(sys.argv[1:]).quick
    results = Results("watermark_audio", quick=quick)
    results.group = "watermark"  # the goals stand there
    measure(results, quick)
    results.show()


if __name__ == "__main__":
    main()
