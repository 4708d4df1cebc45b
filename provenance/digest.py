"""Content digests: one documented rule per format that gives the same value before and after signing.

Promise: `content_digest` hashes what is seen or heard and skips what a C2PA signer inserts, so
the leaf logged before signing can be compared with the signed file, with the standard library
alone, and a leaf of clip A cannot be passed off as one of clip B. The rules:
- MP4/MOV/M4A "mp4-mdat-sha256": SHA-256 over the payloads of all top-level `mdat` boxes in file
  order (ISO/IEC 14496-12 section 4.2; size 1 means a 64-bit size, size 0 to the end of the file).
- PNG "png-idat-sha256": SHA-256 over the data of all IDAT chunks in file order, up to IEND.
- JPEG "jpeg-scan-sha256": SHA-256 over all marker segments and entropy-coded data from SOI to
  EOI in file order, except APPn and COM segments (ITU-T T.81 annex B).
- WAV "wav-data-sha256": SHA-256 over the data of all `data` chunks in file order, without padding.
- WebM "webm-cluster-sha256": SHA-256 over the payloads of all Clusters of the Segment in file order
  (RFC 9559; known sizes only). Its manifest stands beside it and changes nothing in it.
Left out: headers and tables outside these parts (moov, IHDR, fmt). The C2PA hard binding covers
every byte of the signed file; this digest only ties a leaf to its media.
"""

import hashlib
import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
MAX_PARTS = 100_000  # boxes or chunks; hostile files repeat empty ones to keep a reader busy
_EBML, _SEGMENT, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
MAX_JPEG_BYTES = 256 << 20  # scanned in memory


class DigestError(ValueError):
    """The file is none of the known formats, is cut short, or holds no media data."""


@dataclass(frozen=True)
class Digest:
    """`hex` is SHA-256 by the rule named `rule`."""

    rule: str
    hex: str


def content_digest(source: Path | bytes | BinaryIO) -> Digest:
    """Digest of a media file by its format's rule. A stream must be seekable and is read from 0.

    DigestError for unknown or damaged input; OSError as the file system gives it.
    """
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return _digest(stream)
    return _digest(io.BytesIO(source) if isinstance(source, bytes) else source)


def _digest(stream: BinaryIO) -> Digest:
    end = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if head[4:8] in (b"ftyp", b"styp"):
        return _mp4(stream, end)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(stream, end)
    if head[:3] == b"\xff\xd8\xff":
        return _jpeg(stream, end)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav(stream, end)
    if head[:4] == _EBML:
        return _webm(stream, end)
    raise DigestError("not an MP4, PNG, JPEG, WAV or WebM file")


def _feed(stream: BinaryIO, start: int, length: int, end: int, sink: "hashlib._Hash") -> None:
    """Hash `length` bytes at `start`; DigestError if the file ends before."""
    if start + length > end:
        raise DigestError("the file is cut short")
    stream.seek(start)
    while length:
        block = stream.read(min(CHUNK, length))
        if not block:
            raise DigestError("the file is cut short")
        sink.update(block)
        length -= len(block)


def _header(stream: BinaryIO, at: int, size: int) -> bytes:
    stream.seek(at)
    data = stream.read(size)
    if len(data) != size:
        raise DigestError("the file is cut short")
    return data


