"""Targets, quotas, statistics; wording with other attributes; what texts say; changes of looks."""

import math
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit.base.errors import ConfigurationError
from byline.safety.debias import debias
from byline.safety.fairness import attributes, depicted, foreign, stated, statistics, wording
from byline.safety.fairness.quota import Quota

ALL = attributes.uniform(("gender", "ethnicity", "age", "body", "disability"))


@pytest.mark.parametrize(
    "setting",
    [
        {"ATTRIBUTES": ["gender", "height"]},
        {"ATTRIBUTES": ["skin", "age"]},
        {"ATTRIBUTES": ["gender", "skin", "ethnicity"]},
        {"TARGETS": {"gender": {"woman": 1}}},
        {"TARGETS": {"gender": {"woman": 1, "man": 0}}},
        {"TARGETS": {"skin": {"light-skinned": 1, "dark-skinned": 1}}},
        {"TARGETS": {"gender": {"woman": 1, "men": 1}}},
        {"TARGETS": {"gender": {"woman": True, "man": 1}}},
        {"TARGETS": {"body": {"": 1, "slim": 1}}},
        {"BRANDS": {"desk": {"TARGET": {}}}},
        {"ATTRIBUTES": []},
        [],
    ],
)
def test_a_target_that_cannot_be_meant_is_an_error_at_start(setting: Any) -> None:
    with pytest.raises(ConfigurationError):
        attributes.parse(setting)


def test_a_brand_has_its_own_shares_and_inherits_the_rest() -> None:
    everywhere, brands = attributes.parse(
        {
            "TARGETS": {"gender": {"woman": 3, "man": 1}},
            "BRANDS": {"desk": {"TARGETS": {"age": {"young": 2, "middle-aged": 1, "older": 1}}}},
        }
    )
    assert everywhere.shares["gender"] == {"woman": 0.75, "man": 0.25}
    assert brands["desk"].shares["gender"] == {"woman": 0.75, "man": 0.25}
    assert brands["desk"].shares["age"]["young"] == 0.5
    assert sum(brands["desk"].cells("adult").values()) == pytest.approx(1)
    assert everywhere.sha256 != brands["desk"].sha256


@given(st.lists(st.integers(1, 20), min_size=8, max_size=8), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_any_target_is_filled_to_within_one_draw_per_value(weights: list[int], seed: int) -> None:
    shares = iter(weights)
    target = attributes.parse(
        {
            "TARGETS": {
                n: {v: next(shares) for v in attributes.VALUES[n][: 2 if n == "gender" else 3]}
                for n in ("gender", "skin", "age")
            }
        }
    )[0]
    quota = Quota(target, {}, seed)
    n = 150
    drawn = Counter(quota.draw("adult") for _ in range(n))
    for cell, share in target.cells("adult").items():
        assert abs(drawn[cell] - n * share) < 2


def test_what_is_fixed_or_left_out_is_respected() -> None:
    quota = Quota(ALL, {}, 1)
    for _ in range(30):
        read = ALL.read(quota.draw("adult", {"age": "older", "body": ""}, without=("wheelchair",)))
        assert (read["age"], read["body"]) == ("older", "")
        assert read["disability"] != "wheelchair"


def test_balance_of_an_even_an_uneven_and_an_empty_distribution() -> None:
    even = statistics.balance({"a": 50, "b": 50}, {"a": 1, "b": 1})
    assert (even.entropy.value, even.kl.value, even.ratio.value, even.gap.value) == (1.0, 0.0, 1.0, 0.0)
    assert even.kl.high is not None
    assert even.kl.high > 0
    uneven = statistics.balance({"a": 90, "b": 10}, {"a": 1, "b": 1})
    assert uneven.kl.value == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
    assert uneven.ratio.value == pytest.approx(9)
    assert uneven.ratio.low is not None
    assert 4 < uneven.ratio.low < 9
    assert uneven.gap.value == pytest.approx(0.4)
    few = statistics.balance(dict.fromkeys("abcdef", 1), dict.fromkeys("abcdef", 1.0))
    assert few.entropy.low is not None
    assert few.entropy.low < 0.99
    assert few.entropy.value == few.entropy.high == pytest.approx(1.0)
    assert statistics.balance({"a": 5, "b": 7}, {"a": 1, "b": 1}, sample=False).kl.low is None
    gone = statistics.balance({"a": 10}, {"a": 1, "b": 1})
    assert gone.ratio.value is None
    assert statistics.balance({}, {"a": 1, "b": 1}).entropy.value is None
    with pytest.raises(ValueError, match="outside"):
        statistics.balance({"c": 1}, {"a": 1, "b": 1})


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    import numpy as np

    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(100):
        women = int(rng.binomial(200, 0.7))
        gap = statistics.balance({"w": women, "m": 200 - women}, {"w": 1, "m": 1}).gap
        assert gap.low is not None
        assert gap.high is not None
        covered += gap.low <= 0.2 <= gap.high
    assert covered >= 88


def test_drift_tells_a_change_from_noise() -> None:
    target = {"w": 1, "m": 1}
    same = statistics.drift([("a", {"w": 50, "m": 50}), ("b", {"w": 48, "m": 52})], target)
    moved = statistics.drift([("a", {"w": 50, "m": 50}), ("b", {"w": 85, "m": 15})], target)
    assert same.p is not None
    assert same.p > 0.2
    assert moved.p is not None
    assert moved.p < 0.01
    assert moved.moved == pytest.approx(0.35)
    assert statistics.drift([("a", {"w": 1, "m": 1})], target).p is None


def test_other_attributes_read_naturally_and_a_wheelchair_is_not_drawn_onto_a_ladder() -> None:
    seen = []
    counts: Counter[str] = Counter()
    for seed in range(200):
        done = debias("A doctor talks to a patient", seed=seed, counts=counts, target=ALL)
        counts.update(done.draws)
        assert wording.is_natural(done.prompt) == []
        seen.append(done.prompt)
    assert any("in a wheelchair" in text for text in seen)
    assert any("plus-size" in text for text in seen)
    ladder = [debias("A painter climbs a ladder", seed=s, counts={}, target=ALL).prompt for s in range(60)]
    assert not any("wheelchair" in text for text in ladder)
    blind = debias("A blind musician plays", seed=1, counts={}, target=ALL).prompt
    assert "with a" not in blind
    assert "in a wheelchair" not in blind


def test_a_person_beyond_two_genders_where_the_brand_asks_for_it() -> None:
    target = attributes.parse({"TARGETS": {"gender": {"woman": 1, "man": 1, "nonbinary": 1}}})[0]
    texts = {debias("Someone waves to a nurse", seed=s, counts={}, target=target).prompt for s in range(40)}
    assert any("non-binary person" in text for text in texts)
    assert any("non-binary nurse" in text for text in texts)
    children = {debias("A child waves", seed=s, counts={}, target=target).prompt for s in range(20)}
    assert all("girl" in text or "boy" in text for text in children)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Un médico habla", {"Una médica", "Un médico"}),
        ("Une personne marche", {"Une femme", "Un homme", "Une jeune femme", "Un jeune homme"}),
        ("Der Hund bellt. Ein Arzt spricht", {"Eine", "Ein"}),
        ("Sie? Nein: Jemand wartet", set()),
        ("一位老师在教室里", {"一位"}),
    ],
)
def test_four_languages_have_templates(prompt: str, expected: set[str]) -> None:
    done = debias(prompt, seed=4, counts={})
    assert bool(done.changes) == bool(expected)
    if expected:
        assert any(word in done.prompt for word in expected)


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("Un médico cansado habla con la gente", "template"),
        ("Ich sehe eine Person am Strand, es regnet und ist kalt", "template"),
        ("Una médica habla con un paciente anciano", ""),
        ("Ein Arzt spricht im Jahr 1944 mit der Frau", "historic"),
        ("врач говорит с пациентом в больнице", "language"),
    ],
)
def test_a_phrase_without_a_template_is_left_and_says_so(prompt: str, left: str) -> None:
    done = debias(prompt, seed=4, counts={})
    assert (done.prompt, done.left) == (prompt, left)


