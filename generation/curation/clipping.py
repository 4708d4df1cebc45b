"""A recording into clips of one shot each, packet for packet, in a jailed child.

Promises: a clip begins at a keyframe inside its shot and ends before the shot does, so no clip crosses a
cut and nothing is encoded again: the packets' bytes are the source's. A shot without a keyframe, or of
less than `shortest` seconds from its first keyframe on, gives no clip and is counted. Long shots are divided
at keyframes. The file is hostile: it is parsed under the limits of byline.provenance.jail, the demuxer is the
only one that its first bytes allow, and what the child answers is checked. Leaves out sound, and containers
whose packets MP4 would have to rewrite (MPEG-TS).
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from byline.audit.base.errors import BylineError, MissingWeights
from byline.generation.curation import cuts
from byline.provenance import formats, jail

MAX_BYTES = 1 << 30  # its packets and the clips are held at once, within the jail's memory
MAX_SECONDS = 900.0
MAX_FRAMES = 20_000  # small pictures of all of them are held at once: half a gigabyte
MAX_PIXELS = 4096 * 4096
MAX_CLIPS = 500
_CPU_S = 900.0
_HEADER_BYTES = 1 << 20
_CONTAINERS = {"mov", "matroska"}
_CODECS = {"h264", "hevc", "av1", "vp9", "mpeg4"}


class SourceRefused(BylineError):
    """The recording cannot be divided into clips. The message says why, without a word of the file."""

    code = "source_refused"
    status = 422
    help = "Give an MP4, MOV, MKV or WebM file of H.264, HEVC, AV1 or VP9 below 15 minutes that plays."


@dataclass(frozen=True)
class Clip:
    """`start` and `end` are seconds of the source, `frames` how many pictures it has, `packets_sha256` the
    digest over its packets in the file's order, equal in source and clip. `data` is an MP4 file."""

    start: float
    end: float
    frames: int
    packets_sha256: str
    data: bytes


@dataclass(frozen=True)
class Divided:
    """`cuts` are (seconds, seconds, stage); `without_keyframe` and `too_short` of the `shots` gave none."""

    width: int
    height: int
    fps: float
    seconds: float
    codec: str
    cuts: tuple[tuple[float, float, str], ...]
    shots: int
    without_keyframe: int
    too_short: int
    clips: tuple[Clip, ...]


def divide(path: Path, *, shortest: float = 1.0, longest: float = 10.0) -> Divided:
    """The clips of anybody's file, by a jailed child. SourceRefused; MissingWeights without PySceneDetect."""
    if path.stat().st_size > MAX_BYTES:
        raise SourceRefused("the file is larger than 1 GiB")
    arguments = (str(shortest), str(longest))
    with (
        path.open("rb") as media,
        jail.jailed("byline.generation.curation.clipping", media, *arguments, seconds=_CPU_S) as pipe,
    ):
        return _receive(pipe, path.stat().st_size)


def _receive(pipe: IO[bytes], source_bytes: int) -> Divided:
    """What the child wrote, believed only within bounds."""
    try:
        header = json.loads(pipe.readline(_HEADER_BYTES))
    except ValueError as error:
        raise SourceRefused("the file is damaged, or went beyond a limit on time or memory") from error
    if header.get("missing"):
        raise MissingWeights("finding cuts needs PySceneDetect", help="Run `pip install 'byline[curation]'`.")
    if "error" in header:
        raise SourceRefused(str(header["error"])[:200])
    try:
        listed = header.pop("clips")
        sizes = [int(entry.pop("bytes")) for entry in listed]
        if len(listed) > MAX_CLIPS or not all(0 < size <= 2 * source_bytes + (1 << 20) for size in sizes):
            raise ValueError("beyond the bounds")
        made = []
        for entry, size in zip(listed, sizes, strict=True):
            data = pipe.read(size)
            if len(data) != size:
                raise ValueError("cut short")
            made.append(Clip(data=data, **entry))
        found = tuple((float(a), float(b), str(stage)[:40]) for a, b, stage in header.pop("cuts"))
        return Divided(clips=tuple(made), cuts=found, **header)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceRefused("the file is damaged, or went beyond a limit on time or memory") from error


