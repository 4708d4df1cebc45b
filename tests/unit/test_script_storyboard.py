"""Scripts: what a text becomes, that nothing is lost on the way, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit.base.errors import InvalidInput
from byline.generation import script
from byline.generation.script import analysis, documents, timing
from byline.generation.script.base import Draft, Wish, WriterFailed, spoken_seconds
from byline.generation.script.documents import DocumentRefused
from byline.generation.script.extractive import split_spoken
from byline.generation.script.storyboard import (
    SCHEMA,
    InvalidStoryboard,
    Shot,
    Storyboard,
    as_dict,
    dumps,
    loads,
    parse,
)

ARTICLE = """Hurricanes form over warm tropical water. When the sea is warmer than 26 degrees, moist air rises
and leaves an area of low pressure behind. Air from around rushes in, warms up and rises as well. The
rising vapour condenses into tall clouds and releases heat, which feeds the storm.

# Getting ready

In the harbour of Port Ellis, fishermen tie down their boats with double ropes. Mayor Anna Kowalski said on
Monday that the shelters would open at 6 p.m. and stay open all night. Shopkeepers nail boards over their
windows. Families fill bottles with drinking water. Old people are taken to the school on the hill.

Weather services follow the storm with satellites and aircraft. When the storm reaches land, it loses the warm
water that feeds it and dies down. The floods that it leaves are often worse than the wind."""


def normal(text: str) -> str:
    return " ".join(text.split())


def test_an_article_is_summarised_in_its_own_words_and_says_how_much_was_left_out() -> None:
    document = documents.from_text(ARTICLE, title="The storm")
    board = script.draft(document, Wish(seconds=35))
    assert board.writer is not None
    assert board.source is not None
    assert board.writer.method == "extractive"
    assert 25 <= board.seconds <= 42
    assert 3 <= board.source.used < board.source.sentences == 12
    for shot in board.shots:
        assert shot.audio in normal(document.text)
        assert shot.title
        assert shot.visual
        assert shot.seconds >= spoken_seconds(shot.audio)
    places = [normal(document.text).index(shot.audio) for shot in board.shots]
    assert places == sorted(places)
    assert board == script.draft(document, Wish(seconds=35)), "the same text gives the same storyboard"


def test_without_a_length_every_word_is_spoken_once_and_headings_name_the_shots() -> None:
    document = documents.from_text(ARTICLE)
    board = script.draft(document, Wish())
    assert " ".join(shot.audio for shot in board.shots) == normal(document.text)
    assert any(shot.title == "Getting ready" for shot in board.shots)
    assert board.shots[0].title != "Getting ready"
    assert all(shot.seconds <= 12.5 for shot in board.shots)


def test_names_of_people_are_not_drawn() -> None:
    board = script.draft(documents.from_text(ARTICLE), Wish())
    assert any("Kowalski" in shot.audio for shot in board.shots)
    assert not any("Kowalski" in shot.visual or "Anna" in shot.visual for shot in board.shots)


def test_a_brief_becomes_a_template_of_about_the_length_asked_for() -> None:
    brief = documents.brief("How a storm forms and how a coastal town gets ready")
    board = script.draft(brief, Wish(seconds=60, style="flat illustration"))
    assert board.writer is not None
    assert board.writer.method == "template"
    assert abs(board.seconds - 60) <= 3
    assert len(board.shots) >= 6
    words = set(normal(brief.text).lower().rstrip(".").split())
    for shot in board.shots:
        assert set(shot.audio.lower().rstrip(".").split()) <= words, "a template adds no facts"
        assert "flat illustration" in shot.visual
    assert {"coastal town"} <= set(board.analysis.keywords if board.analysis else ())


def test_summary_keywords_and_sentiment_are_stored_with_how_they_were_found() -> None:
    good = script.analyse(
        "The harbour is wonderful and everyone loves the beautiful, happy festival.", "en-us"
    )
    bad = script.analyse(
        "The flood was a horrible disaster and many people lost everything they loved.", "en-us"
    )
    assert good.sentiment is not None
    assert bad.sentiment is not None
    assert good.sentiment > 0.3 > -0.3 > bad.sentiment
    assert "VADER" in good.method
    german = script.analyse("Der Sturm traf die Küste in der Nacht. Der Sturm war schwer.", "de")
    assert german.sentiment is None
    assert "not checked" in german.method
    assert "Sturm" in german.keywords
    text = documents.from_text(ARTICLE).text
    found = script.analyse(text, "en-us")
    assert all(sentence in normal(text) for sentence in analysis.sentences(found.summary))
    assert any("storm" in word.lower() for word in found.keywords)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Mr. Smith paid 3.5 dollars at 6 p.m. to J. Doe. He left!", 2),
        ("“Wait.” She turned. Then… nothing happened? Yes.", 4),
        ("你好世界。早上好！", 2),
        ("No end", 1),
        ("", 0),
    ],
)
def test_sentences(text: str, count: int) -> None:
    found = analysis.sentences(text)
    assert len(found) == count, found
    assert normal("".join(found)).replace(" ", "") == text.replace(" ", "")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab ,.;!?。、\nÄé", max_size=600))
def test_splitting_loses_nothing(text: str) -> None:
    bare = "".join(text.split())
    assert "".join("".join(s.split()) for s in analysis.sentences(text)) == bare
    pieces = split_spoken(" ".join(text.split()))
    assert "".join("".join(p.split()) for p in pieces) == bare


def test_one_endless_word_or_sentence_is_divided_not_cut() -> None:
    words = [f"word{number}" for number in range(400)]
    pieces = split_spoken(" ".join(words))
    assert " ".join(pieces).split() == words
    assert all(spoken_seconds(piece) <= 10.4 for piece in pieces)


def test_the_whole_of_a_book_is_refused_and_its_summary_is_not() -> None:
    book = documents.from_text("\n\n".join(ARTICLE.replace("Port Ellis", f"Port {n}") for n in range(60)))
    with pytest.raises(script.base.TextTooLong):
        script.draft(book, Wish())
    board = script.draft(book, Wish(seconds=60))
    assert board.seconds < 75


def test_a_storyboard_survives_json_and_edits_make_a_new_valid_one() -> None:
    board = script.draft(documents.brief("A lighthouse at night."), Wish(seconds=20))
    assert loads(dumps(board)) == board
    edited = board.edited(0, title="Night").moved(0, 1).inserted(0, Shot("New", 4.0, "A ship.", ""))
    assert [shot.title for shot in edited.shots[:3]] == ["New", board.shots[1].title, "Night"]
    assert board.shots[0].title != "Night", "storyboards are values"
    with pytest.raises(InvalidStoryboard):
        board.edited(0, seconds=0.0)
    with pytest.raises(InvalidStoryboard):
        Storyboard("t", "en", (Shot("a", 3.0, "b"),)).removed(0)


@pytest.mark.parametrize(
    "broken",
    [
        "[]", "{", "null", '{"version": 1}', '{"version": NaN}', "[" * 100_000,
        json.dumps({"version": 1, "title": "t", "language": "en", "shots": [], "x": 1}),
        json.dumps({"version": 1, "title": "t", "language": "en; rm", "shots": [
            {"title": "a", "seconds": 3, "visual": "b", "audio": ""}]}),
        json.dumps({"version": 1, "title": "t", "language": "en", "shots": [
            {"title": "a", "seconds": 1e9, "visual": "b", "audio": ""}]}),
        json.dumps({"version": 1, "title": "t", "language": "en", "shots": [
            {"title": "a", "seconds": 3, "visual": " ", "audio": "s3cret words"}]}),
    ],
)  # fmt: skip
def test_a_broken_storyboard_is_a_clear_400(broken: str) -> None:
    with pytest.raises(InvalidStoryboard) as refusal:
        loads(broken)
    assert refusal.value.status == 400
    assert "s3cret" not in str(refusal.value)


def test_the_schema_itself_is_valid_and_says_what_dataclasses_hold() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(SCHEMA)
    board = script.draft(documents.brief("A lighthouse at night."), Wish(seconds=20))
    assert set(as_dict(board)) == set(SCHEMA["properties"])
    assert parse(as_dict(board)) == board


def test_bad_wishes_are_refused() -> None:
    brief = documents.brief("A lighthouse at night.")
    for wish in (
        Wish(seconds=1),
        Wish(seconds=1e9),
        Wish(seconds=float("nan")),
        Wish(language="no language!"),
    ):
        with pytest.raises(InvalidInput):
            script.draft(brief, wish)
    with pytest.raises(InvalidInput, match="language"):
        script.draft(documents.brief("Kwxz vrtp qqnn zzkl pfff wrrt mnbv."), Wish())
    for text in ("", " \n ", "...", "a\0b", "x" * (documents.MAX_CHARACTERS + 1)):
        with pytest.raises(DocumentRefused):
            documents.from_text(text)


def test_shots_are_as_long_as_the_voice_takes() -> None:
    board = Storyboard(
        "t", "en-us", (Shot("a", 1.0, "b", "The ferry leaves at dawn every day."), Shot("c", 2.0, "d"))
    )
    fitted = timing.fit(board)
    assert 1.5 < fitted.shots[0].seconds < 5
    assert fitted.shots[1] == board.shots[1]
    with pytest.raises(InvalidStoryboard):
        timing.fit(board.edited(0, audio="The ferry leaves at dawn. " * 60))


def test_another_writers_failure_falls_back_and_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def write(self, *_: object) -> Draft:
            raise WriterFailed("no answer came")

    monkeypatch.setattr(script, "load", lambda name: Broken())
    board = script.draft(documents.from_text(ARTICLE), Wish(seconds=30), writer="broken")
    assert board.writer is not None
    assert board.writer.name == "byline-extractive"
    assert board.writer.fallback == "broken: no answer came"


def test_the_embedded_writers_examples_hold() -> None:
    writer = script.load()
    writer.self_check()
    for example in writer.examples():
        board = script.draft(documents.brief(example.text), example.wish)
        assert len(board.shots) >= example.at_least
        said = " ".join(shot.visual for shot in board.shots).lower()
        assert all(word in said for word in example.words)


def test_many_sentences_are_ranked_in_parts() -> None:
    texts = [f"Sentence {number} speaks of boats and wind{number % 7}." for number in range(2100)]
    rank = analysis.centrality(texts, "en")
    assert rank.shape == (2100,)
    assert np.isclose(rank.sum(), 1.0, atol=1e-6)
