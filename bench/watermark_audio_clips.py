"""Sounds and attacks of the audio benchmark. Everything here is test material: nothing was tuned on it.

Tuned on: six espeak-ng clips (variants f4, default, m3, f2, m1; other sentences), Asterisk's Italian voice,
the Dutch dialogues and pieces 01, 05, 09 of Fish Fillets' music, synthetic music of seeds 3 and 4.
Natural voices and recorded music come from Debian packages (no speech corpus is needed or shipped):
`apt-get install asterisk-core-sounds-{en,fr,ru}-g722` (CC BY-SA 3.0, G.722 at 16 kHz),
`pocketsphinx-testdata` (LibriVox, public domain, 16 kHz), `fillets-ng-data fillets-ng-data-cs` (GPL-2,
22 kHz). What is not installed is left out and the row's n says so.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from byline.generation.voices.espeak import EspeakVoice

SECONDS = 10
ASTERISK = Path("/usr/share/asterisk/sounds")
LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
FILLETS = Path("/usr/share/games/fillets-ng")
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    name: str
    samples: Sound  # mono, full scale +-1
    rate: int


SPOKEN = {
    "en": (
        "Engineers inspected the old lighthouse on Friday and found that the lamp room needs new windows. "
        "Repairs begin after the holiday season, the port authority said, and visitors may return in May."
    ),
    "en-2": (
        "Three museums will share a collection of early maps that was found in a private attic last winter. "
        "Scholars believe that some sheets were drawn before the first printed atlas of the region appeared."
    ),
    "es": (
        "La biblioteca municipal abrirá los domingos a partir de octubre, según anunció ayer la alcaldesa, "
        "que también prometió más salas de lectura y un horario ampliado durante los exámenes."
    ),
    "pl": (
        "Meteorolodzy zapowiadają na weekend silny wiatr i przelotne opady deszczu w całym kraju, "
        "a w górach możliwe są pierwsze opady śniegu i oblodzenie dróg."
    ),
    "pt": (
        "O festival de cinema recebeu mais de duzentas inscrições este ano, e os organizadores esperam "
        "um público recorde nas salas do centro histórico durante a próxima semana."
    ),
}
# (text, language, espeak-ng timbre, pitch)
VOICES = (
    ("en", "en-us", "f4", 42),
    ("en-2", "en-us", "f1", 70),
    ("en", "en-gb", "m5", 30),
    ("en-2", "en-gb", "m7", 55),
    ("en", "en-us", "f5", 62),
    ("es", "es", "m2", 38),
    ("es", "es", "f3", 58),
    ("pl", "pl", "m4", 45),
    ("pl", "pl", "f4", 65),
    ("pt", "pt", "m6", 35),
)


def synthetic_voices(most: int | None = None) -> Iterator[Clip]:
    for text, language, variant, pitch in VOICES[:most]:
        speech = EspeakVoice(variant=variant).speak(
            f"{SPOKEN[text]} {SPOKEN[text]}", language=language, pitch=pitch
        )
        name = f"espeak-ng {language}+{variant} pitch {pitch}"
        yield Clip(name, speech.samples[: SECONDS * speech.rate], speech.rate)


def natural_voices(per_voice: int = 2) -> Iterator[Clip]:
    for folder in ("en_US_f_Allison", "fr_CA_f_June", "ru_RU_f_IvrvoiceRU"):
        files = sorted((ASTERISK / folder).glob("*.g722"), key=lambda path: (-path.stat().st_size, path.name))
        for path in files[:per_voice]:
            samples, rate = _read(path, "g722")
            yield _cut(f"Asterisk {folder}/{path.stem}", samples, rate, rate)
    yield from _joined("LibriVox, Sense and Sensibility", sorted(LIBRIVOX.glob("*.wav")), 2)
    for actor in "mv":
        files = sorted((FILLETS / "sound").glob(f"*/cs/*-{actor}-*.ogg"))
        yield from _joined(f"Fish Fillets, Czech, {actor}", files, 3)


def recorded_music() -> Iterator[Clip]:
    for number in (2, 3, 4, 6, 7, 10):
        path = FILLETS / "music" / f"rybky{number:02}.ogg"
        if path.exists():
            samples, rate = _read(path)
            yield _cut(f"Fish Fillets, {path.stem}", samples, rate, 20 * rate)


def composed_music(seed: int, seconds: float = SECONDS, rate: int = 48_000) -> Clip:
    """Chords of six partials, a bass and a drum, four to the bar."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(seconds * rate))
    beat = rate // 2
    for bar in range(0, len(out), 4 * beat):
        root = 110 * 2 ** (rng.integers(0, 12) / 12)
        length = min(5 * beat, len(out) - bar)
        time = np.arange(length) / rate
        for step in (0, 12, 12 + rng.choice([3, 4]), 19, 24):
            for partial in range(1, 7):
                tone = np.sin(2 * np.pi * root * 2 ** (step / 12) * partial * time + rng.uniform(0, 6))
                out[bar : bar + length] += tone / partial**1.3 * np.exp(-0.8 * time)
        for start in range(bar, min(bar + 4 * beat, len(out)), beat):
            hit = rng.normal(size=min(rate // 6, len(out) - start))
            out[start : start + len(hit)] += 1.5 * hit * np.exp(-np.arange(len(hit)) / rate * 45)
    return Clip(f"composed {seed}", (0.5 * out / np.abs(out).max()).astype(np.float32), rate)


def dialogue(language: str, most: int) -> Iterator[Clip]:
    """Ten-second stretches of recorded dialogue: other speech, for false matches."""
    yield from _joined(
        f"Fish Fillets, {language}", sorted((FILLETS / "sound").glob(f"*/{language}/*.ogg")), most
    )


def _joined(name: str, files: list[Path], most: int) -> Iterator[Clip]:
    parts: list[Sound] = []
    made = 0
    for path in files:
        samples, rate = _read(path)
        if not len(samples):
            continue
        parts.append(samples * np.float32(0.7 / max(float(np.abs(samples).max()), 1e-3)))
        if made < most and sum(map(len, parts)) >= SECONDS * rate:
            made += 1
            yield _cut(f"{name} {made}", np.concatenate(parts), rate, 0)
            parts = []


def _cut(name: str, samples: Sound, rate: int, start: int) -> Clip:
    return Clip(name, samples[start : start + SECONDS * rate], rate)


def _read(path: Path, container: str | None = None) -> tuple[Sound, int]:
    with av.open(str(path), format=container) as file:
        frames = list(file.decode(audio=0))
    if not frames:  # a few files of the packages hold no sound
        return np.zeros(0, np.float32), 8_000
    rate = frames[0].sample_rate
    to_float = av.AudioResampler(format="flt", layout="mono", rate=rate)
    return np.concatenate([part.to_ndarray().ravel() for f in frames for part in to_float.resample(f)]), rate


# ---------------------------------------------------------------- attacks


def coded(clip: Clip, codec: str, bits_per_s: int, container: str) -> Clip:
    """Through a codec of FFmpeg at 48 kHz mono; comes back at 48 kHz."""
    whole = (np.clip(resampled(clip, 48_000).samples, -1, 1) * 32_767).astype(np.int16)[None]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000)
        stream.bit_rate, stream.layout = bits_per_s, "mono"
        for start in range(0, whole.shape[1], 960):
            part = np.ascontiguousarray(whole[:, start : start + 960])
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as back:
        to_float = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        frames = [f for decoded in back.decode(audio=0) for f in to_float.resample(decoded)]
    return Clip(clip.name, np.concatenate([frame.to_ndarray().ravel() for frame in frames]), 48_000)


def resampled(clip: Clip, rate: int) -> Clip:
    common = int(np.gcd(clip.rate, rate))
    samples = signal.resample_poly(clip.samples, rate // common, clip.rate // common)
    return Clip(clip.name, samples.astype(np.float32), rate)


def noisy(clip: Clip, decibel: float) -> Clip:
    """White noise, `decibel` under the clip's mean power."""
    noise = np.random.default_rng(len(clip.name)).normal(size=len(clip.samples))
    return _changed(clip, clip.samples + noise * np.std(clip.samples) * 10 ** (-decibel / 20))


def faster(clip: Clip, speed: float) -> Clip:
    """Pitch and tempo together, as a changed clock does."""
    at = np.arange(0, len(clip.samples) - 1, speed)
    return _changed(clip, np.interp(at, np.arange(len(clip.samples)), clip.samples))


def cut(clip: Clip, start: float, seconds: float) -> Clip:
    first = round(start * clip.rate)
    return _changed(clip, clip.samples[first : first + round(seconds * clip.rate)])


def echoed(clip: Clip) -> Clip:
    return _changed(clip, clip.samples + 0.35 * np.roll(clip.samples, int(0.12 * clip.rate)))


def filtered(clip: Clip, hertz: float, kind: str) -> Clip:
    sos = signal.butter(4, hertz, kind, fs=clip.rate, output="sos")
    return _changed(clip, signal.sosfilt(sos, clip.samples))


def over_music(clip: Clip, decibel: float) -> Clip:
    """A music bed laid under the clip afterwards, its mean power `decibel` under the clip's."""
    bed = composed_music(101, len(clip.samples) / clip.rate + 0.1, clip.rate).samples[: len(clip.samples)]
    return _changed(clip, clip.samples + bed / np.std(bed) * np.std(clip.samples) * 10 ** (-decibel / 20))


def _changed(clip: Clip, samples: NDArray[np.floating]) -> Clip:
    return Clip(clip.name, samples.astype(np.float32), clip.rate)


# metric -> (what it does in words, the ways in which it is done to each clip)
ATTACKS: dict[str, tuple[str, tuple[Callable[[Clip], Clip], ...]]] = {
    "none": ("untouched", (lambda c: c,)),
    "aac64": ("FFmpeg AAC, 64 kbit/s", (lambda c: coded(c, "aac", 64_000, "mp4"),)),
    "aac32": ("FFmpeg AAC, 32 kbit/s", (lambda c: coded(c, "aac", 32_000, "mp4"),)),
    "mp3_64": ("LAME, 64 kbit/s", (lambda c: coded(c, "libmp3lame", 64_000, "mp3"),)),
    "opus64": ("libopus, 64 kbit/s", (lambda c: coded(c, "libopus", 64_000, "ogg"),)),
    "opus24": ("libopus, 24 kbit/s", (lambda c: coded(c, "libopus", 24_000, "ogg"),)),
    "resample16k": ("to 16 kHz", (lambda c: resampled(c, 16_000),)),
    "resample8k": ("to 8 kHz", (lambda c: resampled(c, 8_000),)),
    "noise20": ("white noise, 20 dB SNR", (lambda c: noisy(c, 20),)),
    "noise10": ("white noise, 10 dB SNR", (lambda c: noisy(c, 10),)),
    "speed5": ("5 % faster and 5 % slower", (lambda c: faster(c, 1.05), lambda c: faster(c, 0.95))),
    "cut5s": ("5 s from 0.5 s and from 4.9 s on", (lambda c: cut(c, 0.5, 5), lambda c: cut(c, 4.9, 5))),
    "cut3s": ("3 s from 1.37 s and from 6.1 s on", (lambda c: cut(c, 1.37, 3), lambda c: cut(c, 6.1, 3))),
    "cut2s": ("2 s from 1.37 s and from 6.1 s on", (lambda c: cut(c, 1.37, 2), lambda c: cut(c, 6.1, 2))),
    "echo": ("echo of 0.12 s at 0.35", (echoed,)),
    "highpass500": ("4th-order high-pass, 500 Hz", (lambda c: filtered(c, 500, "highpass"),)),
    "lowpass4k": ("4th-order low-pass, 4 kHz", (lambda c: filtered(c, 4000, "lowpass"),)),
    "music_bed": ("music laid under it, 12 dB lower", (lambda c: over_music(c, 12),)),
    "music_bed6": ("music laid under it, 6 dB lower", (lambda c: over_music(c, 6),)),
    "combined": (
        "noise 20 dB, cut to 5 s, AAC 64 kbit/s",
        (lambda c: coded(cut(noisy(c, 20), 1.37, 5), "aac", 64_000, "mp4"),),
    ),
}
