"""A policy is complete and consistent or it does not load."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.safety import policy
from byline.safety.categories import CATEGORIES
from byline.safety.policy import PolicyInvalid, UnknownProfile, parse

RAW = yaml.safe_load(policy.SHIPPED.read_text("utf-8"))
SHIPPED = policy.load(policy.SHIPPED)
Bands = list[list[Any]]


def _with(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    raw = copy.deepcopy(RAW)
    change(raw)
    return raw


def _bands(rows: Bands) -> Callable[[dict[str, Any]], Any]:
    return lambda raw: raw["profiles"]["newsroom"]["bands"].update(hate=rows)


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown category": (
        lambda r: r["profiles"]["newsroom"]["bands"].update(rudeness=[[0, 1, "block"]]),
        "rudeness",
    ),
    "missing action": (lambda r: r["profiles"]["newsroom"]["bands"].pop("hate"), "hate"),
    "overlap": (_bands([[0, 0.6, "allow"], [0.5, 1, "block"]]), "overlap"),
    "gap": (_bands([[0, 0.4, "allow"], [0.5, 1, "block"]]), "gap"),
    "softer above": (_bands([[0, 0.5, "block"], [0.5, 1, "allow"]]), "stronger"),
    "unreachable": (_bands([[0, 0.5, "allow"], [0.5, 0.5, "review"], [0.5, 1, "block"]]), "range"),
    "unknown action": (_bands([[0, 1, "shrug"]]), "shrug"),
    "does not reach 1": (_bands([[0, 0.9, "allow"]]), "cover"),
    "minors left open": (
        lambda r: r["profiles"]["newsroom"]["bands"].update(minors=[[0, 0.5, "allow"], [0.5, 1, "review"]]),
        "minors",
    ),
    "intimate imagery left open": (
        lambda r: (
            r["profiles"]["children"].setdefault("bands", {}).update(intimate_imagery=[[0, 1, "allow"]])
        ),
        "intimate_imagery",
    ),
    "unreadable passes": (
        lambda r: r["profiles"]["newsroom"]["reasons"].update(unsupported_language="allow"),
        "unsupported_language",
    ),
    "circular": (lambda r: r["profiles"]["newsroom"].update(extends="children"), "circular"),
    "unknown key": (lambda r: r.update(mood="strict"), "mood"),
    "no clause": (lambda r: r["clauses"].pop("pii"), "pii"),
    "no profiles": (lambda r: r.update(profiles={}), "profiles"),
    "moderation excused": (
        lambda r: r["profiles"]["newsroom"].update(may_be_unavailable=["moderation.model"]),
        "may_be_unavailable",
    ),
    "length": (lambda r: r.update(max_characters="many"), "max_characters"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_policy_is_refused_and_says_where(name: str) -> None:
    change, word = FAULTS[name]
    with pytest.raises(PolicyInvalid, match=word):
        parse(_with(change), "0" * 64)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policy.SHIPPED.read_text("utf-8") + "\nversion: again\n")
    with pytest.raises(PolicyInvalid, match="twice"):
        policy.load(file)


@pytest.mark.parametrize("content", ["", "- 1", "a: [", "!!python/object/apply:os.system ['true']"])
def test_what_is_no_policy_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(content)
    with pytest.raises(PolicyInvalid):
        policy.load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="cannot read"):
        policy.load(tmp_path / "none.yaml")


def test_the_shipped_policy_has_the_five_profiles_and_a_version_bound_to_its_bytes(tmp_path: Path) -> None:
    shipped = policy.load(policy.SHIPPED)
    assert set(shipped.profiles) == {"newsroom", "advertising", "children", "health", "education"}
    changed = tmp_path / "policy.yaml"
    changed.write_text(policy.SHIPPED.read_text("utf-8") + "# one comment more\n")
    assert policy.load(changed).version != shipped.version


@given(st.sampled_from(sorted(CATEGORIES)), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_a_higher_score_is_never_treated_softer(category: str, one: float, other: float) -> None:
    shipped = SHIPPED
    order = ["allow", "review", "block"]
    low, high = sorted((one, other))
    for profile in shipped.profiles:
        assert order.index(shipped.decide(profile, category, low).action) <= order.index(
            shipped.decide(profile, category, high).action
        )


def test_children_are_judged_at_least_as_strictly_as_the_newsroom() -> None:
    shipped = policy.load(policy.SHIPPED)
    for category in CATEGORIES:
        assert shipped.review_from("children", category) <= shipped.review_from("newsroom", category)


def test_what_may_be_missing_is_said_per_profile() -> None:
    shipped = policy.load(policy.SHIPPED)
    assert shipped.may_be_unavailable("newsroom", "output.speech")
    assert not shipped.may_be_unavailable("children", "output.speech")
    assert not shipped.may_be_unavailable("newsroom", "output.nudity")
    with pytest.raises(UnknownProfile):
        shipped.may_be_unavailable("nobody", "output.speech")
