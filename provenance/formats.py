"""What a file is, by its first bytes and never by its name.

Promises: one answer per file: the MIME type the C2PA reader is told, the one FFmpeg demuxer that
may open it (a playlist or concat script that would make FFmpeg open other files or addresses is
therefore no media), and whether the C2PA reader can find a manifest in it. Documents and drawings
that the C2PA reader knows have no demuxer: their manifest is read, their content is not looked at.
`has_manifest_traces` tells a file that never carried a manifest from one whose manifest box is damaged.
Left out: everything else; it is unreadable here.
"""

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

HEAD_BYTES = 512


@dataclass(frozen=True)
class MediaFormat:
    """`demuxer` is FFmpeg's name, "" for what we do not decode; `manifests` says whether the C2PA reader
    supports the format."""

    mime: str
    demuxer: str
    manifests: bool = True


_MP4 = MediaFormat("video/mp4", "mov")
_M4A = MediaFormat("audio/mp4", "mov")
_FLAC = MediaFormat("audio/flac", "flac")
_HEIF = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx"), "image/heic"),
    **dict.fromkeys((b"mif1", b"msf1"), "image/heif"),
}
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", MediaFormat("image/png", "png_pipe")),
    (b"\xff\xd8\xff", MediaFormat("image/jpeg", "jpeg_pipe")),
    (b"GIF87a", MediaFormat("image/gif", "gif")),
    (b"GIF89a", MediaFormat("image/gif", "gif")),
    (b"II*\0", MediaFormat("image/tiff", "tiff_pipe")),
    (b"MM\0*", MediaFormat("image/tiff", "tiff_pipe")),
    (b"ID3", MediaFormat("audio/mpeg", "mp3")),
    (b"fLaC", _FLAC),
    (b"OggS", MediaFormat("audio/ogg", "ogg", manifests=False)),
    (b"\x1aE\xdf\xa3", MediaFormat("video/webm", "matroska", manifests=False)),
    (b"\0\0\0\x0cJXL \r\n\x87\n", MediaFormat("image/jxl", "")),
    (b"%PDF-", MediaFormat("application/pdf", "")),
    (b"PK\x03\x04", MediaFormat("application/x-zip", "")),  # EPUB, OOXML, OpenDocument and plain archives
)
_SVG = MediaFormat("image/svg+xml", "")
_SVG_HEAD = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml\b|<!--|<!DOCTYPE\s+svg\b|<svg\b)")
_STORE = MediaFormat("application/c2pa", "")  # a manifest store alone, as side-cars hold it
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
_SVG_TRACES = (b"<c2pa:manifest", b"http://c2pa.org/manifest")  # its store is written in base64


def sniff(path: Path) -> MediaFormat | None:
    """The format of a file, None when it is none of those we read. OSError as the system gives it."""
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
        if head.startswith(b"ID3") and len(head) > 10:  # of an MP3, or put before FLAC
            handle.seek(10 + sum((size & 0x7F) << 7 * place for place, size in enumerate(head[9:5:-1])))
            if handle.read(4) == b"fLaC":
                return _FLAC
    return sniff_bytes(head)


def sniff_bytes(head: bytes) -> MediaFormat | None:
    """The format by the first `HEAD_BYTES` of a file."""
    if head[4:8] in (b"ftyp", b"styp"):
        brand = head[8:12]
        if brand in _HEIF:
            return MediaFormat(_HEIF[brand], "mov")
        return _M4A if brand in (b"M4A ", b"M4B ") else _MP4
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"jumb" and head[12:20] == b"jumdc2pa":
        return _STORE
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if _SVG_HEAD.match(head) and b"<svg" in head:
        return _SVG
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
    traces = (*_TRACES, *_SVG_TRACES) if sniff(path) == _SVG else _TRACES
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(trace) >= 0 for trace in traces)
