"""Scripts that people upload: plain text, subtitles and Word files, as the text that they say.

Promises: bounded time and memory whatever the file holds (size, entries and unpacked bytes of the
archive, depth and number of elements), no external entity, no macro, no link followed; the text is
everything that a reader could see, hidden runs, headers, notes and text boxes included, and a word
that the file cuts into pieces is whole. Leaves out pictures in a document and deleted revisions.
Formats: ECMA-376 part 1, 17.3 (docx); SubRip as written by common editors (srt).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePath
from xml.parsers import expat

from byline.audit.base.errors import InvalidInput

MAX_BYTES = 2 << 20
KINDS = (".txt", ".srt", ".docx")
_MAX_ENTRIES, _MAX_XML, _MAX_DEPTH = 1000, 8 << 20, 256
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
# The parts that a reader sees; comments are seen by whoever opens the file.
_PARTS = re.compile(r"word/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml")
_TIMES = re.compile(r"\s*\d{1,2}:\d{2}:\d{2}[,.]\d{1,3}\s*-->\s*\d{1,2}:\d{2}:\d{2}[,.]\d{1,3}.*")
_MARKUP = re.compile(r"</?(?:i|b|u|s|font|c)\b[^<>]*>|\{\\[^{}]*\}", re.IGNORECASE)


class UnreadableDocument(InvalidInput):
    code = "unreadable_document"
    help = "Send .txt (UTF-8), .srt or .docx of at most 2 MB, or paste the text."


class DocumentTooLarge(UnreadableDocument):
    code = "document_too_large"
    status = 413


@dataclass(frozen=True)
class Document:
    """`kind` is "txt", "srt" or "docx", by what the bytes are and not by the name alone."""

    kind: str
    text: str


def extract_file(path: Path) -> Document:
    """The text of a file on this machine. UnreadableDocument, DocumentTooLarge."""
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableDocument(f"{path.name} cannot be read") from error
    return extract(data, path.name)


def extract(data: bytes, name: str) -> Document:
    """The text of an upload; of `name` only the ending counts. UnreadableDocument, DocumentTooLarge."""
    if len(data) > MAX_BYTES:
        raise DocumentTooLarge(f"the document is larger than {MAX_BYTES >> 20} MB")
    ending = PurePath(name.lower()).suffix
    if ending not in KINDS:
        raise UnreadableDocument(f"a script is one of {', '.join(KINDS)}")
    if ending == ".docx":
        return Document("docx", _docx(data))
    text = _decode(data)
    return Document("srt", _srt(text)) if ending == ".srt" else Document("txt", text)


def _decode(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableDocument("the document is not UTF-8 text") from error
    if "\x00" in text:
        raise UnreadableDocument("the document is not text")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _srt(text: str) -> str:
    """The words of the cues in their order; numbers, times and styling are no words."""
    if not any(_TIMES.fullmatch(line) for line in text.split("\n")):
        raise UnreadableDocument("the document has no subtitle times")
    said: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.split("\n") if not _TIMES.fullmatch(line)]
        if len(lines) < len(block.split("\n")) and lines and lines[0].strip().isdecimal():
            lines = lines[1:]  # the cue's number
        said += [_MARKUP.sub("", line).strip() for line in lines]
    return " ".join(line for line in said if line)


def _docx(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_ENTRIES:
                raise DocumentTooLarge("the document has too many parts")
            parts = sorted((e for e in entries if _PARTS.fullmatch(e.filename)), key=_order)
            if not parts or parts[0].filename != "word/document.xml":
                raise UnreadableDocument("this is no Word document")
            left = _MAX_XML
            texts = []
            for entry in parts:
                xml = _unpacked(archive, entry, left)
                left -= len(xml)
                texts.append(_Words().read(xml))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise UnreadableDocument("this is no Word document that can be opened") from error
    return "\n".join(text for text in texts if text)


def _order(entry: zipfile.ZipInfo) -> tuple[bool, str]:
    return entry.filename != "word/document.xml", entry.filename


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    """At most `most` bytes: what the archive claims about its size is not believed (zip bombs)."""
    with archive.open(entry) as handle:
        data = handle.read(most + 1)
    if len(data) > most:
        raise DocumentTooLarge("the document is too large when unpacked")
    return data


class _Words:
    """Collects the text of one part. Documents have no DTD; one that does wants to expand something."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.depth = 0
        self.inside = False

    def read(self, xml: bytes) -> str:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(xml, True)
        except expat.ExpatError as error:
            raise UnreadableDocument("the Word document is damaged") from error
        lines = "".join(self.out).split("\n")
        return "\n".join(" ".join(line.split()) for line in lines if line.strip())

    def _doctype(self, *_: object) -> None:
        raise UnreadableDocument("the Word document holds a DTD")

    def _start(self, name: str, _: object) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise UnreadableDocument("the Word document is nested too deeply")
        space, _sep, tag = name.rpartition(" ")
        if space in {_W, _STRICT}:
            self.inside = tag == "t"
            if tag in {"tab", "br", "cr"}:
                self.out.append(" ")

    def _end(self, name: str) -> None:
        self.depth -= 1
        self.inside = False
        if name in {f"{_W} p", f"{_STRICT} p"}:
            self.out.append("\n")

    def _characters(self, data: str) -> None:
        if self.inside:
            self.out.append(data)