# ---------------------------------------------------------------- in the child


@dataclass(frozen=True)
class _Packet:
    """In the file's order. Times in the stream's units."""

    pts: int
    dts: int
    key: bool
    data: bytes


def _read(path: Path) -> tuple[Any, list[_Packet], list[int], list[cuts.Small]]:
    """(facts of the stream, packets, times of the frames in order of display, small pictures of them)."""
    import av
    import cv2

    found = formats.sniff(path)
    if found is None or found.demuxer not in _CONTAINERS:
        raise SourceRefused("the file is no MP4, MOV, MKV or WebM")
    packets: list[_Packet] = []
    shown: list[tuple[int, cuts.Small]] = []
    with path.open("rb") as handle, av.open(handle, "r", format=found.demuxer) as container:
        if not container.streams.video:
            raise SourceRefused("the file holds no pictures")
        stream = container.streams.video[0]
        if stream.codec_context is None or stream.codec_context.name.replace("lib", "") not in _CODECS | {
            "dav1d", "aom-av1", "vpx-vp9",
        }:  # fmt: skip
            raise SourceRefused("the pictures are in a codec that is not copied")
        if stream.width * stream.height > MAX_PIXELS or min(stream.width, stream.height) < 16:
            raise SourceRefused("the pictures are too large or too small")
        if float(container.duration or 0) / 1e6 > MAX_SECONDS:
            raise SourceRefused("the recording is longer than 15 minutes")
        stream.codec_context.thread_count = 2
        size = (cuts.WIDTH, max(8, round(cuts.WIDTH * stream.height / stream.width)))
        for packet in container.demux(stream):
            if packet.pts is not None and packet.dts is not None:
                packets.append(_Packet(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)))
            for frame in packet.decode():
                if frame.pts is None or len(shown) >= MAX_FRAMES:
                    raise SourceRefused("it has more frames than are read, or frames without a time")
                if frame.width * frame.height > MAX_PIXELS:
                    raise SourceRefused("the pictures change their size")
                picture = frame.to_ndarray(format="bgr24")
                small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                shown.append((frame.pts, np.asarray(small, np.uint8)))
        facts: dict[str, Any] = {
            "width": stream.width,
            "height": stream.height,
            "fps": float(stream.average_rate or 0),
            "codec": stream.codec_context.name,
            "unit": float(stream.time_base or 0),
        }
    shown.sort(key=lambda item: item[0])
    if len(shown) < 2 or not 1 <= facts["fps"] <= 240:
        raise SourceRefused("it has too few frames, or a frame rate that is not read")
    return facts, packets, [pts for pts, _ in shown], [picture for _, picture in shown]


def _shots(found: Sequence[cuts.Cut], frames: int) -> list[tuple[int, int]]:
    """[first frame, one past the last) of every shot."""
    starts = [0, *(cut.end for cut in found)]
    ends = [*(cut.start for cut in found), frames]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if end > start]


def _runs(
    packets: Sequence[_Packet], times: Sequence[int], shot: tuple[int, int], longest: float, unit: float
) -> list[list[_Packet]]:
    """Runs of packets that each decode alone and show frames of this shot only, without a gap."""
    inside = set(times[shot[0] : shot[1]])
    keys = [k for k, packet in enumerate(packets) if packet.key and packet.pts in inside]
    runs: list[list[_Packet]] = []
    position = 0
    while position < len(keys):
        first = keys[position]
        begins = packets[first].pts
        # The next keyframe that makes the clip as long as wanted; the shot's end otherwise.
        later = [k for k in keys[position + 1 :] if (packets[k].pts - begins) * unit <= longest]
        reaches = (packets[keys[-1]].pts - begins) * unit > longest
        stop = later[-1] if later and reaches else None
        run = _prefix(packets, first, stop, inside, begins, times)
        if run:
            runs.append(run)
        position = keys.index(stop) if stop is not None else len(keys)
    return runs


