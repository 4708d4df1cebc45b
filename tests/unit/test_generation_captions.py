"""Captions: limits hold for any words, cuts fall at clauses, WebVTT is escaped."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from byline.generation import captions
from byline.generation.captions import Cue
from byline.generation.voices.espeak import EspeakVoice

TEXT = (
    "The harbour opens again on Monday, after a winter of repairs. Ships from twelve countries are "
    "expected, the port authority said, and the first ferry leaves at dawn."
)


LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Zs", "Cc"))


def _evenly(text: str, per_word: float = 0.35) -> list[tuple[str, float, float]]:
    return [(w, i * per_word, (i + 0.9) * per_word) for i, w in enumerate(text.split())]


def test_cuts_fall_where_the_sentence_allows() -> None:
    cues = captions.from_words(EspeakVoice().speak(TEXT).words)
    assert " ".join(cue.text.replace("\n", " ") for cue in cues) == TEXT
    assert all(cue.text[-1] in ".," for cue in cues)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(LETTERS, min_size=1, max_size=60),
            st.floats(0.01, 1.5),
            st.floats(0, 2),
        ),
        max_size=40,
    )
)
def test_limits_hold_for_any_words(drawn: list[tuple[str, float, float]]) -> None:
    words, clock = [], 0.0
    for text, length, gap in drawn:
        words.append((text, clock, clock + length))
        clock += length + gap
    cues = captions.from_words(words)
    for cue in cues:
        lines = cue.text.split("\n")
        assert len(lines) <= captions.LINES
        assert all(captions._width(line) <= captions.LINE for line in lines)
        assert cue.end - cue.start <= captions.LONGEST_S + 1e-6
        assert cue.end > cue.start
    for cue, following in itertools.pairwise(cues):
        assert cue.end <= following.start + 1e-6
    said = "".join("".join(text.split()) for text, _, _ in words)
    assert "".join("".join(cue.text.split()) for cue in cues) == said


def test_a_short_cue_stands_a_second_where_there_is_room() -> None:
    cues = captions.from_words([("Yes.", 0.0, 0.2), ("The ferry leaves.", 5.0, 6.5)])
    assert cues[0] == Cue(0.0, captions.SHORTEST_S, "Yes.")


def test_two_lines_are_balanced() -> None:
    (cue,) = captions.from_words(_evenly("one fine morning the old ferry left the small harbour", 0.3))
    first, second = cue.text.split("\n")
    assert abs(len(first) - len(second)) < 12


def test_text_without_spaces_stays_without_spaces() -> None:
    (cue,) = captions.from_words([(c, i * 0.3, i * 0.3 + 0.3) for i, c in enumerate("你好世界")])
    assert cue.text == "你好世界"


def test_webvtt_escapes_text_and_stamps_hours() -> None:
    vtt = captions.to_webvtt([Cue(0.0, 1.0004, "a < b & c --> d"), Cue(3661.5, 3662.0, "late\nline")])
    assert vtt.startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.000\na &lt; b &amp; c --&gt; d\n")
    assert "2\n01:01:01.500 --> 01:01:02.000\nlate\nline\n" in vtt


def test_no_words_no_cues() -> None:
    assert captions.from_words([]) == []
    assert captions.to_webvtt([]) == "WEBVTT\n"
