"""espeak-ng speech, offline, with the time of every word.

The library and its data come from the PyPI package espeakng-loader at run time. They are GPL-3 and
are neither vendored nor linked: each utterance runs in a process of its own (espeak_process.py says
why), which also makes this voice deterministic and safe to call from several threads. A formant
synthesiser: clearly a machine, no one's likeness.
"""

import functools
import importlib.metadata
import json
import re
import subprocess  # a fixed argument list, our own interpreter, no shell
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base.errors import ConfigurationError
from byline.generation.voices.base import (
    MAX_CHARACTERS,
    MAX_SECONDS,
    Speech,
    SpeechFailed,
    UnknownLanguage,
    UnspeakableText,
    VoiceExample,
    VoiceInfo,
    Word,
)

_TIMEOUT_S = 60.0
_SPEED = (80, 450)  # espeakRATE_MINIMUM and _MAXIMUM of speak_lib.h
_LONGEST_WORD = 100  # the library cuts longer ones off without a word
_WORD_EVENT, _END_EVENT = 1, 5
# Scripts written without spaces are timed character by character.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_VARIANT = re.compile(r"^[A-Za-z0-9_-]{1,40}$")


class EspeakVoice:
    """`variant`: one of espeak-ng's timbres; `pitch_range`: 0 monotone .. 99 lively.

    The default is the timbre whose speech a recogniser aligns best (safety/screen/alignment.py); ""
    is the library's own.
    """

    def __init__(self, *, variant: str = "f4", pitch_range: int = 55) -> None:
        if variant and not _VARIANT.match(variant):
            raise ConfigurationError(f"espeak variant {variant!r} is not a plain name")
        if not 0 <= pitch_range <= 99:
            raise ConfigurationError(f"espeak pitch_range {pitch_range} is not within 0..99")
        self._variant = variant
        self._pitch_range = pitch_range

    @property
    def info(self) -> VoiceInfo:
        version = importlib.metadata.version("espeakng-loader")
        purl = f"pkg:pypi/espeakng-loader@{version}"  # the program and its voice data in one package
        return VoiceInfo("espeak-ng", version, "GPL-3.0-or-later", identifier=purl)

    def languages(self) -> Sequence[str]:
        return sorted(_identifiers())

    def speak(self, text: str, *, language: str = "en-us", rate: int = 165, pitch: int = 50) -> Speech:
        """See `Voice.speak`. Sound is 22,050 Hz; peak normalised to -1 dBFS."""
        clean = _CONTROL.sub(" ", text)
        if not clean.strip() or len(clean) > MAX_CHARACTERS:
            raise UnspeakableText(f"the voice-over has {len(text)} characters")
        if not any(map(str.isalnum, clean)):
            raise UnspeakableText("the voice-over has no word in it")
        if max(map(len, clean.split())) > _LONGEST_WORD:
            raise UnspeakableText(f"the voice-over has a word of more than {_LONGEST_WORD} characters")
        if not _SPEED[0] <= rate <= _SPEED[1] or not 0 <= pitch <= 99:
            raise UnspeakableText(f"rate {rate} or pitch {pitch} is outside {_SPEED} words a minute, 0..99")
        identifier = _identifiers().get(language.lower())
        if identifier is None:
            raise UnknownLanguage(f"espeak-ng has no voice for the language tag {language[:20]!r}")
        most_bytes = int(MAX_SECONDS * 22050 * 2)
        job = {
            "task": "speak",
            "text": clean,
            "voice": f"{identifier}+{self._variant}" if self._variant else identifier,
            "rate": rate,
            "pitch": pitch,
            "range": self._pitch_range,
            "max_bytes": most_bytes,
        }
        header, sound = _run(job)
        if len(sound) > most_bytes:
            raise UnspeakableText(f"the voice-over takes longer than {MAX_SECONDS:.0f} s to read")
        samples = np.frombuffer(sound, dtype="<i2").astype(np.float32) / 32768.0
        peak = float(np.abs(samples).max()) if samples.size else 0.0
        if peak < 1e-3:
            raise UnspeakableText("nothing in the voice-over could be read aloud")
        samples *= 0.891 / peak
        return Speech(samples, header["rate"], _words(clean, header["events"], samples, header["rate"]))

    def self_check(self) -> None:
        try:
            if "en-us" not in _identifiers():
                raise ConfigurationError("espeak-ng's data has no English voice")
            self.speak("ready")
        except SpeechFailed as error:
            raise ConfigurationError(f"espeak-ng does not work here: {error}") from error

    def examples(self) -> Sequence[VoiceExample]:
        return (
            VoiceExample("The harbour opens again on Monday.", "en-us", 6, 1.2, 4.0),
            VoiceExample("Der Hafen öffnet am Montag wieder.", "de", 6, 1.2, 4.5),
            VoiceExample("El puerto abre de nuevo el lunes.", "es", 7, 1.2, 4.5),
        )


@functools.cache
def _paths() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise ConfigurationError(
            "the espeak-ng library is not installed", help="Run `pip install espeakng-loader`."
        ) from error
    return str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())


@functools.cache
def _identifiers() -> dict[str, str]:
    header, _ = _run({"task": "languages"})
    return {str(tag).lower(): str(identifier) for tag, identifier in header["languages"].items()}


def _run(job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    library, data = _paths()
    script = Path(__file__).with_name("espeak_process.py")
    try:
        # -I -S and an empty environment: the child sees no settings, no keys, no site packages.
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(script), library, data],
            input=json.dumps(job).encode(),
            capture_output=True,
            env={"LC_ALL": "C.UTF-8"},
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SpeechFailed(f"espeak-ng gave no answer within {_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        # Its messages may quote the text, so only the status is passed on.
        raise SpeechFailed(f"espeak-ng ended with status {done.returncode}")
    header, _, sound = done.stdout.partition(b"\n")
    return json.loads(header), sound


def _words(text: str, events: list[list[int]], samples: np.ndarray, rate: int) -> tuple[Word, ...]:
    """Join the library's word events (a number or a hyphenated word has several) to written words.

    A written word without an event, such as a dash, is joined to the word before it; an end is the
    next start, drawn back over the silence that the library counts to the word before a pause.
    """
    tokens = list(_TOKEN.finditer(text))
    starts: dict[int, int] = {}
    ends = [sample for kind, _, sample in events if kind == _END_EVENT]
    token = 0
    for kind, position, sample in events:
        if kind != _WORD_EVENT:
            continue
        while token + 1 < len(tokens) and tokens[token + 1].start() < position:
            token += 1
        if tokens[token].start() < position <= tokens[token].end() + 1:
            starts.setdefault(token, sample)
    words: list[Word] = []
    spoken = sorted(starts)
    for number, index in enumerate(spoken):
        following = spoken[number + 1] if number + 1 < len(spoken) else len(tokens)
        first = 0 if number == 0 else index  # a dash before the first word belongs to it
        begin = starts[index]
        limit = starts[following] if following < len(tokens) else len(samples)
        limit = min([limit, *[end for end in ends if end > begin]])
        end = _voiced_end(samples, begin, limit, rate)
        written = text[tokens[first].start() : tokens[following - 1].end()]
        words.append(Word(written, begin / rate, end / rate))
    return tuple(words)


def _voiced_end(samples: np.ndarray, begin: int, end: int, rate: int) -> int:
    loud = np.flatnonzero(np.abs(samples[begin:end]) > 0.02)
    return min(end, begin + int(loud[-1]) + rate // 100) if loud.size else end