@pytest.mark.parametrize(
    ("before", "noun", "woman", "man"),
    [
        ("spricht mit einem", "Patienten", r"mit einer (\w+en )?Patientin", r"mit einem (\w+en )?Patienten"),
        ("sieht einen", "Arzt", r"sieht eine (\w+e )?Ärztin", r"sieht einen (\w+en )?Arzt"),
    ],
)
def test_german_keeps_the_case(before: str, noun: str, woman: str, man: str) -> None:
    for seed in range(12):
        text = debias(f"Die Kamera {before} {noun} und bleibt stehen.", seed=seed, counts={}).prompt
        assert bool(re.search(woman, text)) != bool(re.search(man, text)), text


def test_every_listed_foreign_noun_can_be_worded() -> None:
    phrases = {"zh": "一位{}在", "de": "Ein {} geht", "es": "Un {} camina", "fr": "Un {} marche"}
    feminine = {"persona": "Una {} camina", "personne": "Une {} marche", "Person": "Eine {} geht"}
    for code, entry in foreign._templates().items():
        for noun in entry["nouns"]:
            text = feminine.get(noun, phrases[code]).format(noun)
            assert debias(text, seed=1, counts={}).changes, text


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("an older dark-skinned female judge", [("woman", "dark-skinned", "older")]),
        ("a judge", [("", "", "")]),
        ("A young man and an elderly woman walk", [("man", "", "young"), ("woman", "", "older")]),
        (
            "Two nurses, a young light-skinned woman and an older dark-skinned man, talk",
            [("woman", "light-skinned", "young"), ("man", "dark-skinned", "older")],
        ),
        ("nurses of different genders, skin tones and ages applaud", []),
        ("a lake at dawn", []),
    ],
)
def test_what_a_text_says_of_its_people(text: str, people: list[tuple[str, str, str]]) -> None:
    found = [tuple(person.values()) for person in stated.people(text, ("gender", "skin", "age"))]
    assert found == people


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_every_draw_can_be_read_back_from_the_words(seed: int) -> None:
    done = debias("A chef, someone and a child wait", seed=seed, counts={}, target=ALL)
    said = stated.people(done.prompt, ALL.attributes)
    for cell, person in zip(done.draws, said, strict=True):
        assert ALL.read(cell).items() <= person.items()


@pytest.mark.parametrize(
    ("text", "shown", "whose"),
    [
        ("Make Angela Merkel look like a young Black man", False, "real"),
        ("Angela Merkel as a young Asian woman", False, "real"),
        ("Change the skin colour of Emmanuel Macron", False, "real"),
        ("Make her look younger and Asian", True, "real"),
        ("Lighten his skin", True, "real"),
        ("Turn the doctor into a woman", False, "invented"),
        ("Gender-swapped version of the last scene", False, "invented"),
        ("A doctor waves", True, ""),
        ("An old man turns to a young woman", False, ""),
        ("Angela Merkel opens a museum", False, ""),
        ("A baker makes the bread", False, ""),
        ("The town turns white in winter", False, ""),
    ],
)
def test_a_change_of_a_depicted_person_is_recognised(text: str, shown: bool, whose: str) -> None:
    assert depicted.change(text, shown=shown) == whose
