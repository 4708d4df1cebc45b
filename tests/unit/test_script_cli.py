"""`byline script` and the page of a CMS as a source: words, exit codes, files."""

import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from byline.audit.base.errors import InvalidInput
from byline.generation.script import documents
from byline.platform import cli, fetching
from byline.platform.cli.script import fetched


def test_a_text_file_becomes_a_storyboard_that_can_be_checked(tmp_path: Path, capsys: Any) -> None:
    text, board = tmp_path / "a.txt", tmp_path / "board.json"
    text.write_text("The ferry leaves at dawn. It carries bicycles and bread. The island waits for it.")
    assert cli.main(["script", "draft", "--file", str(text), "--voice", "default", "--out", str(board)]) == 0
    assert "3 of the source's 3 sentences" in capsys.readouterr().out
    assert json.loads(board.read_text())["source"]["kind"] == "text"
    assert cli.main(["script", "check", str(board)]) == 0
    value = json.loads(board.read_text())
    value["shots"][0]["visual"] = "Pornographic video of two naked people having sex, explicit."
    board.write_text(json.dumps(value))
    assert cli.main(["script", "check", str(board)]) == 20
    said = capsys.readouterr().out
    assert "block" in said
    assert "naked" not in said
    assert cli.main(["script", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Byline storyboard"


@pytest.mark.parametrize(
    "words",
    [
        ["draft", "--file", "/nowhere.txt"],
        ["draft", "--brief", ""],
        ["draft", "--brief", "A storm.", "--seconds", "0.1"],
        ["draft", "--url", "http://example.org/"],
        ["draft", "--url", "https://127.0.0.1/"],
        ["check", "/nowhere.json"],
    ],
)
def test_wrong_input_is_said_in_one_line_with_help(words: list[str], capsys: Any) -> None:
    assert cli.main(["script", *words]) in (64, 70)
    error = capsys.readouterr().err
    assert error.startswith("byline: ")
    assert "internal error" not in error
    assert len(error.splitlines()) == 2


def test_a_web_page_comes_by_the_guarded_fetcher_and_only_as_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(kind: str, data: bytes) -> Any:
        def fetch(url: str, rules: fetching.Rules, into: BinaryIO, **_: Any) -> fetching.Fetched:
            assert not rules.private
            assert rules.schemes == ("https",)
            into.write(data)
            into.flush()
            headers = {"content-type": f"{kind}; charset=iso-8859-1"}
            return fetching.Fetched("https://example.org/end", len(data), kind, headers)

        return fetch

    page = "<article><h1>Küste</h1><p>The ferry reaches Åland at dawn.</p></article>".encode("latin-1")
    monkeypatch.setattr(fetching, "fetch", answer("text/html", page))
    found = fetched("https://example.org/", hosts=("*",))
    assert (found.kind, found.title, found.address) == ("html", "Küste", "https://example.org/end")
    assert found.text == "The ferry reaches Åland at dawn."
    monkeypatch.setattr(fetching, "fetch", answer("video/mp4", page))
    with pytest.raises(documents.DocumentRefused):
        fetched("https://example.org/", hosts=("*",))


@pytest.mark.django_db
def test_a_cms_page_gives_its_latest_text() -> None:
    from wagtail.models import Page

    from byline.generation import script
    from byline.generation.script.base import Wish
    from byline.platform.cms.models import StoryPage
    from byline.platform.cms.script_source import document_of

    body = [("text", "<h2>Dawn</h2><p>The ferry <b>leaves</b> at dawn.</p><p>It carries bread.</p>")]
    story = StoryPage(title="Tide", slug="tide", live=False, body=body)
    Page.objects.filter(depth=2).first().add_child(instance=story)
    story.body = [*body, ("text", "<p>The island waits.</p>")]
    story.save_revision()
    found = document_of(story.pk)
    assert (found.kind, found.title, found.address) == ("page", "Tide", f"page:{story.pk}")
    for words in ("The ferry leaves at dawn.", "It carries bread.", "The island waits."):
        assert words in found.text
    board = script.draft(found, Wish(language="en-us"))
    assert board.source is not None
    assert board.source.address == f"page:{story.pk}"
    with pytest.raises(InvalidInput):
        document_of(10**9)
