"""Debiasing touches open mentions only, reads naturally and fills the joint table evenly."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.safety.debias import debias
from byline.safety.fairness.attributes import TABLES, uniform

ADULT = tuple(uniform().cells("adult"))
EVERY = {cell for table in TABLES for cell in uniform().cells(table)}

OPEN = [
    "A doctor talks to a patient in a hospital",
    "a chef cooks pasta in a bright kitchen",
    "Someone walks along the beach at sunset",
    "A heart surgeon operates",
    "The chef's hands knead dough",
    "Close-up of a scientist looking through a microscope",
    "Chef plating a dessert, close up",
    "a person is riding a bike",
    "a man and a nurse talk",
    "a CEO gives a speech",
    "An elderly person feeds pigeons",
    "a model walks on the runway",
    "A tourist photographs a fountain in Buenos Aires",
]
LEFT = [
    "A female doctor smiles",
    "a Japanese chef slices fish",
    "a Black firefighter climbs a ladder",
    "A doctor adjusts his glasses",
    "a scientist and her robot",
    "he is a teacher",
    "a woman who is a pilot",
    "a dark-skinned dancer turns",
    "A bearded barista pours milk",
    "Barack Obama greets a nurse",
    "interview with Maria Gonzalez, a doctor",
    "nurse Anna waits",
    "medieval soldier on a horse",
    "a samurai and a farmer",
    "a soldier in 1944",
    "reconstruction of the trial, a judge speaks",
    "police said a driver was hurt on Monday",
    "A cat dressed as a chef",
    "statue of a soldier in a park",
    "a robot chef in a diner",
    "toy soldier on a shelf",
    "a model train passes",
    "student loan office",
    "hunter green sofa",
    "the fox hunts, the eagle lands",
    "una médica habla con una paciente",
    "一位女医生在医院里",
    "un medico tedesco parla",
    "A 60-year-old woman paints",
    "Lego figures of a doctor and a nurse",
    "Oyelaran Adeyemi meets students",
    "a portrait of Ingvild Strand with a patient",
    "Picasso paints while a visitor looks on",
    "A silver-haired pianist bows",
    "Too many chefs argue in a tiny kitchen",
    "CCTV shows a cyclist leaving the shop",
    "A mural of a boxer on a brick wall",
    "a priest lights a candle",
    "a guide to baking bread",
    "A court in Lyon heard the case of a teacher",
    "A doctor with a grey beard writes",
    "a whale swims with babies",
    "a vinyl player spins a record",
    "the engine of a plastic model",
    "an official looking letter on a desk",
    "a clip that tells people how to vote",
    "the army said forty people were killed",
    "a lake at dawn",
    "",
]


@pytest.mark.parametrize("prompt", OPEN)
def test_an_open_mention_is_filled(prompt: str) -> None:
    result = debias(prompt, seed=1, counts={})
    assert len(result.changes) >= 1
    assert set(result.draws) <= EVERY
    assert result.draws


@pytest.mark.parametrize("prompt", LEFT)
def test_what_is_said_named_historic_or_no_person_is_left_alone(prompt: str) -> None:
    result = debias(prompt, seed=1, counts={})
    assert result.prompt == prompt
    assert result.changes == ()
    assert result.draws == ()


def _forced(prompt: str, cell: str) -> str:
    """The rewrite when every other cell was drawn often."""
    counts = {c: 50 for c in EVERY if c != cell}
    return debias(prompt, seed=0, counts=counts).prompt


@pytest.mark.parametrize(
    ("prompt", "cell", "expected"),
    [
        ("a doctor waves", "adult/woman/dark-skinned/older", "an older dark-skinned female doctor waves"),
        ("A doctor waves", "adult/man/light-skinned/young", "A young light-skinned male doctor waves"),
        (
            "an engineer waves",
            "adult/woman/light-skinned/young",
            "a young light-skinned female engineer waves",
        ),
        ("a tired chef", "adult/man/brown-skinned/older", "a tired older brown-skinned male chef"),
        ("Someone waves", "adult/woman/brown-skinned/older", "An older brown-skinned woman waves"),
        ("a child waves", "child/man/dark-skinned", "a dark-skinned boy waves"),
        ("Teacher reading", "adult/woman/dark-skinned/young", "Young dark-skinned female teacher reading"),
        ("a CEO waves", "adult/man/dark-skinned/older", "an older dark-skinned male CEO waves"),
        ("an elderly person", "adult/woman/dark-skinned/older", "an elderly dark-skinned woman"),
        (
            "Chemistry teacher explains",
            "adult/man/brown-skinned/older",
            "Older brown-skinned male chemistry teacher explains",
        ),
        ("a new parent waves", "adult/woman/dark-skinned/older", "an older dark-skinned new mother waves"),
        ("a 61-year-old baker", "adult/man/dark-skinned/older", "a 61-year-old dark-skinned male baker"),
        ("An 80-year-old baker", "adult/man/dark-skinned/older", "An 80-year-old dark-skinned male baker"),
        ("a toddler waves", "child/woman/dark-skinned", "a dark-skinned toddler girl waves"),
        ("a teenager waves", "youth/man/dark-skinned", "a dark-skinned teenage boy waves"),
        (
            "a mechanic shows the engine",
            "adult/man/dark-skinned/young",
            "a young dark-skinned male mechanic shows the engine",
        ),
        ("a police officer", "adult/woman/dark-skinned/older", "an older dark-skinned female police officer"),
    ],
)
def test_the_wording_is_natural(prompt: str, cell: str, expected: str) -> None:
    assert _forced(prompt, cell) == expected


def test_groups_are_described_one_by_one_or_as_a_whole() -> None:
    two = debias("Two engineers look at a turbine", seed=3, counts={})
    assert len(two.draws) == 2
    assert two.prompt.startswith("Two engineers, a") or two.prompt.startswith("Two engineers, an")
    many = debias("nurses and doctors applaud", seed=3, counts={})
    assert many.prompt == "nurses and doctors of different genders, skin tones and ages applaud"
    assert many.draws == ()
    assert debias("A crowd cheers", seed=3, counts={}).prompt == "A diverse crowd cheers"
    assert debias("A crowd of fans cheers", seed=3, counts={}).prompt == "A diverse crowd of fans cheers"
    students = debias("Students of medicine take notes", seed=3, counts={}).prompt
    assert students == "Diverse students of medicine take notes"


def test_the_second_mention_of_the_same_person_is_left() -> None:
    result = debias("A farmer feeds chickens. The farmer laughs.", seed=3, counts={})
    assert len(result.changes) == 1
    assert result.prompt.endswith("The farmer laughs.")


def test_an_age_that_is_said_stays_and_is_drawn_as_said() -> None:
    result = debias("a young teacher writes", seed=3, counts={})
    assert result.draws[0].endswith("/young")
    assert result.prompt.count("young") == 1


def _entropy(values: Counter[str], size: int) -> float:
    total = sum(values.values())
    return -sum(v / total * math.log(v / total) for v in values.values()) / math.log(size)


@pytest.mark.parametrize("n", [18, 54, 180])
def test_the_joint_table_fills_evenly(n: int) -> None:
    ledger: Counter[str] = Counter()
    for i in range(n):
        ledger.update(debias("a doctor waves", seed=i, counts=ledger).draws)
    assert _entropy(ledger, len(ADULT)) > 0.9999
    assert set(ledger) == set(ADULT)


@given(st.integers(0, 2**31), st.sampled_from([6, 12, 24]))
@settings(max_examples=20, deadline=None)
def test_the_marginals_are_even_long_before_the_table_is_full(seed: int, n: int) -> None:
    ledger: Counter[str] = Counter()
    for _ in range(n):
        ledger.update(debias("a doctor waves", seed=seed, counts=ledger).draws)
    for place, name in enumerate(("gender", "skin", "age"), start=1):
        values = uniform().shares[name]
        share = Counter({v: 0 for v in values})
        for cell, count in ledger.items():
            share[cell.split("/")[place]] += count
        assert max(share.values()) - min(share.values()) <= 2


def test_the_same_seed_and_ledger_repeat_exactly_and_another_seed_differs() -> None:
    prompt = "a doctor, a chef and a pilot wait"
    one = debias(prompt, seed=5, counts={})
    assert one == debias(prompt, seed=5, counts={})
    assert len({debias(prompt, seed=s, counts={}).draws for s in range(10)}) > 5


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_text_is_accepted_and_changes_rebuild_the_prompt(text: str) -> None:
    result = debias(text, seed=1, counts={})
    rebuilt = text
    for change in reversed(result.changes):
        assert text[change.start : change.end] == change.original
        rebuilt = rebuilt[: change.start] + change.replacement + rebuilt[change.end :]
    assert rebuilt == result.prompt
