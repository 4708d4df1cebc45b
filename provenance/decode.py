"""Pictures and sound of a file, within bounds, in this process or in a jailed one.

Promises: `decode` for our own files and `decode_untrusted` for anybody's give the same
DecodedMedia. The demuxer is chosen by the file's first bytes and is the only one allowed, so that
a playlist cannot make FFmpeg open other files or addresses. Frames are taken at an even rate that
falls when the file is long, shrunk to a bounded size, so memory is bounded whatever the header
says. What the jail is, jail.py says. Left out: subtitles, further tracks, HDR tone mapping.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base.errors import BylineError
from byline.provenance import formats, jail

MAX_BYTES = 2 << 30
MAX_PIXELS = 8192 * 8192  # of one picture; 8K video has half of that
MAX_FRAMES = 84  # kept, a little over ten seconds at SAMPLE_FPS
MAX_LONG_SIDE = 1280
MAX_SECONDS = 600.0  # of media; the rest is not looked at
SAMPLE_FPS = 8.0
_MAX_DECODED = 40_000  # frames run through the decoder, kept or not
_MAX_AUDIO_SECONDS = 120.0
_MAX_DAMAGED = 100  # packets; after that a file is noise
_HEADER_BYTES = 64 << 10


class Unreadable(BylineError):
    """The file is no media that we can open, or goes beyond a bound. The message says which."""

    code = "unreadable"
    status = 422
    help = "Send an MP4, MOV, WebM, WAV, MP3, PNG or JPEG file that plays, below the stated size."


@dataclass(frozen=True)
class DecodedMedia:
    """`frames` are (H, W, 3) uint8 RGB, frame i at i / fps seconds; `samples` are mono float32 +-1.

    `width`, `height` and `duration` (seconds) are the file's own; the frames may be smaller.
    """

    frames: list[NDArray[np.uint8]]
    fps: float
    samples: NDArray[np.float32] | None
    rate: int
    width: int
    height: int
    duration: float


def decode(
    path: Path,
    *,
    max_frames: int = MAX_FRAMES,
    max_seconds: float = MAX_SECONDS,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    sample_fps: float = SAMPLE_FPS,
) -> DecodedMedia:
    """Decode a file of our own in this process. Raises Unreadable."""
    size = path.stat().st_size
    if size > max_bytes:
        raise Unreadable(f"the file is larger than {max_bytes >> 20} MiB")
    found = formats.sniff(path)
    if found is None or not found.demuxer:
        raise Unreadable("the file is none of the media formats that we decode")
    import av

    av.logging.set_level(None)  # FFmpeg's messages quote the file
    try:
        with path.open("rb") as handle, av.open(handle, format=found.demuxer) as container:
            return _decode(container, max_frames, max_seconds, max_pixels, sample_fps)
    except (av.error.FFmpegError, ValueError, OverflowError, MemoryError) as error:
        raise Unreadable(f"the file cannot be decoded ({type(error).__name__})") from error


def _decode(
    container: Any, max_frames: int, max_seconds: float, max_pixels: int, sample_fps: float
) -> DecodedMedia:
    picture, sound = _decodable(container.streams.video), _decodable(container.streams.audio)
    if picture is None and sound is None:
        raise Unreadable("the file holds neither pictures nor sound")
    streams = [stream for stream in (picture, sound) if stream is not None]
    if picture is not None:
        if picture.width * picture.height > max_pixels:
            raise Unreadable("the pictures are larger than we read")
        picture.codec_context.thread_count = 2
    keeper = _Keeper(max_frames, sample_fps, max_pixels)
    sounds = _Sounds()
    end = 0.0
    for frame in _frames(container, streams):
        moment = float(frame.time or 0.0)
        end = max(end, moment)
        if hasattr(frame, "sample_rate"):
            sounds.add(frame)
        else:
            keeper.offer(frame, moment)
        if end > max_seconds or keeper.seen > _MAX_DECODED:
            break
    if not keeper.frames and not sounds.parts:
        raise Unreadable("the file holds no frame that can be decoded")
    duration = float(container.duration or 0) / 1e6
    return DecodedMedia(
        frames=keeper.frames,
        fps=keeper.fps,
        samples=sounds.joined(),
        rate=sounds.rate,
        width=picture.width if picture is not None else 0,
        height=picture.height if picture is not None else 0,
        duration=duration if 0 < duration < 86_400 else end,
    )


def _decodable(streams: Any) -> Any:
    """The first stream that a decoder is known for; a damaged file may name a codec that is none."""
    return next((stream for stream in streams if stream.codec_context is not None), None)


def _frames(container: Any, streams: list[Any]) -> Iterator[Any]:
    """Decoded frames. Damaged packets are passed over: what surrounds them still says something."""
    import av

    damaged = 0
    try:
        for packet in container.demux(streams):
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                damaged += 1
                if damaged > _MAX_DAMAGED:
                    return
    except av.error.FFmpegError:  # the file is cut: take what the decoders still hold
        for stream in streams:
            with contextlib.suppress(av.error.FFmpegError):
                yield from stream.decode(None)


class _Keeper:
    """Keeps frames at an even rate; when there are too many, halves the rate and drops every other."""

    def __init__(self, limit: int, fps: float, max_pixels: int) -> None:
        self.limit, self.fps, self.max_pixels = limit, fps, max_pixels
        self.frames: list[NDArray[np.uint8]] = []
        self.seen = 0
        self._first: float | None = None

    def offer(self, frame: Any, moment: float) -> None:
        self.seen += 1
        if self._first is None:
            self._first = moment
        if (moment - self._first) * self.fps < len(self.frames) - 1e-6 and self.frames:
            return
        if frame.width * frame.height > self.max_pixels:  # a stream may change size on the way
            raise Unreadable("the pictures are larger than we read")
        if len(self.frames) >= self.limit:
            self.frames, self.fps = self.frames[::2], self.fps / 2
            if (moment - self._first) * self.fps < len(self.frames) - 1e-6:
                return
        scale = min(1.0, MAX_LONG_SIDE / max(frame.width, frame.height))
        width, height = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
        self.frames.append(frame.to_ndarray(format="rgb24", width=width, height=height))


class _Sounds:
    """Mono float samples of the first audio track, bounded in length."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.float32]] = []
        self.rate = 0
        self._count = 0
        self._resampler: Any = None

    def add(self, frame: Any) -> None:
        import av

        if self._resampler is None:
            self.rate = int(frame.sample_rate)
            if not 4000 <= self.rate <= 192_000:
                raise Unreadable("the sound has a sampling rate that we do not read")
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=self.rate)
        if self._count >= _MAX_AUDIO_SECONDS * self.rate:
            return
        for part in self._resampler.resample(frame):
            samples = part.to_ndarray().reshape(-1)
            self._count += samples.size
            self.parts.append(np.nan_to_num(samples, posinf=0.0, neginf=0.0).astype(np.float32))

    def joined(self) -> NDArray[np.float32] | None:
        return np.concatenate(self.parts) if self.parts else None


