"""Real people are found by list, office, title and name grammar; places and the long dead are not."""

import pytest

from byline.safety import people


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Donald Trump eats a burger", "public"),
        ("a clip of taylor swift on stage", "public"),
        ("the mayor of Oslo opens a bridge", "office"),
        ("the prime minister walks a dog", "office"),
        ("President Whitfield speaks", "titled"),
        ("Dr. Elena Marquez in a laboratory", "titled"),
        ("interview with Maria Gonzalez in a cafe", "named"),
        ("a portrait of Thomas van der Berg", "named"),
    ],
)
def test_a_real_person_is_found(text: str, kind: str) -> None:
    assert [p.kind for p in people.find(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "a chef cooks in a kitchen",
        "Golden Gate Bridge at dawn",
        "New York City street in the rain",
        "the Grand Canyon from above",
        "Albert Einstein in his study",
        "Sherlock Holmes lights a pipe",
        "Santa Claus rides a sleigh",
        "a trump card on the table, a scent of musk",
        "Victoria Station at rush hour",
        "San Francisco and Los Angeles",
        "Thomas Street market",
        "a doctor and a nurse talk",
        "Breaking News: Storm Hits Coast As Thousands Leave Homes",
    ],
)
def test_what_is_no_living_person_is_not(text: str) -> None:
    assert people.find(text) == ()


def test_spans_point_at_the_name() -> None:
    text = "Yesterday Angela Merkel met Maria Gonzalez"
    assert [text[p.start : p.end] for p in people.find(text)] == ["Angela Merkel", "Maria Gonzalez"]
