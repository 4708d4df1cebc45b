"""ISO base media files as boxes: append an XMP box, add metadata keys to `moov`, move the sample tables.

Promises (ISO/IEC 14496-12, ISO 16684-3, QuickTime metadata keys as FFmpeg reads them): the payload of
`mdat` is copied as it is; when `moov` grows before it, every chunk offset moves with it. Keys that are
there stay, if they are texts. Left out: fragmented files with keys (their offsets are elsewhere).
"""

import io
import os
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

MAX_PARTS = 20_000
MAX_TEXT = 1 << 20
_MAX_MOOV = 64 << 20
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_TABLES = {b"stco": ">I", b"co64": ">Q"}
_HANDLER = bytes(8) + b"mdta" + bytes(13)


class Broken(ValueError):
    """The bytes are not laid out as their format says, or in a way that we do not change."""


def boxes(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """(name, start of the box, start of its content, its end). Broken for a box that does not fit."""
    at = start
    for _ in range(MAX_PARTS):
        if at + 8 > end:
            return
        stream.seek(at)
        size, name = struct.unpack(">I4s", stream.read(8))
        inside = at + 8
        if size == 1:
            (size,) = struct.unpack(">Q", stream.read(8))
            inside += 8
        elif size == 0:
            size = end - at
        if size < inside - at or at + size > end:
            raise Broken("a box does not fit the file")
        yield name, at, inside, at + size
        at += size


def box(name: bytes, body: bytes) -> bytes:
    """A box with a 32-bit size."""
    return struct.pack(">I4s", len(body) + 8, name) + body


def copy(origin: BinaryIO, target: BinaryIO, length: int = -1) -> None:
    """Copy `length` bytes from here, or the rest."""
    while length and (block := origin.read(1 << 20 if length < 0 else min(length, 1 << 20))):
        target.write(block)
        length -= len(block) if length > 0 else 0


def _size(stream: BinaryIO) -> int:
    return stream.seek(0, os.SEEK_END)


def parts(stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """("", XMP packet) and (key, text) of the metadata keys in `moov`, its `udta` or at the top."""
    for name, _, inside, end in boxes(stream, 0, _size(stream)):
        if name == b"uuid" and end - inside - 16 <= MAX_TEXT:
            stream.seek(inside)
            body = stream.read(end - inside)
            if body[:16] == _XMP:
                yield "", body[16:]
        elif name == b"meta":
            yield from _keys(stream, inside, end)
        elif name == b"moov":
            for child, _, within, stop in boxes(stream, inside, end):
                if child == b"meta":
                    yield from _keys(stream, within, stop)
                elif child == b"udta":
                    for grandchild, _, deep, last in boxes(stream, within, stop):
                        if grandchild == b"meta":
                            yield from _keys(stream, deep, last)


def _keys(stream: BinaryIO, inside: int, end: int) -> Iterator[tuple[str, bytes]]:
    stream.seek(inside)
    if stream.read(4) == bytes(4):  # a full box in MP4, a plain one in QuickTime
        inside += 4
    found = {name: (within, stop) for name, _, within, stop in boxes(stream, inside, end)}
    if b"keys" not in found or b"ilst" not in found:
        return
    names: list[str] = []
    at = found[b"keys"][0] + 8
    while at + 8 <= found[b"keys"][1] and len(names) < MAX_PARTS:
        stream.seek(at)
        (size,) = struct.unpack(">I", stream.read(4))
        if size < 8 or at + size > found[b"keys"][1] or size > MAX_TEXT:
            raise Broken("a metadata key does not fit")
        names.append(stream.read(size - 4)[4:].decode("utf-8", "replace"))
        at += size
    for index, _, within, stop in boxes(stream, *found[b"ilst"]):
        number = int.from_bytes(index, "big")
        if not 1 <= number <= len(names) or stop - within > MAX_TEXT:
            continue
        stream.seek(within)
        value = stream.read(stop - within)
        if value[4:8] == b"data" and value[8:12] == b"\0\0\0\1":  # UTF-8
            yield names[number - 1], value[16:]


def _meta(tags: Mapping[str, str]) -> bytes:
    keys = b"".join(struct.pack(">I", len(name.encode()) + 8) + b"mdta" + name.encode() for name in tags)
    values = b"".join(
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0) + text.encode()))
        for number, text in enumerate(tags.values(), start=1)
    )
    inside = (
        box(b"hdlr", _HANDLER) + box(b"keys", struct.pack(">II", 0, len(tags)) + keys) + box(b"ilst", values)
    )
    return box(b"meta", bytes(4) + inside)


