"""What a file is, by its first bytes and never by its name.

Promises: one answer per file: the MIME type the C2PA reader is told, the one FFmpeg demuxer that
may open it (a playlist or concat script that would make FFmpeg open other files or addresses is
therefore no media), and whether the C2PA reader can find a manifest in it. `has_manifest_traces`
tells a file that never carried a manifest from one whose manifest box is damaged. Left out:
formats that we neither make nor expect; they are unreadable here.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path

HEAD_BYTES = 512


@dataclass(frozen=True)
class MediaFormat:
    """`demuxer` is FFmpeg's name; `manifests` says whether the C2PA reader supports the format."""

    mime: str
    demuxer: str
    manifests: bool = True


_MP4 = MediaFormat("video/mp4", "mov")
_M4A = MediaFormat("audio/mp4", "mov")
_HEIF = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"mif1": "image/heif"}
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", MediaFormat("image/png", "png_pipe")),
    (b"\xff\xd8\xff", MediaFormat("image/jpeg", "jpeg_pipe")),
    (b"GIF87a", MediaFormat("image/gif", "gif")),
    (b"GIF89a", MediaFormat("image/gif", "gif")),
    (b"II*\0", MediaFormat("image/tiff", "tiff_pipe")),
    (b"MM\0*", MediaFormat("image/tiff", "tiff_pipe")),
    (b"ID3", MediaFormat("audio/mpeg", "mp3")),
    (b"fLaC", MediaFormat("audio/flac", "flac")),
    (b"OggS", MediaFormat("audio/ogg", "ogg", manifests=False)),
    (b"\x1aE\xdf\xa3", MediaFormat("video/webm", "matroska", manifests=False)),
)
_RIFF = {
    b"WAVE": MediaFormat("audio/wav", "wav"),
    b"WEBP": MediaFormat("image/webp", "webp_pipe"),
    b"AVI ": MediaFormat("video/avi", "avi"),
}
# ISO/IEC 19566-5 description box of a C2PA manifest store (C2PA 2.4 section 11.1.4.2), and the uuid
# box that carries one in ISO BMFF (section A.5). Either is enough: one flipped bit cannot hide both.
_TRACES = (
    b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71",
    b"\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81",
)


def sniff(path: Path) -> MediaFormat | None:
    """The format of a file, None when it is none of those we read. OSError as the system gives it."""
    with path.open("rb") as handle:
        return sniff_bytes(handle.read(HEAD_BYTES))


def sniff_bytes(head: bytes) -> MediaFormat | None:
    """The format by the first `HEAD_BYTES` of a file."""
    if head[4:8] in (b"ftyp", b"styp"):
        brand = head[8:12]
        if brand in _HEIF:
            return MediaFormat(_HEIF[brand], "mov")
        return _M4A if brand in (b"M4A ", b"M4B ") else _MP4
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # MPEG audio layer III frame sync
        return MediaFormat("audio/mpeg", "mp3")
    return None


def sidecar_of(path: Path) -> Path:
    """Where the manifest of a file that cannot hold one stands: beside it, with the suffix .c2pa."""
    return path.with_suffix(".c2pa")


def has_manifest_traces(path: Path) -> bool:
    """Whether the bytes of a C2PA manifest store are anywhere in the file, readable or not."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(trace) >= 0 for trace in _TRACES)