def _prefix(
    packets: Sequence[_Packet],
    first: int,
    stop: int | None,
    inside: set[int],
    begins: int,
    times: Sequence[int],
) -> list[_Packet]:
    """The longest run from packet `first` on, before `stop`, whose frames are the shot's, without a gap.

    Pictures that lead a keyframe refer to what was before it; they are left out.
    """
    taken: list[_Packet] = []
    best = 0
    order = {pts: k for k, pts in enumerate(times)}
    lowest = order.get(begins)
    if lowest is None:
        return []
    seen: set[int] = set()
    highest = lowest
    for packet in packets[first:stop]:
        if packet.pts < begins:
            continue
        if packet.pts not in inside:
            break
        taken.append(packet)
        seen.add(order[packet.pts])
        highest = max(highest, order[packet.pts])
        if highest - lowest + 1 == len(seen):
            best = len(taken)
    return taken[:best]


def _write(template: Any, run: Sequence[_Packet], unit: Fraction) -> bytes:
    """The packets as an MP4 of their own, beginning at time 0."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as target:
        stream = target.add_stream_from_template(template)
        shift = min(packet.pts for packet in run)
        for taken in run:
            packet = av.Packet(taken.data)
            packet.pts, packet.dts, packet.time_base = taken.pts - shift, taken.dts - shift, unit
            packet.is_keyframe = taken.key
            packet.stream = stream
            target.mux(packet)
    return buffer.getvalue()


def packets_sha256(packets: Sequence[bytes]) -> str:
    """One digest for packets in the file's order."""
    digest = hashlib.sha256()
    for data in packets:
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _divide(path: Path, shortest: float, longest: float) -> Divided:
    import av

    facts, packets, times, pictures = _read(path)
    unit = facts.pop("unit")
    found = cuts.find(pictures, facts["fps"])
    shots = _shots(found, len(times))
    last = times[-1] + (times[-1] - times[0]) // max(1, len(times) - 1)
    made: list[Clip] = []
    without = short = 0
    demuxer = formats.sniff(path)
    assert demuxer is not None
    with path.open("rb") as handle, av.open(handle, "r", format=demuxer.demuxer) as container:
        template = container.streams.video[0]
        for shot in shots:
            runs = _runs(packets, times, shot, longest, unit)
            without += not runs
            for run in runs:
                shown = sorted(packet.pts for packet in run)
                after = [pts for pts in times if pts > shown[-1]][:1] or [last]
                seconds = (after[0] - shown[0]) * unit
                if seconds < shortest or len(made) >= MAX_CLIPS:
                    short += 1
                    continue
                data = _write(template, run, template.time_base or Fraction(0))
                digest = packets_sha256([packet.data for packet in run])
                start = round((shown[0] - times[0]) * unit, 4)
                made.append(Clip(start, round(start + seconds, 4), len(run), digest, data))
    moments = tuple(
        (round((times[min(c.start, len(times) - 1)] - times[0]) * unit, 4),
         round((times[min(c.end, len(times) - 1)] - times[0]) * unit, 4), c.stage)
        for c in found
    )  # fmt: skip
    return Divided(
        seconds=round((last - times[0]) * unit, 4),
        cuts=moments,
        shots=len(shots),
        without_keyframe=without,
        too_short=short,
        clips=tuple(made),
        **facts,
    )


def _send(divided: Divided, pipe: IO[bytes]) -> None:
    header = asdict(divided)
    for entry in header["clips"]:
        entry["bytes"] = len(entry.pop("data"))
    pipe.write(json.dumps(header).encode() + b"\n")
    for clip in divided.clips:
        pipe.write(clip.data)
    pipe.flush()


def _main(arguments: list[str]) -> int:
    """The jailed child: descriptor, shortest and longest seconds in; header and clips out."""
    import av

    av.logging.set_level(None)  # FFmpeg's messages quote the file
    out = sys.stdout.buffer
    try:
        divided = _divide(Path(f"/dev/fd/{int(arguments[0])}"), float(arguments[1]), float(arguments[2]))
    except SourceRefused as error:
        out.write(json.dumps({"error": str(error)}).encode() + b"\n")
    except ImportError as error:
        out.write(json.dumps({"missing": str(error.name)}).encode() + b"\n")
    except (av.error.FFmpegError, ValueError, OverflowError, MemoryError, np.linalg.LinAlgError) as error:
        out.write(json.dumps({"error": f"the file cannot be read ({type(error).__name__})"}).encode() + b"\n")
    else:
        _send(divided, out)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
