"""Sound files: reading the sound of a file of our own, and writing 16-bit WAV."""

import wave
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput


class NoSound(InvalidInput):
    code = "no_sound"
    status = 422
    help = "Give a file with a sound track."


def read(path: Path) -> tuple[np.ndarray, int]:
    """(float32 mono samples, rate) of a file that we made ourselves. NoSound when there is none.

    Anybody else's file goes through `byline.provenance.decode.decode_untrusted`.
    """
    import av

    parts: list[np.ndarray] = []
    rate = 0
    try:
        with av.open(str(path)) as container:
            stream: Any = next(iter(container.streams.audio), None)
            if stream is None:
                raise NoSound("there is no sound in the file")
            rate = int(stream.rate)
            mono = av.AudioResampler(format="flt", layout="mono", rate=rate)
            for frame in container.decode(stream):
                parts += [part.to_ndarray().reshape(-1) for part in mono.resample(frame)]
    except (av.error.FFmpegError, OSError) as error:
        raise NoSound("the file cannot be read as sound") from error
    if not parts:
        raise NoSound("there is no sound in the file")
    return np.concatenate(parts).astype(np.float32), rate


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    """Mono, 16 bits, full scale 1.0."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
