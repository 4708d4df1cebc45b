"""Where XMP and named texts stand in a file: write them before signing, read them from anybody's file.

Promises: pictures and sound are copied byte for byte, so the content digest that was logged stays
true; a file that holds a C2PA manifest is never written to (SignedFile): one changed byte would turn
valid credentials into "tampered". Reading is bounded in parts and sizes and never raises for what a
file contains. Places: MP4/M4A uuid box and `moov/meta` keys (mdta), PNG iTXt, JPEG APP1 (texts only
within XMP), MP3 ID3v2 PRIV and TXXX, WAV `_PMX` and LIST/INFO. Left out: fragmented MP4, WebM, Ogg.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from byline.audit.base.errors import InvalidInput
from byline.provenance import formats, mp4_boxes
from byline.provenance.mp4_boxes import MAX_PARTS, MAX_TEXT, Broken

_XMP_PNG = b"XML:com.adobe.xmp"
_XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"


class SignedFile(InvalidInput):
    """The file carries a C2PA manifest, which any change of its bytes would break."""

    code = "signed_file"
    status = 409
    help = "Keep the signed file as it is. Make a rendition of it, which names it as its parent."


class NoMetadata(InvalidInput):
    """The file cannot take metadata: its format holds none that we write, or it is damaged."""

    code = "no_metadata"
    help = "Use MP4, M4A, WAV, MP3, PNG or JPEG; a WebM or Ogg file has its side-car manifest alone."


@dataclass(frozen=True)
class Embedded:
    """`xmp` is b"" without a packet; `tags` are (key, text) in file order."""

    xmp: bytes = b""
    tags: tuple[tuple[str, str], ...] = ()


def write(source: Path, destination: Path, *, xmp: bytes, tags: Mapping[str, str]) -> None:
    """Copy `source` with an XMP packet and named texts. SignedFile, NoMetadata; then nothing is written."""
    if formats.has_manifest_traces(source):
        raise SignedFile("the file is signed: its metadata cannot be changed any more")
    found = formats.sniff(source)
    writer = _WRITERS.get(found.mime) if found else None
    if writer is None:
        raise NoMetadata("metadata cannot be written into this format")
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        with source.open("rb") as origin, temporary.open("xb") as target:
            writer(origin, target, xmp, tags)
        temporary.replace(destination)
    except (Broken, struct.error) as error:
        raise NoMetadata(f"the file is damaged or unusual: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> Embedded:
    """XMP and named texts of a file; empty for a format that we do not read or a damaged file."""
    found = formats.sniff(path)
    reader = _READERS.get(found.mime) if found else None
    if reader is None:
        return Embedded()
    xmp, tags = b"", []
    try:
        with path.open("rb") as stream:
            for key, value in reader(stream):
                if key == "":
                    xmp = value
                else:
                    tags.append((key, value.decode("utf-8", "replace")))
    except (Broken, struct.error, zlib.error, UnicodeDecodeError):
        pass  # what was read up to the damage stands
    return Embedded(xmp, tuple(tags))


_Parts = Iterator[tuple[str, bytes]]  # ("", XMP packet) or (key, text)


# ------------------------------------------------------------------ MP4


def _write_mp4(origin: BinaryIO, target: BinaryIO, xmp: bytes, tags: Mapping[str, str]) -> None:
    mp4_boxes.copy_with(origin, target, xmp, tags)


# ------------------------------------------------------------------ PNG


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(name, start of data, length)."""
    at = 8
    for _ in range(MAX_PARTS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head)
        yield name, at + 8, length
        at += 12 + length
        if name == b"IEND":
            return


def _png_text(key: bytes, text: bytes) -> bytes:
    body = b"iTXt" + key + b"\0\0\0\0\0" + text
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _write_png(origin: BinaryIO, target: BinaryIO, xmp: bytes, tags: Mapping[str, str]) -> None:
    first = next((start - 8 for name, start, _ in _chunks(origin) if name == b"IDAT"), None)
    if first is None:
        raise Broken("no image data")
    origin.seek(0)
    target.write(origin.read(first))
    target.write(_png_text(_XMP_PNG, xmp))
    for key, value in tags.items():
        target.write(_png_text(key.encode("latin-1"), value.encode()))
    mp4_boxes.copy(origin, target)


