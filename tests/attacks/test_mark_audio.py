"""Threat: the voice is re-encoded, resampled, cut or changed in speed. The speech mark stays."""

import io
from collections.abc import Callable

import av
import numpy as np
import pytest
from scipy import signal

from byline.generation.voices.espeak import EspeakVoice
from byline.provenance.marks.audio import AudioMark

KEY, PAYLOAD = bytes(range(32)), 0x12345678
TEXT = (
    "The city council voted on Tuesday to extend the harbour line by four stations, after months of "
    "debate about the cost."
)
Sound = tuple[np.ndarray, int]


@pytest.fixture(scope="module")
def voice() -> Sound:
    speech = EspeakVoice().speak(TEXT)
    assert 5.0 < len(speech.samples) / speech.rate < 9.0
    return speech.samples, speech.rate


@pytest.fixture(scope="module")
def marked(voice: Sound) -> Sound:
    return AudioMark([KEY]).embed(*voice, PAYLOAD), voice[1]


def coded(sound: Sound, codec: str, bits_per_s: int, container: str) -> Sound:
    """Through a lossy codec at 48 kHz, as a delivery chain would."""
    samples = signal.resample_poly(sound[0], 48_000, sound[1])
    whole = (np.clip(samples, -1, 1) * 32_767).astype(np.int16)[None]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000)
        stream.bit_rate = bits_per_s
        stream.layout = "mono"
        for start in range(0, whole.shape[1], 960):
            part = np.ascontiguousarray(whole[:, start : start + 960])
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as back:
        to_float = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        frames = [f for packet in back.decode(audio=0) for f in to_float.resample(packet)]
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]), 48_000


def faster(sound: Sound, speed: float) -> Sound:
    at = np.arange(0, len(sound[0]) - 1, speed)
    return np.interp(at, np.arange(len(sound[0])), sound[0]).astype(np.float32), sound[1]


def noisy(sound: Sound, decibel: float) -> Sound:
    noise = np.random.default_rng(0).normal(size=len(sound[0])) * np.std(sound[0]) * 10 ** (-decibel / 20)
    return (sound[0] + noise).astype(np.float32), sound[1]


def filtered(sound: Sound, hertz: float, kind: str) -> Sound:
    sos = signal.butter(4, hertz, kind, fs=sound[1], output="sos")
    return signal.sosfilt(sos, sound[0]).astype(np.float32), sound[1]


def cut(sound: Sound, start: float, seconds: float) -> Sound:
    first = round(start * sound[1])
    return sound[0][first : first + round(seconds * sound[1])], sound[1]


ATTACKS: dict[str, Callable[[Sound], Sound]] = {
    "AAC 128": lambda s: coded(s, "aac", 128_000, "mp4"),
    "AAC 96": lambda s: coded(s, "aac", 96_000, "mp4"),
    "AAC 64": lambda s: coded(s, "aac", 64_000, "mp4"),
    "MP3 64": lambda s: coded(s, "libmp3lame", 64_000, "mp3"),
    "Opus 64": lambda s: coded(s, "libopus", 64_000, "ogg"),
    "Opus 24": lambda s: coded(s, "libopus", 24_000, "ogg"),
    "AAC 32": lambda s: coded(s, "aac", 32_000, "mp4"),
    "16 kHz": lambda s: (signal.resample_poly(s[0], 16_000, s[1]).astype(np.float32), 16_000),
    "noise 20 dB": lambda s: noisy(s, 20),
    "noise 10 dB": lambda s: noisy(s, 10),
    "high-pass 500 Hz": lambda s: filtered(s, 500, "highpass"),
    "low-pass 4 kHz": lambda s: filtered(s, 4000, "lowpass"),
    "noise, cut and AAC 64": lambda s: coded(cut(noisy(s, 20), 1.37, 3), "aac", 64_000, "mp4"),
    "3 s": lambda s: cut(s, 1.37, 3),
    "middle 5 s": lambda s: cut(s, 0.5, 5),
    "5 % faster": lambda s: faster(s, 1.05),
    "5 % slower": lambda s: faster(s, 0.95),
    "echo": lambda s: ((s[0] + 0.35 * np.roll(s[0], int(0.12 * s[1]))).astype(np.float32), s[1]),
    "half as loud": lambda s: (s[0] * np.float32(0.5), s[1]),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_mark_survives(name: str, marked: Sound) -> None:
    found = AudioMark([KEY]).detect(*ATTACKS[name](marked))
    assert found is not None
    assert found.payload == PAYLOAD
    assert found.geometry.startswith("speed") == ("%" in name)


@pytest.mark.parametrize("name", ["AAC 96", "5 % faster"])
def test_unmarked_speech_is_not_accepted_after_the_same_treatment(name: str, voice: Sound) -> None:
    assert AudioMark([KEY]).detect(*ATTACKS[name](voice)) is None


def test_averaging_many_clips_uncovers_nothing_of_use(voice: Sound) -> None:
    """Threat: somebody averages what our marks changed in thirty clips and lays it over a sound of theirs.

    The pattern starts elsewhere for every id and does not repeat within a clip, so the mean fades.
    """
    mark = AudioMark([KEY])
    short = cut(voice, 0, 3)
    changes = [mark.embed(*short, 1000 + n) - short[0] for n in range(30)]
    forged = short[0] + np.mean(changes, axis=0) * np.sqrt(len(changes))
    assert mark.detect(forged.astype(np.float32), short[1]) is None
    control = short[0] + changes[0]
    assert mark.detect(control.astype(np.float32), short[1]) is not None
