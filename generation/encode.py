"""One encode: frames, sound, captions and an audio description into an MP4 or a WebM that browsers play.

MP4: H.264 (x264, yuv420p, BT.709 tagged and converted as such), AAC-LC 48 kHz mono, a 3GPP timed text
track, index first (faststart). WebM: VP9 and Opus, without captions inside (they are served as WebVTT). An
audio description is a second sound track that says so: by its title and language and, in MP4, as "for
the visually impaired", for which WebM has no field. The file appears under its name only when it is
whole and on disk: it is written under a private name in the same directory, synced, then renamed. Only
the given title goes into the metadata. Not promised: equal bytes for equal input (x264 sometimes codes
the first key frame differently). Left out: scaling, streaming formats.
"""

import os
import secrets
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base.errors import BylineError
from byline.generation.captions import Cue
from byline.generation.soundtrack import RATE, resample

CRF = "20"
PRESET = "veryfast"
_AUDIO_BITS = 128_000
_AUDIO_FRAME, _OPUS_FRAME = 1024, 960
VP9_CRF = "24"
DESCRIPTION = "Audio description"
_BT709 = 1  # the same number for matrix, primaries and transfer in ITU-T H.273
_TEXT_CLOCK = 1000
# ffmpeg's timed text encoder wants a style header; the track's own style is the plain default.
_TEXT_STYLE = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize, "
    b"PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, "
    b"ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, "
    b"Encoding\r\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0"
    b"\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)
# ISO 639-1 -> 639-2/T, which is what the file format stores. Others are written as undetermined.
_LANGUAGES = {
    "ar": "ara", "bg": "bul", "bn": "ben", "ca": "cat", "cmn": "zho", "cs": "ces", "da": "dan", "de": "deu",
    "el": "ell", "en": "eng", "es": "spa", "et": "est", "fa": "fas", "fi": "fin", "fr": "fra", "ga": "gle",
    "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn", "ko": "kor",
    "lt": "lit", "lv": "lav", "ms": "msa", "nb": "nob", "nl": "nld", "pl": "pol", "pt": "por", "ro": "ron",
    "ru": "rus", "sk": "slk", "sl": "slv", "sr": "srp", "sv": "swe", "sw": "swa", "ta": "tam", "te": "tel",
    "th": "tha", "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie", "zh": "zho",
}  # fmt: skip


class EncodeFailed(BylineError):
    code = "encode_failed"
    help = "Look for the frame or sound that the message names; nothing was written."


@dataclass(frozen=True)
class Encoded:
    path: Path
    frames: int
    seconds: float
    width: int
    height: int
    bytes: int


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: int,
    samples: np.ndarray | None,
    rate: int,
    captions: Sequence[Cue] = (),
    language: str = "en-us",
    *,
    title: str = "",
    described: tuple[np.ndarray, str] | None = None,
) -> Encoded:
    """Encode `frames` (RGB uint8, all of one even size) and `samples` (float32 mono) to `path`, whose suffix
    is .mp4 or .webm.

    `described` is an audio description at `rate` with its language. Frames are pulled one at a time. Sound is
    padded with silence, or cut, to the end of the picture. EncodeFailed for no frames, a frame of another
    size or kind, sound that is not finite, a broken codec; then `path` is untouched. The file is readable
    by its owner only.
    """
    path = Path(path)
    private = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    os.close(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        encoded = _encode(private, frames, fps, samples, rate, captions, language, title, described)
        _sync(private)
        os.replace(private, path)
        _sync(path.parent)
    finally:
        private.unlink(missing_ok=True)
    return Encoded(path, *encoded, path.stat().st_size)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: int,
    samples: np.ndarray | None,
    rate: int,
    captions: Sequence[Cue],
    language: str,
    title: str,
    described: tuple[np.ndarray, str] | None,
) -> tuple[int, float, int, int]:
    import av

    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise EncodeFailed("there is no frame to encode")
    _check(first, first.shape)
    height, width = first.shape[:2]
    try:
        with _opened(path) as container:
            if title:
                container.metadata["title"] = title
            mp4 = container.format.name == "mp4"
            video = (
                _video_stream(container, width, height, fps)
                if mp4
                else _vp9_stream(container, width, height, fps)
            )
            sounds = [_Sound(container, samples, rate, language)] if samples is not None else []
            if described is not None:
                sounds.append(_Sound(container, described[0], rate, described[1], for_blind=True))
            text = _Text(container, captions, language) if captions and mp4 else None
            count = 0
            for picture in _chain(first, pictures):
                _check(picture, first.shape)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame = frame.reformat(
                    format="yuv420p", src_color_range="JPEG", dst_color_range="MPEG", dst_colorspace="ITU709"
                )
                frame.pts, frame.time_base = count, Fraction(1, fps)
                container.mux(video.encode(frame))
                count += 1
                if text:
                    text.until(count / fps)
                for sound in sounds:
                    sound.until(count / fps)
            container.mux(video.encode(None))
            for sound in sounds:
                sound.finish(count / fps)
    except av.FFmpegError as error:
        raise EncodeFailed(f"the encoder refused the clip: {error.strerror}") from error
    return count, count / fps, width, height


