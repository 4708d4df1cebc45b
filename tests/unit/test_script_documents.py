"""Uploaded documents: what is read from them, and hostile ones that are refused in bounded time."""

import io
import zipfile
from pathlib import Path

import pytest

from byline.generation.script import documents
from byline.generation.script.documents import DocumentRefused

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
BODY = """<w:p><w:pPr><w:pStyle w:val="Title"/></w:pPr><w:r><w:t>The harbour</w:t></w:r></w:p>
<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Morning</w:t></w:r></w:p>
<w:p><w:r><w:t xml:space="preserve">The ferry </w:t></w:r>
<w:hyperlink><w:r><w:t>leaves</w:t></w:r></w:hyperlink>
<w:ins><w:r><w:t xml:space="preserve"> at dawn.</w:t></w:r></w:ins>
<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>
<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Cell by cell.</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"""


def docx(path: Path, xml: str, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", xml)
        for name, data in more.items():
            archive.writestr(name, data)
    return path


def document_xml(body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><w:document {W}><w:body>{body}</w:body></w:document>'


def test_a_word_document_gives_title_headings_and_paragraphs(tmp_path: Path) -> None:
    found = documents.read(docx(tmp_path / "a.docx", document_xml(BODY)))
    assert (found.kind, found.title) == ("docx", "The harbour")
    assert [(b.kind, b.text) for b in found.blocks] == [
        ("heading", "Morning"),
        ("text", "The ferry leaves at dawn."),
        ("text", "Cell by cell."),
    ]
    assert len(found.sha256) == 64


def test_subtitles_lose_numbers_times_and_markup_and_keep_every_word(tmp_path: Path) -> None:
    srt = (
        "1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>The ferry</i>\r\nleaves at\r\n\r\n"
        "2\r\n00:00:02,600 --> 00:00:04,000\r\n{\\an8}dawn. In 1999\r\n1999\r\n\r\n"
        "3\n00:01:00.000 --> 00:01:02.000\nit sank.\n"
    )
    path = tmp_path / "a.srt"
    path.write_bytes(srt.encode("utf-8-sig"))
    found = documents.read(path)
    assert [b.text for b in found.blocks] == ["The ferry leaves at dawn. In 1999 1999", "it sank."]


def test_a_web_page_gives_its_article_and_not_its_menus(tmp_path: Path) -> None:
    page = """<!doctype html><html><head><title>Harbour - News</title><script>var x = "<p>no</p>";</script>
    <style>p{}</style></head><body><nav><ul><li>Home page of the great site</li></ul></nav>
    <article><h1>The harbour opens</h1><p>The <b>ferry</b> leaves<br>at dawn.<p>Tickets &amp; times are out.
    <h2>Prices</h2><p hidden>Never seen.</p><p>Ten euros.</p>
    <aside><p>Buy this product today, now.</p></aside>
    <figure><img src=x><figcaption>A boat.</figcaption></figure></article>
    <footer><p>All rights reserved by us.</p></footer></body></html>"""
    path = tmp_path / "a.html"
    path.write_bytes(page.encode())
    found = documents.read(path)
    assert found.title == "The harbour opens"
    assert [(b.kind, b.text) for b in found.blocks] == [
        ("text", "The ferry leaves at dawn."),
        ("text", "Tickets & times are out."),
        ("heading", "Prices"),
        ("text", "Ten euros."),
    ]


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        ("Küste am Meer.".encode("utf-8-sig"), ""),
        ("Küste am Meer.".encode("utf-16"), ""),
        ("Küste am Meer.".encode("latin-1"), ""),
        ("Küste am Meer.".encode("cp437"), "cp437"),
        ("Küste am Meer.".encode(), "no-such-charset"),
        ("Küste am Meer.".encode(), "zip"),
    ],
)
def test_text_is_read_in_the_encodings_that_people_have(tmp_path: Path, data: bytes, charset: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    assert documents.read(path, charset=charset).text == "Küste am Meer."


def test_hostile_documents_are_a_clear_422(tmp_path: Path) -> None:
    bomb = document_xml("<w:p><w:r><w:t>" + "a" * (50 << 20) + "</w:t></w:r></w:p>")
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + document_xml(
        "<w:p><w:r><w:t>&b;</w:t></w:r></w:p>"
    )
    outside = '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + document_xml("")
    files = {
        "bomb.docx": docx(tmp_path / "bomb.docx", bomb).read_bytes(),
        "laughs.docx": docx(tmp_path / "laughs.docx", laughs).read_bytes(),
        "outside.docx": docx(tmp_path / "outside.docx", outside).read_bytes(),
        "sixteen.docx": docx(tmp_path / "x.docx", "").read_bytes().replace(b"PK", b"KP", 1),
        "broken.docx": docx(tmp_path / "y.docx", "<w:document").read_bytes(),
        "no.docx": b"PK\x03\x04",
        "empty.docx": docx(tmp_path / "z.docx", document_xml("")).read_bytes(),
        "binary.txt": b"\x00\x01\x02 binary",
        "deep.html": b"<div>" * 5000 + b"<p>text that is long enough.</p>",
        "none.srt": b"just words",
        "long.txt": b"a b " * (documents.MAX_CHARACTERS // 4 + 1),
        "film.mp4": b"ftyp",
        "odd.docx": b"",
    }
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DocumentRefused) as refusal:
            documents.read(path)
        assert refusal.value.status == 422, name
        assert refusal.value.help


def test_a_document_with_thousands_of_parts_or_too_many_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(4100):
            archive.writestr(f"p{number}", b"")
    path = tmp_path / "many.docx"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DocumentRefused, match="too many parts"):
        documents.read(path)
    monkeypatch.setattr(documents, "MAX_BYTES", 1 << 20)
    path.write_bytes(b"a" * ((1 << 20) + 1))
    with pytest.raises(DocumentRefused, match="larger than 1 MiB"):
        documents.read(path)


def test_the_reader_sees_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def run(command: list[str], **options: object) -> object:
        seen.update(options, command=command)
        raise documents.subprocess.TimeoutExpired(command, 1)

    monkeypatch.setenv("BYLINE_SECRET", "s3cret")
    monkeypatch.setattr(documents.subprocess, "run", run)
    path = tmp_path / "a.txt"
    path.write_text("A private sentence.")
    with pytest.raises(DocumentRefused, match="too long"):
        documents.read(path)
    assert "s3cret" not in str(seen["env"])
    assert "private" not in " ".join(seen["command"])  # type: ignore[arg-type]
