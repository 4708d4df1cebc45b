"""The quick way from PostgreSQL's JSON text to a leaf gives the bytes of the general one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.audit import canonical, leaves

MOMENT = "2026-01-02T03:04:05.000006Z"
# Numbers that are not integers, long integers, escapes, non-ASCII, controls: all that jsonb can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def general(payload: object, subject: str) -> bytes | None:
    """canonical.encode, the one form that the standard library gives; None where there is none."""
    entry = canonical.entry(pk=7, kind="a.b", subject=subject, actor="a", payload=payload, created=MOMENT)
    try:
        return canonical.encode(entry)
    except canonical.CanonicalError:
        return None


@given(st.dictionaries(TEXT, VALUES, max_size=5) | VALUES, TEXT)
def test_quick_and_general_way_agree(payload, subject):
    text = json.dumps(payload, ensure_ascii=False)  # jsonb prints "a": 1, as json.dumps does
    wanted = general(json.loads(text), subject)
    found = leaves.leaf_data(7, "a.b", subject, "a", text, MOMENT)
    if wanted is None:
        assert b"uncanonical_sha256" in found
    else:
        assert found == wanted


@pytest.mark.parametrize(
    "payload",
    [
        "0.5",
        "-0.5",
        '{"a": 1.5}',
        '{"a": [1.5]}',
        '{"a": [0, -2.25]}',
        '{"a": 9007199254740993}',
        '{"a": [1e+16]}',
        '{"é": 1}',
        '{"a\\u007f": 1}',
        '{"a\x7f": 1}',
        "[" * 17 + "]" * 17,
    ],
)
def test_what_has_no_canonical_form_never_gets_one(payload):
    assert b"uncanonical_sha256" in leaves.leaf_data(7, "a.b", "s", "a", payload, MOMENT)


def test_a_digest_of_digits_alone_takes_the_quick_way():
    """Sixteen digits in a row are no number when they stand in text."""
    assert not leaves._UNUSUAL.search(json.dumps({"sha256": "0" * 64, "n": -(10**15 - 1)}))
    assert leaves._UNUSUAL.search(json.dumps({"n": -(10**15)}))