def _opened(path: Path) -> Any:
    """A container for writing. The private name is .NAME.SUFFIX.HEX.part."""
    import av

    if ".webm." in path.name:
        return av.open(str(path), "w", format="webm", options={"cues_to_front": "1"})
    return av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _check(picture: np.ndarray, shape: tuple[int, ...]) -> None:
    if picture.shape != shape or picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise EncodeFailed(f"a frame is {picture.dtype} {picture.shape}, not uint8 {shape}")
    if shape[0] % 2 or shape[1] % 2:
        raise EncodeFailed(f"frames of {shape[1]}x{shape[0]} have an odd side, which yuv420p cannot hold")


def _video_stream(container: Any, width: int, height: int, fps: int) -> Any:
    video = container.add_stream("libx264", rate=fps)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.options = {"crf": CRF, "preset": PRESET, "g": str(fps * 2)}  # a key frame every 2 s to seek to
    context = video.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = 1  # limited ("MPEG")
    return video


def _disposition(*names: str) -> Any:
    from av.stream import Disposition

    chosen = Disposition[names[0]]
    for name in names[1:]:
        chosen |= Disposition[name]
    return chosen


def _vp9_stream(container: Any, width: int, height: int, fps: int) -> Any:
    video = container.add_stream("libvpx-vp9", rate=fps)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.bit_rate = 0  # constant quality
    video.options = {
        "crf": VP9_CRF, "deadline": "realtime", "cpu-used": "6", "row-mt": "1", "g": str(fps * 2),
    }  # fmt: skip
    context = video.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = 1
    return video


def language_code(tag: str) -> str:
    """ISO 639-2/T of a language tag, as containers store it; "und" for one that is not in our table."""
    return _LANGUAGES.get(tag.lower().replace("_", "-").partition("-")[0], "und")


class _Sound:
    """Feeds one sound track in step with the picture, so that the file is interleaved for streaming."""

    def __init__(
        self, container: Any, samples: np.ndarray, rate: int, language: str, *, for_blind: bool = False
    ) -> None:
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise EncodeFailed("the sound is not mono or holds values that are not numbers")
        self._container = container
        self._samples = np.clip(resample(samples, rate, RATE), -1.0, 1.0).astype(np.float32)
        self._done = 0
        mp4 = container.format.name == "mp4"
        self._frame, self._layout = (_AUDIO_FRAME, "fltp") if mp4 else (_OPUS_FRAME, "flt")
        self._stream = container.add_stream("aac" if mp4 else "libopus", rate=RATE)
        self._stream.layout = "mono"
        self._stream.bit_rate = _AUDIO_BITS
        self._stream.metadata["language"] = language_code(language)
        # Players choose the first track by themselves; "visual_impaired" is DASH and DVB for what this is.
        if for_blind:
            # The one is where WebM keeps a track's name, the other is where MP4 does.
            self._stream.metadata.update({"title": DESCRIPTION, "handler_name": DESCRIPTION})
            self._stream.disposition = _disposition("visual_impaired", "descriptions")
        else:
            self._stream.disposition = _disposition("default")

    def until(self, seconds: float) -> None:
        while (self._done + self._frame) / RATE <= seconds:
            self._write(self._frame)

    def finish(self, seconds: float) -> None:
        self.until(seconds)
        rest = round(seconds * RATE) - self._done
        if rest > 0:
            self._write(rest)
        self._container.mux(self._stream.encode(None))

    def _write(self, count: int) -> None:
        import av

        chunk = np.zeros(count, np.float32)
        piece = self._samples[self._done : self._done + count]
        chunk[: len(piece)] = piece
        frame = av.AudioFrame.from_ndarray(chunk[None], format=self._layout, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._done, Fraction(1, RATE)
        self._container.mux(self._stream.encode(frame))
        self._done += count


class _Text:
    """3GPP TS 26.245 samples: a 16-bit length and UTF-8. ffmpeg writes the empty ones in between."""

    def __init__(self, container: Any, captions: Sequence[Cue], language: str) -> None:
        self._container = container
        self._waiting = sorted(captions)
        self._stream = container.add_stream("mov_text")
        self._stream.time_base = Fraction(1, _TEXT_CLOCK)
        context = self._stream.codec_context
        context.subtitle_header = _TEXT_STYLE
        context.time_base = Fraction(1, _TEXT_CLOCK)
        context.open()
        self._stream.metadata["language"] = language_code(language)

    def until(self, seconds: float) -> None:
        import av

        while self._waiting and self._waiting[0].start < seconds:
            cue = self._waiting.pop(0)
            text = cue.text.encode()
            packet = av.Packet(struct.pack(">H", len(text)) + text)
            packet.stream, packet.time_base = self._stream, Fraction(1, _TEXT_CLOCK)
            packet.pts = packet.dts = round(cue.start * _TEXT_CLOCK)
            packet.duration = max(1, round((cue.end - cue.start) * _TEXT_CLOCK))
            self._container.mux(packet)
