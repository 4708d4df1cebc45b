"""Canonical JSON, kinds and commitments."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.audit import canonical, commit, kinds
from byline.audit.base.errors import InvalidInput

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
numbers = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def test_rfc8785_escapes_and_order():
    value = {"b": '€$\x0f\nA\'B"\\\\"/', "a": [1, True, None], "A": {}}
    expected = '{"A":{},"a":[1,true,null],"b":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical.encode(value) == expected.encode()


@given(values)
def test_encoding_survives_any_json_reader_and_ignores_order(value):
    data = canonical.encode(value)
    assert canonical.encode(json.loads(data)) == data
    if isinstance(value, dict):
        assert canonical.encode(dict(reversed(value.items()))) == data


@given(values, values)
def test_different_values_have_different_bytes(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical.encode(one) == canonical.encode(other)) == same


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        2**53,
        -(2**53),
        "a\x00",
        "\ud800",
        {"é": 1},
        {1: 2},
        {"a\n": 1},
        b"x",
        {1},
        datetime.now(UTC),
    ],
)
def test_values_without_one_form_are_refused(value):
    with pytest.raises(canonical.CanonicalError, match=r"^\$\.x\[0\]"):
        canonical.encode({"x": [value]})


def test_depth_is_bounded_and_messages_hold_no_value():
    deep = "secret\x00"
    for _ in range(canonical.MAX_DEPTH):
        deep = [deep]
    with pytest.raises(canonical.CanonicalError) as caught:
        canonical.encode(deep)
    assert "secret" not in str(caught.value)
    with pytest.raises(canonical.CanonicalError):
        canonical.encode([deep])


def test_timestamps_are_utc_with_microseconds():
    moment = datetime(2026, 1, 2, 4, 4, 5, 6, tzinfo=timezone(timedelta(hours=1)))
    assert canonical.timestamp(moment) == "2026-01-02T03:04:05.000006Z"
    with pytest.raises(canonical.CanonicalError):
        canonical.timestamp(datetime(2026, 1, 2))


def test_entry_has_exactly_the_fields_the_verifier_expects():
    entry = canonical.entry(
        pk=1, kind="a.b", subject="s", actor="x", payload={}, created="2026-01-02T03:04:05.000006Z"
    )
    assert tuple(entry) == canonical.ENTRY_FIELDS


@pytest.fixture
def register(monkeypatch):
    monkeypatch.setattr(kinds, "_kinds", {})
    return kinds.register


def test_kind_checks_fields_and_types(register):
    register("test.kind", required={"a": str, "n": int | None, "h": kinds.Hex64}, optional={"o": list})
    good = {"a": "x", "n": 1, "h": "0" * 64}
    kinds.check("test.kind", good)
    kinds.check("test.kind", {**good, "n": None, "o": []})
    for bad in (
        {**good, "n": True},
        {**good, "n": "1"},
        {**good, "h": "a prompt"},
        {**good, "h": "A" * 64},
        {**good, "extra": 1},
        {**good, "o": {}},
        {"a": "x", "n": 1},
    ):
        with pytest.raises(kinds.KindError):
            kinds.check("test.kind", bad)
    with pytest.raises(kinds.KindError, match="not a registered"):
        kinds.check("test.other", good)


def test_kind_errors_do_not_repeat_the_value(register):
    register("test.kind", required={"h": kinds.Hex64})
    with pytest.raises(kinds.KindError) as caught:
        kinds.check("test.kind", {"h": "a private prompt"})
    assert "private" not in str(caught.value)


def test_registering_twice(register):
    register("test.kind", required={"a": str})
    register("test.kind", required={"a": str})
    with pytest.raises(kinds.KindError, match="twice"):
        register("test.kind", required={"a": int})
    for name, fields in (("plain", {"a": str}), ("Test.kind", {"a": str}), ("test.f", {"a": float})):
        with pytest.raises(kinds.KindError):
            register(name, required=fields)
    with pytest.raises(kinds.KindError, match="both"):
        register("test.both", required={"a": str}, optional={"a": str})
    assert kinds.names() == ["test.kind"]


def test_commitments_hide_and_bind():
    salt = commit.new_salt()
    assert len(salt) == 32
    assert commit.new_salt() != salt
    logged = commit.commitment("a prompt", salt)
    assert logged == hmac.new(salt, b"a prompt", hashlib.sha256).hexdigest()
    commit.open_commitment(b"a prompt", salt, logged)
    assert commit.commitment("a prompt", commit.new_salt()) != logged
    for value, other in (("another", salt), ("a prompt", commit.new_salt())):
        with pytest.raises(commit.CommitmentMismatch):
            commit.open_commitment(value, other, logged)
    with pytest.raises(InvalidInput):
        commit.commitment("x", b"short")