def _read_png(stream: BinaryIO) -> _Parts:
    for name, start, length in _chunks(stream):
        if name not in (b"tEXt", b"iTXt") or length > MAX_TEXT:
            continue
        stream.seek(start)
        key, _, rest = stream.read(length).partition(b"\0")
        if name == b"iTXt":
            if len(rest) < 2:
                continue
            packed, body = rest[0], rest[2:].split(b"\0", 2)[-1]
            rest = zlib.decompressobj().decompress(body, MAX_TEXT) if packed else body
        elif name == b"tEXt":
            rest = rest.decode("latin-1").encode()
        yield ("" if key == _XMP_PNG else key.decode("latin-1")), rest


# ------------------------------------------------------------------ JPEG


def _segments(stream: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(marker, start of the segment, its length with marker) up to the first scan."""
    at = 2
    for _ in range(MAX_PARTS):
        stream.seek(at)
        head = stream.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        length = 2 + int.from_bytes(head[2:], "big")
        yield head[1], at, length
        if head[1] == 0xDA:
            return
        at += length


def _write_jpeg(origin: BinaryIO, target: BinaryIO, xmp: bytes, tags: Mapping[str, str]) -> None:
    """APP1 stands after APP0, where readers look for it. `tags` are in the packet: JPEG has no keys."""
    parts = list(_segments(origin))
    if not parts:
        raise Broken("no segments")
    cut = parts[0][1] + parts[0][2] if parts[0][0] == 0xE0 else 2
    body = _XMP_JPEG + xmp
    if len(body) > 65_533:
        raise Broken("the XMP packet is larger than a segment")
    origin.seek(0)
    target.write(origin.read(cut))
    target.write(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
    mp4_boxes.copy(origin, target)


def _read_jpeg(stream: BinaryIO) -> _Parts:
    for marker, start, length in _segments(stream):
        if marker != 0xE1:
            continue
        stream.seek(start + 4)
        body = stream.read(length - 4)
        if body.startswith(_XMP_JPEG):
            yield "", body[len(_XMP_JPEG) :]


# ------------------------------------------------------------------ MP3 (ID3v2.3 and 2.4)


def _syncsafe(value: int) -> bytes:
    if value >= 1 << 28:
        raise Broken("the tag is too large")
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


def _from_syncsafe(data: bytes) -> int:
    if len(data) != 4:
        raise Broken("the tag is cut short")
    return sum((byte & 0x7F) << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


def _write_mp3(origin: BinaryIO, target: BinaryIO, xmp: bytes, tags: Mapping[str, str]) -> None:
    origin.seek(0)
    head = origin.read(10)
    version, frames = 4, b""
    if head[:3] == b"ID3":
        version = head[3]
        if version not in (3, 4) or head[5]:
            raise Broken("an ID3 tag of a kind that we do not extend")
        frames = origin.read(_from_syncsafe(head[6:10]))
        frames = frames[: _end_of_frames(frames, version)]
    else:
        origin.seek(0)
    size = _syncsafe if version == 4 else (lambda value: struct.pack(">I", value))

    def frame(name: bytes, body: bytes) -> bytes:
        return name + size(len(body)) + b"\0\0" + body

    for key, value in tags.items():
        if version == 4:
            frames += frame(b"TXXX", b"\3" + key.encode() + b"\0" + value.encode())
        else:
            frames += frame(b"TXXX", b"\1" + key.encode("utf-16") + b"\0\0" + value.encode("utf-16"))
    frames += frame(b"PRIV", b"XMP\0" + xmp)
    target.write(b"ID3" + bytes([version, 0, 0]) + _syncsafe(len(frames)) + frames)
    mp4_boxes.copy(origin, target)


def _end_of_frames(frames: bytes, version: int) -> int:
    """Where the padding begins."""
    at = 0
    while at + 10 <= len(frames) and frames[at : at + 4].isalnum():
        size = frames[at + 4 : at + 8]
        at += 10 + (_from_syncsafe(size) if version == 4 else struct.unpack(">I", size)[0])
    if at > len(frames):
        raise Broken("an ID3 frame does not fit its tag")
    return at


def _read_mp3(stream: BinaryIO) -> _Parts:
    head = stream.read(10)
    if head[:3] != b"ID3" or head[3] not in (3, 4):
        return
    end, at = 10 + _from_syncsafe(head[6:10]), 10
    for _ in range(MAX_PARTS):
        stream.seek(at)
        name = stream.read(10)
        if at + 10 > end or not name[:4].isalnum():
            return
        length = _from_syncsafe(name[4:8]) if head[3] == 4 else struct.unpack(">I", name[4:8])[0]
        if name[:4] in (b"TXXX", b"PRIV") and length <= MAX_TEXT:
            body = stream.read(length)
            if name[:4] == b"PRIV" and body.startswith(b"XMP\0"):
                yield "", body[4:]
            elif name[:4] == b"TXXX" and body:
                codec, zero = {1: ("utf-16", b"\0\0"), 2: ("utf-16-be", b"\0\0"), 3: ("utf-8", b"\0")}.get(
                    body[0], ("latin-1", b"\0")
                )
                key, _, text = _split(body[1:], zero)
                yield key.decode(codec, "replace"), text.decode(codec, "replace").rstrip("\0").encode()
        at += 10 + length


def _split(body: bytes, zero: bytes) -> tuple[bytes, bytes, bytes]:
    """Cut at the terminator, which in UTF-16 stands at an even place."""
    for at in range(0, len(body) - len(zero) + 1, len(zero)):
        if body[at : at + len(zero)] == zero:
            return body[:at], zero, body[at + len(zero) :]
    return body, b"", b""


# ------------------------------------------------------------------ WAV


def _riff(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(name, start of data, length)."""
    at = 12
    for _ in range(MAX_PARTS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return
        name, length = struct.unpack("<4sI", head)
        yield name, at + 8, length
        at += 8 + length + (length & 1)


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def _write_wav(origin: BinaryIO, target: BinaryIO, xmp: bytes, tags: Mapping[str, str]) -> None:
    if any(len(key) != 4 for key in tags):
        raise Broken("a RIFF name has four letters")
    info = b"".join(_riff_chunk(key.encode("ascii"), value.encode() + b"\0") for key, value in tags.items())
    more = _riff_chunk(b"_PMX", xmp) + (_riff_chunk(b"LIST", b"INFO" + info) if info else b"")
    origin.seek(4)
    (size,) = struct.unpack("<I", origin.read(4))
    origin.seek(0, os.SEEK_END)
    if size + 8 != origin.tell() or size % 2 or size + len(more) >= 1 << 32:
        raise Broken("the RIFF size does not fit the file")
    origin.seek(0)
    target.write(b"RIFF" + struct.pack("<I", size + len(more)))
    origin.seek(8)
    mp4_boxes.copy(origin, target)
    target.write(more)


def _read_wav(stream: BinaryIO) -> _Parts:
    for name, start, length in _riff(stream):
        if name not in (b"_PMX", b"LIST") or length > MAX_TEXT:
            continue
        stream.seek(start)
        body = stream.read(length)
        if name == b"_PMX":
            yield "", body
        elif body[:4] == b"INFO":
            at = 4
            while at + 8 <= len(body):
                key, size = struct.unpack("<4sI", body[at : at + 8])
                yield key.decode("latin-1"), body[at + 8 : at + 8 + size].rstrip(b"\0")
                at += 8 + size + (size & 1)


_WRITERS: dict[str, Callable[[BinaryIO, BinaryIO, bytes, Mapping[str, str]], None]] = {
    "video/mp4": _write_mp4,
    "audio/mp4": _write_mp4,
    "image/png": _write_png,
    "image/jpeg": _write_jpeg,
    "audio/mpeg": _write_mp3,
    "audio/wav": _write_wav,
}
_READERS: dict[str, Callable[[BinaryIO], _Parts]] = {
    "video/mp4": mp4_boxes.parts,
    "audio/mp4": mp4_boxes.parts,
    "image/png": _read_png,
    "image/jpeg": _read_jpeg,
    "audio/mpeg": _read_mp3,
    "audio/wav": _read_wav,
}
