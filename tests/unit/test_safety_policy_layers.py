"""Places, elections, people, terms and brands are layers: they make a policy stricter, and only that."""

import contextlib
import copy
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.safety import names, policy
from byline.safety.categories import CATEGORIES
from byline.safety.moderation import Moderation, moderate
from byline.safety.policy import Circumstances, PolicyInvalid
from byline.safety.policy_model import STRENGTH
from byline.safety.policy_sections import JURISDICTIONS

SHIPPED = policy.load(policy.SHIPPED)
PLACES = sorted(file.stem for file in JURISDICTIONS.glob("*.yaml"))
POLLING = dt.date(2026, 12, 6)
SITE: dict[str, Any] = {
    "extends": "shipped",
    "version": "site-1",
    "jurisdictions": PLACES,
    "elections": [
        {
            "name": "council",
            "jurisdiction": "eu",
            "from": dt.date(2026, 12, 1),
            "to": POLLING,
            "candidates": [{"name": "Mirela Tandov", "aliases": ["Auntie Mirela"]}],
            "of_candidates": {"deception": {"review_from": 0.3, "block_from": 0.7}},
            "of_everyone": {"deception": {"review_from": 0.4}},
        }
    ],
    "no_go_people": [
        {"name": "Jorun Balke", "aliases": ["J. Balke-Ott"], "why": "Court order 12/2026."},
        {"name": "Petra Olsner", "action": "review", "where": "depicted"},
    ],
    "terms": [{"name": "Studio Quill", "words": ["Captain Quillfish"], "why": "No licence."}],
    "brands": {
        "harbour": {
            "own": ["Harbour Cola"],
            "competitors": ["Lagoon Cola"],
            "profile": "children",
            "tighten": {"weapons_illegal": {"review_from": 0.2}},
        }
    },
}


def load(tmp_path: Path, **changes: Any) -> policy.Policy:
    file = tmp_path / "site.yaml"
    file.write_text(yaml.safe_dump({**SITE, **changes}))
    return policy.load(file)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> policy.Policy:
    return load(tmp_path_factory.mktemp("site"))


