"""The text behind a script: a brief, an article, a .docx, .srt or HTML file, as title and blocks.

Whatever was uploaded is read in a bounded child process (documents_process.py) that sees no setting, no
key and no network address. Nothing is cut: a file beyond a bound is refused with the bound. Who may hand in a
file, and fetching a page from its address, is the caller's affair (platform/fetching.py is the only way).
"""

import hashlib
import json
import subprocess  # a fixed argument list, our own interpreter, no shell
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput

MAX_BYTES = 20 << 20
MAX_CHARACTERS = 400_000  # about a hundred pages of print
KINDS = {".txt": "text", ".md": "text", ".docx": "docx", ".srt": "srt", ".html": "html", ".htm": "html"}
_TIMEOUT_S = 30.0


class DocumentRefused(InvalidInput):
    code = "document_refused"
    status = 422
    help = "Give a .txt, .docx, .srt or .html file, or paste the text."


@dataclass(frozen=True)
class Block:
    """One paragraph. `kind` is "text" or "heading"."""

    kind: str
    text: str


@dataclass(frozen=True)
class Document:
    """`kind` as in a storyboard's source; `sha256` is that of the bytes that were read."""

    kind: str
    title: str
    blocks: tuple[Block, ...]
    sha256: str
    address: str = ""

    @property
    def text(self) -> str:
        """The paragraphs without the headings."""
        return "\n".join(block.text for block in self.blocks if block.kind == "text")


def brief(text: str) -> Document:
    """One or a few sentences that say what the film is about."""
    return from_text(text, kind="brief")


def from_text(text: str, *, kind: str = "text", title: str = "", address: str = "") -> Document:
    """Pasted text; empty lines part paragraphs, "# " begins a heading. DocumentRefused: empty or too long."""
    if len(text) > MAX_CHARACTERS:
        raise DocumentRefused(f"the text has more than {MAX_CHARACTERS} characters")
    if any("\ud800" <= c <= "\udfff" or c == "\0" for c in text):
        raise DocumentRefused("the text has characters that are no text")
    parts = [" ".join(part.split()) for part in text.replace("\r\n", "\n").split("\n\n")]
    blocks = [
        Block("heading", part.lstrip("# ")) if part.startswith("#") else Block("text", part)
        for part in parts
        if part.strip("# ")
    ]
    return _document(kind, title, blocks, hashlib.sha256(text.encode()).hexdigest(), address)


def from_blocks(title: str, blocks: Sequence[tuple[str, str]], *, kind: str, address: str = "") -> Document:
    """What another part of the house has read already, such as a page of the CMS."""
    made = [Block(name, " ".join(text.split())) for name, text in blocks if text.strip()]
    digest = hashlib.sha256("\n".join(block.text for block in made).encode()).hexdigest()
    return _document(kind, title, made, digest, address)


def read(path: Path, *, kind: str = "", charset: str = "", address: str = "") -> Document:
    """The document in a file. `kind` is taken from the name's ending when it is not given.

    DocumentRefused: not a kind that is read, beyond a bound, damaged, or without text.
    """
    kind = kind or KINDS.get(path.suffix.lower(), "")
    if not kind:
        raise DocumentRefused("files of this kind are not read")
    if path.stat().st_size > MAX_BYTES:
        raise DocumentRefused(f"the file is larger than {MAX_BYTES >> 20} MiB")
    data = path.read_bytes()
    script = Path(__file__).with_name("documents_process.py")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(script), kind, charset, str(MAX_CHARACTERS)],
            input=data,
            capture_output=True,
            env={"LC_ALL": "C.UTF-8"},
            timeout=_TIMEOUT_S,
            check=False,
        )
        answer: Any = json.loads(done.stdout) if done.returncode == 0 else {"refused": "it cannot be read"}
    except subprocess.TimeoutExpired:
        answer = {"refused": "reading it takes too long"}
    except ValueError:
        answer = {"refused": "it cannot be read"}
    if "refused" in answer:
        raise DocumentRefused(f"the document is not taken: {answer['refused']}")
    blocks = [Block(str(name), str(text)) for name, text in answer["blocks"]]
    return _document(kind, str(answer["title"]), blocks, hashlib.sha256(data).hexdigest(), address)


def _document(kind: str, title: str, blocks: Sequence[Block], sha256: str, address: str) -> Document:
    if not any(c.isalnum() for block in blocks if block.kind == "text" for c in block.text):
        raise DocumentRefused("there is no text in it")
    if sum(len(block.text) for block in blocks) > MAX_CHARACTERS:
        raise DocumentRefused(f"the text has more than {MAX_CHARACTERS} characters")
    return Document(kind, " ".join(title.split())[:200], tuple(blocks), sha256, address[:2048])