def copy_with(origin: BinaryIO, target: BinaryIO, xmp: bytes, tags: Mapping[str, str]) -> None:
    """Copy a file with an XMP box at its end and `tags` among the keys of its `moov`. Broken."""
    end = _size(origin)
    top = list(boxes(origin, 0, end))
    if tags and any(name == b"moof" for name, *_ in top):
        raise Broken("fragmented files hold no keys that we write")
    if sum(name == b"moov" for name, *_ in top) != 1:
        raise Broken("there is not exactly one moov box")
    moov = next((start, inside, stop) for name, start, inside, stop in top if name == b"moov")
    old = moov[2] - moov[0]
    if old > _MAX_MOOV:
        raise Broken("the moov box is too large")
    new = _moov(origin, moov, tags) if tags else None
    for name, start, _, stop in top:
        if name == b"uuid" and start > moov[0] and _is_xmp(origin, start, stop):
            raise Broken("the file holds XMP already")
        origin.seek(start)
        if name == b"moov" and new is not None:
            target.write(new)
        elif stop == end and origin.read(4) == bytes(4):  # "to the end of the file" ends here now
            if stop - start >= 1 << 32:
                raise Broken("a box to the end of the file is too large to be closed")
            target.write(struct.pack(">I", stop - start))
            copy(origin, target, stop - start - 4)
        else:
            origin.seek(start)
            copy(origin, target, stop - start)
    target.write(box(b"uuid", _XMP + xmp))


def _is_xmp(origin: BinaryIO, start: int, stop: int) -> bool:
    origin.seek(start + 8)
    return stop - start > 24 and origin.read(16) == _XMP


def _moov(origin: BinaryIO, place: tuple[int, int, int], tags: Mapping[str, str]) -> bytes:
    """The new box: our keys beside those that were there, chunk offsets moved if media follows it."""
    start, inside, stop = place
    merged: dict[str, str] = {}
    kept = _without_keys(origin, inside, stop, merged)
    body = bytearray(kept + _meta({**merged, **tags}))
    grown = len(body) + 8 - (stop - start)
    for at, form in _offset_tables(bytes(body)):
        count = struct.unpack(">I", body[at + 4 : at + 8])[0]
        width = struct.calcsize(form)
        if at + 8 + count * width > len(body):
            raise Broken("a chunk table does not fit")
        for entry in range(at + 8, at + 8 + count * width, width):
            (offset,) = struct.unpack_from(form, body, entry)
            if offset >= stop:
                if form == ">I" and offset + grown >= 1 << 32:
                    raise Broken("a chunk offset outgrows its table")
                struct.pack_into(form, body, entry, offset + grown)
    return box(b"moov", bytes(body))


def _without_keys(origin: BinaryIO, inside: int, stop: int, found: dict[str, str]) -> bytes:
    """The boxes in this range but for tables of keys, whose texts go to `found`: readers expect one table."""
    kept = b""
    for name, at, within, last in list(boxes(origin, inside, stop)):
        if name == b"meta" and (keys := dict(_keys(origin, within, last))):
            found |= {key: value.decode("utf-8", "replace") for key, value in keys.items()}
        elif name == b"udta":
            kept += box(b"udta", _without_keys(origin, within, last, found))
        else:
            origin.seek(at)
            kept += origin.read(last - at)
    return kept


def _offset_tables(body: bytes) -> Iterator[tuple[int, str]]:
    """(start of the full box's content, form of an entry) of every stco and co64."""
    waiting = [(0, len(body))]
    stream = io.BytesIO(body)
    while waiting:
        for name, _, inside, end in list(boxes(stream, *waiting.pop())):
            if name in (b"trak", b"mdia", b"minf", b"stbl"):
                waiting.append((inside, end))
            elif name in _TABLES:
                yield inside, _TABLES[name]