def _mp4(stream: BinaryIO, end: int) -> Digest:
    sink, found, at = hashlib.sha256(), False, 0
    for _ in range(MAX_PARTS):
        if at == end:
            break
        size, name = struct.unpack(">I4s", _header(stream, at, 8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", _header(stream, at + 8, 8))
            header = 16
        elif size == 0:
            size = end - at
        if size < header or at + size > end:
            raise DigestError("a box does not fit the file")
        if name == b"mdat":
            found = True
            _feed(stream, at + header, size - header, end, sink)
        at += size
    else:
        raise DigestError("too many boxes")
    if not found:
        raise DigestError("the file holds no mdat box")
    return Digest("mp4-mdat-sha256", sink.hexdigest())


def _png(stream: BinaryIO, end: int) -> Digest:
    sink, found, at = hashlib.sha256(), False, 8
    for _ in range(MAX_PARTS):
        length, name = struct.unpack(">I4s", _header(stream, at, 8))
        if at + 12 + length > end:
            raise DigestError("the file is cut short")
        if name == b"IEND":
            break
        if name == b"IDAT":
            found = True
            _feed(stream, at + 8, length, end, sink)
        at += 12 + length  # length, name, data, CRC
    else:
        raise DigestError("too many chunks")
    if not found:
        raise DigestError("the file holds no IDAT chunk")
    return Digest("png-idat-sha256", sink.hexdigest())


def _wav(stream: BinaryIO, end: int) -> Digest:
    (riff,) = struct.unpack("<I", _header(stream, 4, 4))
    end = min(end, 8 + riff)  # bytes after the RIFF chunk are not part of the sound
    sink, found, at = hashlib.sha256(), False, 12
    for _ in range(MAX_PARTS):
        if at + 8 > end:
            break
        name, length = struct.unpack("<4sI", _header(stream, at, 8))
        if name == b"data":
            found = True
            _feed(stream, at + 8, length, end, sink)
        at += 8 + length + (length & 1)  # chunks are padded to an even length
    else:
        raise DigestError("too many chunks")
    if not found:
        raise DigestError("the file holds no data chunk")
    return Digest("wav-data-sha256", sink.hexdigest())


def _webm(stream: BinaryIO, end: int) -> Digest:
    sink, found, at, inside = hashlib.sha256(), False, 0, end
    for _ in range(MAX_PARTS):
        if at >= inside:
            break
        name, start, size = _element(stream, at, end)
        if name == _SEGMENT:
            at, inside = start, start + size
            continue
        if name == _CLUSTER:
            found = True
            _feed(stream, start, size, end, sink)
        at = start + size
    else:
        raise DigestError("too many elements")
    if not found:
        raise DigestError("the file holds no Cluster")
    return Digest("webm-cluster-sha256", sink.hexdigest())


def _element(stream: BinaryIO, at: int, end: int) -> tuple[bytes, int, int]:
    """(id, where its payload begins, length) of the EBML element at `at` (RFC 8794 sections 4 and 5)."""
    stream.seek(at)
    data = stream.read(12)
    wide = 9 - data[0].bit_length() if data and data[0] else 9
    if wide > 4 or len(data) <= wide or not data[wide]:
        raise DigestError("an element has no id or no size")
    long = 9 - data[wide].bit_length()
    digits = data[wide : wide + long]
    size = int.from_bytes(digits, "big") & ((1 << 7 * long) - 1)
    start = at + wide + long
    if len(digits) < long or size == (1 << 7 * long) - 1 or start + size > end:
        raise DigestError("an element has no known size, or does not fit the file")
    return data[:wide], start, size


def _jpeg(stream: BinaryIO, end: int) -> Digest:
    if end > MAX_JPEG_BYTES:
        raise DigestError("the JPEG is larger than 256 MiB")
    stream.seek(0)
    data = stream.read()
    sink, scans, at = hashlib.sha256(data[:2]), 0, 2
    for _ in range(MAX_PARTS):
        if data[at : at + 1] != b"\xff":
            raise DigestError("a JPEG marker is missing")
        while data[at + 1 : at + 2] == b"\xff":  # fill bytes may precede a marker (T.81 B.1.1.2)
            at += 1
        marker = data[at + 1] if at + 1 < len(data) else -1
        if marker == 0xD9:  # EOI
            break
        if marker in (-1, 0x00, 0x01, 0xD8) or 0xD0 <= marker <= 0xD7 or at + 4 > len(data):
            raise DigestError("the JPEG is damaged")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        stop = at + 2 + length
        if length < 2 or stop > len(data):
            raise DigestError("the file is cut short")
        if marker == 0xDA:  # SOS: entropy-coded data follows up to the next real marker
            scans += 1
            stop = _end_of_scan(data, stop)
        if not 0xE0 <= marker <= 0xEF and marker != 0xFE:
            sink.update(data[at:stop])
        at = stop
    else:
        raise DigestError("too many segments")
    if not scans:
        raise DigestError("the JPEG holds no scan")
    sink.update(b"\xff\xd9")
    return Digest("jpeg-scan-sha256", sink.hexdigest())


def _end_of_scan(data: bytes, at: int) -> int:
    """Position of the marker that ends the entropy-coded data starting at `at`."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise DigestError("the file is cut short")
        following = data[at + 1]
        # 0x00 is a stuffed byte, 0xD0-0xD7 restart markers, 0xFF fill: all inside the scan
        if following != 0x00 and following != 0xFF and not 0xD0 <= following <= 0xD7:
            return at
        at += 1 if following == 0xFF else 2