def decode_untrusted(path: Path, *, seconds: float = 60.0, max_bytes: int = MAX_BYTES) -> DecodedMedia:
    """Decode anybody's file in a jailed child that may use `seconds` of CPU. Raises Unreadable."""
    with (
        path.open("rb") as media,
        jail.jailed("byline.provenance.decode", media, str(max_bytes), seconds=seconds) as pipe,
    ):
        return _receive(pipe)


def _send(media: DecodedMedia, pipe: IO[bytes]) -> None:
    shapes = [list(frame.shape) for frame in media.frames]
    count = 0 if media.samples is None else int(media.samples.size)
    header = {"fps": media.fps, "rate": media.rate, "width": media.width, "height": media.height,
              "duration": media.duration, "shapes": shapes, "samples": count}  # fmt: skip
    pipe.write(json.dumps(header).encode() + b"\n")
    for frame in media.frames:
        pipe.write(np.ascontiguousarray(frame).tobytes())
    if media.samples is not None:
        pipe.write(media.samples.tobytes())
    pipe.flush()


def _receive(pipe: IO[bytes]) -> DecodedMedia:
    """Read what a child sent. The child may be in a hostile file's hands: nothing it says is believed
    beyond the bounds. Unreadable when it died or talks nonsense."""
    line = pipe.readline(_HEADER_BYTES)
    try:
        header = json.loads(line)
        if "error" in header:
            raise Unreadable(str(header["error"])[:200])
        shapes = [(int(h), int(w)) for h, w, _ in header["shapes"]]
        count, fps, rate = int(header["samples"]), float(header["fps"]), int(header["rate"])
        sizes = int(header["width"]), int(header["height"])
        duration = float(header["duration"])
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable("the decoder was stopped by a resource limit or by a damaged file") from error
    if (
        len(shapes) > MAX_FRAMES
        or any(not (0 < h <= MAX_LONG_SIDE and 0 < w <= MAX_LONG_SIDE) for h, w in shapes)
        or not 0 <= count <= (_MAX_AUDIO_SECONDS + 60) * 192_000
    ):
        raise Unreadable("the decoder answered beyond its bounds")
    frames = [np.frombuffer(_exactly(pipe, h * w * 3), np.uint8).reshape(h, w, 3) for h, w in shapes]
    samples = np.frombuffer(_exactly(pipe, 4 * count), np.float32) if count else None
    return DecodedMedia(frames, fps, samples, rate, *sizes, duration)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise Unreadable("the decoder was stopped by a resource limit")
    return data


def _main(arguments: list[str]) -> int:
    """The jailed child: descriptor and byte limit in, header and raw arrays out."""
    output = sys.stdout.buffer
    try:
        media = decode(Path(f"/dev/fd/{int(arguments[0])}"), max_bytes=int(arguments[1]))
    except Unreadable as error:
        output.write(json.dumps({"error": str(error)}).encode() + b"\n")
        return 0
    _send(media, output)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
