"""Pictures of a file of our own, frame by frame, and back into a file: for renditions.

Promises: frames come out in BT.709, cropped and resized as `Geometry` says, one at a time; a video
keeps its frame rate, its sound and its captions, which are copied packet by packet, so that a mark in
the sound is the same bits; a file appears whole or not at all. Left out: hostile files (decode.py has
the jail), cutting in time, other codecs than H.264, HDR.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from byline.audit.base.errors import BylineError

MAX_SIDE = 4096
PRESET = "veryfast"
_BT709 = 1  # the same number for matrix, primaries and transfer in ITU-T H.273
_QUALITY = 92  # of a JPEG

Frame = NDArray[np.uint8]


class TranscodeFailed(BylineError):
    """No file was written; the message says which step failed."""

    code = "transcode_failed"
    help = "Check the size and the crop; if they fit, look whether the original plays."


@dataclass(frozen=True)
class Geometry:
    """`crop` is (left, top, width, height) in pixels of the source, `size` (width, height) of the result,
    `canvas` the frame that `size` is centred in; equal to `size` without bars."""

    crop: tuple[int, int, int, int]
    size: tuple[int, int]
    canvas: tuple[int, int]

    def apply(self, frame: Frame) -> Frame:
        """Crop, resize and centre one frame."""
        left, top, width, height = self.crop
        seen: NDArray[Any] = frame[top : top + height, left : left + width]
        if (width, height) != self.size:
            shrinks = self.size[0] < width or self.size[1] < height
            seen = cv2.resize(seen, self.size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        if self.canvas != self.size:
            wide, high = ((outer - inner) // 2 for outer, inner in zip(self.canvas, self.size, strict=True))
            padded = np.zeros((self.canvas[1], self.canvas[0], 3), np.uint8)
            padded[high : high + self.size[1], wide : wide + self.size[0]] = seen
            seen = padded
        return np.ascontiguousarray(seen, np.uint8)


def dimensions(source: Path) -> tuple[int, int]:
    """(width, height) of the pictures. TranscodeFailed without any."""
    import av

    try:
        with av.open(str(source)) as container:
            if not container.streams.video:
                raise TranscodeFailed("the original holds no pictures")
            stream = container.streams.video[0]
            return int(stream.width), int(stream.height)
    except av.FFmpegError as error:
        raise TranscodeFailed("the original cannot be opened") from error


def frames(source: Path, geometry: Geometry) -> Iterator[Frame]:
    """Every frame as (H, W, 3) uint8 RGB. TranscodeFailed when the file stops making sense."""
    import av

    try:
        with av.open(str(source)) as container:
            for frame in container.decode(container.streams.video[0]):
                yield geometry.apply(_rgb(frame))
    except av.FFmpegError as error:
        raise TranscodeFailed("the original stops in the middle") from error


def frame_at(source: Path, seconds: float, geometry: Geometry) -> Frame:
    """The frame that is seen at `seconds`. TranscodeFailed after the end."""
    import av

    shown: Any = None
    try:
        with av.open(str(source)) as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                if shown is not None and frame.time is not None and frame.time > seconds + 1e-6:
                    return geometry.apply(_rgb(shown))
                shown = frame
            length = float((stream.duration or 0) * stream.time_base) if stream.time_base else 0.0
    except av.FFmpegError as error:
        raise TranscodeFailed("the original stops in the middle") from error
    if shown is None or seconds > max(length, shown.time or 0.0):
        raise TranscodeFailed("the original ends before that frame")
    return geometry.apply(_rgb(shown))


def _rgb(frame: Any) -> Frame:
    made = frame.reformat(
        format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG"
    )
    return np.asarray(made.to_ndarray(), np.uint8)


def write_picture(destination: Path, frame: Frame) -> None:
    """A PNG or JPEG, by the suffix of `destination`."""
    from PIL import Image

    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        picture = Image.fromarray(frame)
        if destination.suffix.lower() == ".png":
            picture.save(temporary, "PNG")
        else:
            picture.save(temporary, "JPEG", quality=_QUALITY, subsampling=0)
        temporary.replace(destination)
    finally:
        temporary.unlink(missing_ok=True)


def write_video(
    source: Path, destination: Path, pictures: Iterable[Frame], size: tuple[int, int], crf: int
) -> int:
    """H.264 of `pictures` with the sound and captions of `source`; how many frames. TranscodeFailed."""
    import av

    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        with (
            av.open(str(source)) as origin,
            av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as target,
        ):
            rate = Fraction(origin.streams.video[0].average_rate or 25)
            video = _video_stream(target, size, rate, crf)
            others = [s for s in origin.streams if s.type in ("audio", "subtitle")]
            copies = {stream.index: target.add_stream_from_template(stream) for stream in others}
            count = 0
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                    format="yuv420p", src_color_range="JPEG", dst_color_range="MPEG", dst_colorspace="ITU709"
                )
                frame.pts, frame.time_base = count, 1 / rate
                target.mux(video.encode(frame))
                count += 1
            if not count:
                raise TranscodeFailed("the original holds no pictures")
            target.mux(video.encode(None))
            for packet in origin.demux(others) if others else ():
                if packet.dts is not None:
                    packet.stream = copies[packet.stream.index]
                    target.mux(packet)
        temporary.replace(destination)
    except av.FFmpegError as error:
        raise TranscodeFailed(f"the encoder refused the rendition: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _video_stream(target: Any, size: tuple[int, int], rate: Fraction, crf: int) -> Any:
    video = target.add_stream("libx264", rate=rate)
    video.width, video.height, video.pix_fmt = *size, "yuv420p"
    video.options = {"crf": str(crf), "preset": PRESET, "g": str(max(1, round(rate * 2)))}
    context = video.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = 1  # limited ("MPEG")
    return video
