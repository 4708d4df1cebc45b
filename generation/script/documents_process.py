"""The text of one uploaded document, in a process of its own. Standard library only.

Run as a script: `python -I -S documents_process.py KIND CHARSET MAX_CHARACTERS`, the file on standard
input, one JSON object on standard output: {"title", "blocks": [[kind, text], ...]} or {"refused": why}.
The file is hostile: limits on memory and CPU are set before a byte of it is read, XML with a document
type is refused (no entity is ever declared), an archive is opened for one named member of a stated
size, and no address that a file names is opened. SubRip per the matroska.org notes, DOCX per ECMA-376.
"""

import io
import json
import re
import resource
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from html.parser import HTMLParser

_MEMORY = 768 << 20
_CPU_S = 20
_XML_BYTES = 48 << 20
_MEMBERS = 4000
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_CUE = re.compile(r"(\d{1,3}):(\d\d):(\d\d)[,.](\d{1,3})\s*-->\s*(\d{1,3}):(\d\d):(\d\d)[,.](\d{1,3})")
_MARKUP = re.compile(r"<[^<>\n]{0,60}>|\{\\[^{}\n]{0,60}\}")
_PARAGRAPH_GAP_S = 2.0  # silence between two cues that reads as a new paragraph
Blocks = list[tuple[str, str]]


class Refused(Exception):
    """Says why, without a word of the file."""


def text_of(data: bytes, charset: str) -> str:
    """Decoded by BOM, by what was declared, as UTF-8, and last as the web's Latin-1."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    declared = re.search(rb"<meta[^>]{0,200}charset=[\"']?([A-Za-z0-9_-]{1,40})", data[:4096], re.IGNORECASE)
    for name in (charset, declared[1].decode() if declared else "", "utf-8-sig"):
        try:
            return data.decode(name or "utf-8-sig")
        except (LookupError, UnicodeError):
            continue
    return data.decode("cp1252", "replace")


def plain(text: str) -> tuple[str, Blocks]:
    parts = re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "", [("text", " ".join(part.split())) for part in parts if part.strip()]


def subtitles(text: str) -> tuple[str, Blocks]:
    """The spoken text; a pause of two seconds between cues begins a paragraph."""
    blocks: Blocks = []
    words: list[str] = []
    ended = 0.0
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    inside = False
    for number, line in enumerate(lines):
        cue = _CUE.search(line)
        if cue:
            hours, minutes, seconds, parts = (int(cue[i]) for i in (1, 2, 3, 4))
            start = hours * 3600 + minutes * 60 + seconds + parts / 1000
            if words and start - ended > _PARAGRAPH_GAP_S:
                blocks.append(("text", " ".join(words)))
                words = []
            ended = int(cue[5]) * 3600 + int(cue[6]) * 60 + int(cue[7]) + int(cue[8]) / 1000
            inside = True
        elif not line.strip():
            inside = False
        elif inside:
            follows = number + 1 < len(lines) and _CUE.search(lines[number + 1])
            if not (line.strip().isdecimal() and follows):
                words += _MARKUP.sub("", line).split()
    if words:
        blocks.append(("text", " ".join(words)))
    if not ended:
        raise Refused("there is no subtitle in it")
    return "", blocks


def word_document(data: bytes) -> tuple[str, Blocks]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        if len(archive.infolist()) > _MEMBERS:
            raise Refused("it holds too many parts")
        member = archive.getinfo("word/document.xml")
        if member.file_size > _XML_BYTES:
            raise Refused("its text is too large when unpacked")
        with archive.open(member) as part:
            xml = part.read(_XML_BYTES + 1)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise Refused("it is no Word document that can be read") from error
    if len(xml) > _XML_BYTES:
        raise Refused("its text is too large when unpacked")
    if b"\0" in xml[:4] or b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
        raise Refused("its XML declares a document type")
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314
    except ElementTree.ParseError as error:
        raise Refused("its XML is broken") from error
    title, blocks = "", []
    for paragraph in root.iter(f"{_W}p"):
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        name = (style.get(f"{_W}val") or "").lower() if style is not None else ""
        text = " ".join("".join(_runs(paragraph)).split())
        if text and name == "title" and not title:
            title = text
        elif text:
            blocks.append(("heading" if name.startswith(("heading", "title")) else "text", text))
    return title, blocks


def _runs(paragraph: ElementTree.Element) -> list[str]:
    """The paragraph's own text, insertions included, deletions and text boxes inside it left out."""
    found: list[str] = []
    stack = [child for child in reversed(list(paragraph))]
    while stack:
        node = stack.pop()
        if node.tag == f"{_W}t":
            found.append(node.text or "")
        elif node.tag in (f"{_W}tab", f"{_W}br", f"{_W}cr"):
            found.append(" ")
        elif node.tag not in (f"{_W}del", f"{_W}moveFrom", f"{_W}p", f"{_W}instrText"):
            stack += reversed(list(node))
    return found