def judge(site: policy.Policy, prompt: str, **more: Any) -> Moderation:
    texts = {"prompt": prompt, **more.pop("texts", {})}
    return moderate(texts, site, more.pop("profile", "newsroom"), with_guards={}, **more)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown place": ({"jurisdictions": ["atlantis"], "elections": []}, "cannot read"),
    "a path as a place": ({"jurisdictions": ["../../secret"]}, "jurisdictions"),
    "a place twice": ({"jurisdictions": ["eu", "eu"]}, "twice"),
    "election elsewhere": ({"jurisdictions": ["in"]}, "unreachable.*'eu'"),
    "election backwards": ({"elections": [{**SITE["elections"][0], "from": dt.date(2027, 1, 1)}]}, "earlier"),
    "election without action": (
        {
            "elections": [
                {k: v for k, v in SITE["elections"][0].items() if k in {"name", "jurisdiction", "from", "to"}}
            ]
        },
        "action is missing",
    ),
    "candidates without rule": (
        {"elections": [{k: v for k, v in SITE["elections"][0].items() if k != "of_candidates"}]},
        "go together",
    ),
    "unknown category": ({"brands": {"b": {"tighten": {"rudeness": {"review_from": 0.1}}}}}, "rudeness"),
    "missing action": ({"brands": {"b": {"tighten": {"hate": {}}}}}, "action is missing"),
    "unreachable review": (
        {"brands": {"b": {"tighten": {"hate": {"review_from": 0.5, "block_from": 0.2}}}}},
        "unreachable",
    ),
    "never stricter": ({"brands": {"b": {"tighten": {"hate": {"review_from": 0.8}}}}}, "as strict already"),
    "threshold above one": ({"brands": {"b": {"tighten": {"hate": {"review_from": 2}}}}}, "score"),
    "allowing": ({"brands": {"b": {"tighten": {"hate": {"allow_to": 0.9}}}}}, "allow_to"),
    "bands in a brand": ({"brands": {"b": {"bands": {"hate": [[0, 1, "allow"]]}}}}, "bands"),
    "unknown profile": ({"brands": {"b": {"profile": "anything"}}}, "anything"),
    "no-go that allows": ({"no_go_people": [{"name": "Jane Doe", "action": "allow"}]}, "allow"),
    "name too short": ({"no_go_people": [{"name": "Jo"}]}, "too short"),
    "one name for two": ({"no_go_people": [{"name": "Jane Doe"}, {"name": "JANE-DOE"}]}, "two entries"),
    "empty terms": ({"terms": [{"name": "none", "words": []}]}, "at least one"),
    "terms that allow": ({"terms": [{"name": "t", "words": ["abc"], "action": "allow"}]}, "allow"),
    "extends another file": ({"extends": "/etc/passwd"}, "shipped"),
    "unknown section": ({"moods": {}}, "moods"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_section_is_refused_and_says_where(name: str, tmp_path: Path) -> None:
    changes, word = FAULTS[name]
    with pytest.raises(PolicyInvalid, match=word):
        load(tmp_path, **changes)


@given(
    category=st.sampled_from(sorted(CATEGORIES)),
    score=st.floats(0, 1),
    profile=st.sampled_from(sorted(SHIPPED.profiles)),
    brand=st.sampled_from(["", "harbour", "unknown"]),
    on=st.sampled_from([None, POLLING, POLLING + dt.timedelta(days=1)]),
    candidate=st.booleans(),
)
@settings(deadline=None)
def test_no_layer_ever_softens_the_profile(
    site: policy.Policy, category: str, score: float, profile: str, brand: str, on: Any, candidate: bool
) -> None:
    where = Circumstances(brand, on, frozenset({"council"} if candidate else ()))
    base = SHIPPED.decide(profile, category, score)
    found = site.decide(profile, category, score, where)
    assert STRENGTH[found.action] >= STRENGTH[base.action]
    if found.action == base.action:
        assert found.layer == f"profile {profile}"


@pytest.mark.parametrize("place", PLACES)
def test_every_shipped_add_on_cites_a_clause_and_a_source_with_its_date(place: str, tmp_path: Path) -> None:
    found = load(tmp_path, jurisdictions=[place], elections=[]).jurisdictions[place]
    assert all(item.cites for item in found.tighten.values())
    assert "2026" in found.source


def test_the_layer_that_decided_and_its_clause_of_law_are_in_the_decision(site: policy.Policy) -> None:
    found = site.decide("newsroom", "pii", 0.46)
    assert (found.action, found.layer) == ("review", "jurisdiction eu")
    assert "GDPR" in found.cites


def test_an_election_holds_on_its_days_and_for_its_candidates(site: policy.Policy) -> None:
    def at(on: dt.date | None, candidate: bool) -> tuple[str, str]:
        named = frozenset({"council"} if candidate else ())
        found = site.decide("newsroom", "deception", 0.75, Circumstances("", on, named))
        return found.action, found.layer

    assert at(POLLING, True) == ("block", "election council (candidate named)")
    assert at(POLLING, False)[0] == "review"
    assert at(POLLING + dt.timedelta(days=1), True)[0] == "review"
    assert at(None, True)[0] == "review"


def test_a_named_candidate_is_looked_at_while_the_election_runs(site: policy.Policy) -> None:
    prompt = "auntie mirela opens a window"
    during, after = judge(site, prompt, on=POLLING), judge(site, prompt, on=POLLING + dt.timedelta(days=1))
    assert (during.action, during.category) == ("review", "real_person")
    assert after.action == "allow"


@pytest.mark.parametrize(
    "text",
    [
        "Jorun Balke waves",
        "JORUN  BALKE",
        "jorun-balke",
        "Jórun Balke",
        "Balke, Jorun",
        "a cake for J. Balke Ott",
    ],
)
def test_a_no_go_person_is_found_however_the_name_is_written(site: policy.Policy, text: str) -> None:
    found = judge(site, text)
    assert (found.action, found.category) == ("block", "real_person")
    check = next(c for c in found.checks if c.action == "block")
    assert check.evidence["layer"] == "no-go list, entry 1"
    assert check.evidence["cites"] == "Court order 12/2026."
    assert "balke" not in str(dict(check.evidence)).lower()


def test_a_no_go_entry_may_be_about_pictures_only(site: policy.Policy) -> None:
    assert judge(site, "Petra Olsner waves").action == "review"
    spoken = judge(site, "a harbour at dawn", texts={"voice_over": "The mayor met Petra Olsner on Monday."})
    assert spoken.action == "allow"
    anywhere = judge(site, "a harbour at dawn", texts={"voice_over": "The mayor met Jorun Balke."})
    assert anywhere.action == "block"


def test_brand_terms_hold_for_their_brand_and_its_own_name_passes(site: policy.Policy) -> None:
    assert judge(site, "a bottle of Lagoon Cola on a table", brand="harbour").action == "review"
    assert judge(site, "a bottle of Lagoon Cola on a table").action == "allow"
    assert judge(site, "Captain Quillfish sails home").category == "copyright_brand"


def test_a_brand_that_is_judged_as_for_children_excuses_no_more_than_they_do(site: policy.Policy) -> None:
    assert site.may_be_unavailable("newsroom", "output.speech")
    assert not site.may_be_unavailable("newsroom", "output.speech", "harbour")
    assert site.may_be_unavailable("newsroom", "output.speech", "another")


def test_the_own_brand_is_no_foreign_brand(tmp_path: Path) -> None:
    prompt = "a Nike logo on a wall"
    own = load(tmp_path, brands={"sport": {"own": ["Nike"]}})
    assert "copyright_brand" in {f.category for _, f in judge(own, prompt).notable}
    assert "copyright_brand" not in {f.category for _, f in judge(own, prompt, brand="sport").notable}
    both = judge(own, "a Nike logo and Darth Vader", brand="sport")
    assert (both.action, both.category) == ("review", "copyright_brand")


def test_hard_rules_stand_whatever_a_brand_calls_its_own(tmp_path: Path) -> None:
    own = load(tmp_path, brands={"odd": {"own": ["naked teenager"]}})
    assert judge(own, "show a naked teenager dancing", brand="odd").action == "block"


def test_the_digest_covers_every_file_that_decides(tmp_path: Path) -> None:
    (tmp_path / "jurisdictions").mkdir()
    place = tmp_path / "jurisdictions" / "eu.yaml"
    place.write_text((JURISDICTIONS / "eu.yaml").read_text())
    before = load(tmp_path)
    assert set(before.parts) == {"policy", "shipped", *(f"jurisdiction {p}" for p in PLACES)}
    place.write_text(place.read_text().replace("0.45", "0.44"))
    after = load(tmp_path)
    assert after.sha256 != before.sha256
    assert after.version != before.version
    assert after.parts["policy"] == before.parts["policy"]


def test_a_policy_of_one_file_has_the_digest_that_sha256sum_prints() -> None:
    import hashlib

    assert SHIPPED.sha256 == hashlib.sha256(policy.SHIPPED.read_bytes()).hexdigest()


@given(st.text(max_size=60), st.text(max_size=60))
def test_names_are_found_where_they_stand(before: str, after: str) -> None:
    listed = names.compile_names([["Jorun Balke"]])
    text = f"{before} Jorun Balke {after}"
    assert (0, (len(before) + 1, len(before) + 12)) in listed.find(text)
    assert len(listed.blank(text)) == len(text)


_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=True)
    | st.text(max_size=4)
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in _places(inner, (*path, key)))]


_RAW = {
    "policy": {
        **yaml.safe_load(policy.SHIPPED.read_text("utf-8")),
        **yaml.safe_load(yaml.safe_dump({key: value for key, value in SITE.items() if key != "extends"})),
    },
    "places": {name: yaml.safe_load((JURISDICTIONS / f"{name}.yaml").read_text("utf-8")) for name in PLACES},
}


@given(place=st.sampled_from([p for p in _places(_RAW) if len(p) > 1]), junk=_JUNK)
@settings(deadline=None, max_examples=200)
def test_whatever_stands_in_a_file_it_loads_or_is_refused_with_a_reason(place: Any, junk: Any) -> None:
    """Anything else that escapes would be a crash at start without a word of help."""
    whole = copy.deepcopy(_RAW)
    target: Any = whole
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = junk
    with contextlib.suppress(PolicyInvalid):
        policy.parse(whole["policy"], "0" * 64, jurisdictions=whole["places"])