class _Page(HTMLParser):
    """Paragraphs and headings of the article: inside <article> or <main> where the page has one."""

    BLOCKS = {
        "p", "li", "blockquote", "h1", "h2", "h3", "h4", "pre", "dd", "dt", "td", "figcaption", "summary",
    }  # fmt: skip
    HIDDEN = {
        "script", "style", "noscript", "template", "nav", "aside", "footer", "form", "figcaption", "svg",
        "button", "select", "textarea", "iframe", "dialog", "menu", "table",
    }  # fmt: skip
    VOID = {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.hidden = 0
        self.title, self.current, self.kind = "", "", ""
        self.found: list[tuple[str, str, bool]] = []  # kind, text, inside the article

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.VOID:
            self.current += " " if tag == "br" else ""
            return
        names = {name for name, _ in attrs}
        hidden = tag in self.HIDDEN or "hidden" in names or ("aria-hidden", "true") in attrs
        if tag in self.BLOCKS:
            self._end()
            self.kind = tag
        if len(self.open) > 400:
            raise Refused("the page is nested too deeply")
        self.open.append(f"-{tag}" if hidden else tag)
        self.hidden += hidden

    def handle_endtag(self, tag: str) -> None:
        if tag in self.BLOCKS or tag in ("article", "main", "section", "div", "ul", "ol", "body"):
            self._end()
        while self.open and (tag in self.open or f"-{tag}" in self.open):
            closed = self.open.pop()
            self.hidden -= closed.startswith("-")
            if closed.lstrip("-") == tag:
                break

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "title":
            self.title += data if "svg" not in self.open else ""
        elif not self.hidden and self.kind:
            self.current += data

    def _end(self) -> None:
        text = " ".join(self.current.split())
        if text:
            kind = "heading" if self.kind.startswith("h") else "text"
            self.found.append((kind, text, "article" in self.open or "main" in self.open))
        self.current = self.kind = ""


def web_page(text: str) -> tuple[str, Blocks]:
    page = _Page()
    page.feed(text)
    page.close()
    page._end()
    article = [(kind, words) for kind, words, inside in page.found if inside]
    blocks = article if any(kind == "text" for kind, _ in article) else [item[:2] for item in page.found]
    # A paragraph of a few words without an end is a menu entry or a button.
    kept = [(k, t) for k, t in blocks if k == "heading" or len(t.split()) > 4 or t[-1:] in ".!?。！？…”"]
    title = " ".join(page.title.split())
    if kept and kept[0][0] == "heading":
        title = kept.pop(0)[1]
    return title, kept


def read(kind: str, data: bytes, charset: str) -> tuple[str, Blocks]:
    if kind == "docx":
        return word_document(data)
    text = text_of(data, charset)
    if "\0" in text:
        raise Refused("it is no text")
    return {"text": plain, "srt": subtitles, "html": web_page}[kind](text)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind, charset, longest = sys.argv[1], sys.argv[2], int(sys.argv[3])
    answer: dict[str, object]
    try:
        title, blocks = read(kind, sys.stdin.buffer.read(), charset)
        if sum(len(text) for _, text in blocks) > longest:
            raise Refused(f"it has more than {longest} characters")
        answer = {"title": title[:1000], "blocks": blocks}
    except Refused as refusal:
        answer = {"refused": str(refusal)}
    except (MemoryError, RecursionError):
        answer = {"refused": "reading it takes too much memory"}
    sys.stdout.buffer.write(json.dumps(answer).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
