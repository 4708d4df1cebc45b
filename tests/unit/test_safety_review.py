"""Review's pure parts and its services: clocks, draws, agreement, locks, what a decision needs."""

import math
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import review_kit as kit
import yaml
from hypothesis import given
from hypothesis import strategies as st

from byline.audit.base.errors import InvalidInput
from byline.audit.models import Entry
from byline.platform.models import StatusChange
from byline.safety.review import cases, rules, services
from byline.safety.review.agreement import cohen_kappa, krippendorff_alpha, measure
from byline.safety.review.clocks import clocks, merged
from byline.safety.review.errors import (
    AppealRefused,
    CaseNotFound,
    CaseNotTaken,
    CaseSettled,
    DecisionInvalid,
)
from byline.safety.review.metrics import metrics
from byline.safety.review.models import Case, Decision, Report
from byline.safety.review.sampling import drawn

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


# ---------------------------------------------------------------- clocks and rules, pure


@pytest.mark.parametrize(
    ("kind", "country", "hours", "regime"),
    [
        ("intimate", "", 2, "in_intimate"),  # who does not say where they are gets the shortest
        ("intimate", "us", 48, "us_take_it_down"),
        ("intimate", "eu", 72, "house"),
        ("order", "in", 3, "in_order"),
        ("label", "eu", 48, "eu_labels"),
        ("rights", "in", 72, "house"),
        ("other", "other", 72, "house"),
    ],
)
def test_the_nearest_duty_counts(kind: str, country: str, hours: float, regime: str):
    found = clocks(rules.load(), "report", START, kind=kind, country=country)
    assert (found[0].regime, found[0].due - START) == (regime, timedelta(hours=hours))
    assert all(a.due <= b.due for a, b in pairwise(found))
    assert all(clock.source for clock in found)


def test_a_report_that_joins_can_only_shorten_the_clocks():
    chosen = rules.load()
    first = [clock.as_dict() for clock in clocks(chosen, "report", START, kind="rights")]
    later = clocks(chosen, "report", START + timedelta(hours=1), kind="intimate")
    joined = merged(first, later)
    assert joined[0]["regime"] == "in_intimate"
    assert (
        next(item for item in joined if item["regime"] == "house")["due"]
        == (START + timedelta(hours=72)).isoformat()
    )


def broken(change: Any) -> Any:
    raw = yaml.safe_load(rules.SHIPPED.read_text())
    change(raw)
    return raw


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["in_force"].remove("house"),
        lambda r: r["in_force"].append("atlantis"),
        lambda r: r["regimes"]["house"].update(hours=0),
        lambda r: r["regimes"]["in_order"].update(kinds=["nonsense"]),
        lambda r: r["regimes"]["in_order"].update(country="atlantis"),
        lambda r: r["reasons"]["policy"].update(outcomes=["burn"]),
        lambda r: r["reasons"]["policy"].pop("status"),
        lambda r: r["reasons"]["mislabelled"].update(outcomes=["refuse"]),  # nothing fits "relabel"
        lambda r: r["sampling"].update(allowed_percent=101),
        lambda r: r["priorities"]["sources"].update(nobody=1),
        lambda r: r.pop("tags"),
        lambda r: r["report_kinds"].update(a_name_that_is_too_long="x"),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit_together_are_refused(change: Any, tmp_path: Path):
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(broken(change)))
    with pytest.raises(rules.RulesInvalid):
        rules.load(file)


def test_every_reason_has_a_public_code_that_exists():
    assert {item.status for item in rules.load().reasons.values()} - {""} <= set(StatusChange.Reason.values)


@given(st.text(max_size=20), st.floats(0, 100))
def test_a_draw_repeats_and_grows_with_its_share(subject: str, percent: float):
    first = drawn("seed", "second", subject, percent)
    assert first == drawn("seed", "second", subject, percent)
    assert not first or drawn("seed", "second", subject, 100)
    assert not drawn("seed", "second", subject, 0)


def test_a_draw_takes_about_its_share():
    taken = sum(drawn("seed", "allowed", str(n), 5) for n in range(20_000))
    assert 880 < taken < 1120  # 1000 expected, four standard deviations are 123


# ---------------------------------------------------------------- agreement, pure


def test_kappa_is_that_of_the_textbook():
    """The 2 x 2 example that goes with Cohen 1960: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no -> 0.4."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert math.isclose(cohen_kappa(pairs) or 0, 0.4)
    found = measure(pairs)
    assert (found.n, found.same) == (50, 0.7)
    assert found.interval is not None
    assert found.interval[0] < 0.4 < found.interval[1]
    assert measure(pairs) == found  # seeded


def test_alpha_is_that_of_krippendorff():
    """Krippendorff 2011, section B: two observers, nominal data, 12 units -> 0.692."""
    a = ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"]
    b = ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"]
    assert round(krippendorff_alpha(zip(a, b, strict=True)) or 0, 3) == 0.692


def test_no_figure_where_there_is_nothing_to_compare():
    assert cohen_kappa([]) is None
    assert cohen_kappa([("y", "y")] * 5) is None  # chance alone explains it
    assert krippendorff_alpha([["y"], ["n"]]) is None
    assert measure([("y", "n")]).interval is None


answers = st.sampled_from(["release", "reject"])


@given(st.lists(st.tuples(answers, answers), min_size=1, max_size=40))
def test_kappa_and_alpha_stay_in_their_bounds(pairs: list[tuple[str, str]]):
    for value in (cohen_kappa(pairs), krippendorff_alpha(pairs)):
        assert value is None or -1 - 1e-9 <= value <= 1 + 1e-9
    assert cohen_kappa([(b, a) for a, b in pairs]) == cohen_kappa(pairs)


# ---------------------------------------------------------------- services


@pytest.fixture
def case(db: None) -> Case:
    return cases.open_case("hold", f"request:{uuid.uuid4()}", category="real_person", excluded=["ed"])


def decide(case: Case, who: str = "rita", **more: Any) -> Decision:
    values: dict[str, Any] = {
        "outcome": "release",
        "reason": "context",
        "clause": "P1",
        "rationale": "News about an election.",
        "carry_out": lambda case, decision: None,
        **more,
    }
    return services.decide(case.pk, who, **values)


def test_a_case_is_taken_and_decided_and_the_log_holds_commitments(case: Case):
    services.take(case.pk, "rita")
    made = decide(case)
    case.refresh_from_db()
    assert (case.state, case.assignee) == ("decided", "")
    entry = Entry.objects.get(pk=made.entry)
    assert entry.kind == "safety.case_decided"
    assert entry.payload["rationale"] == made.commit("rationale")
    assert entry.payload["in_time"] is True
    everything = str(list(Entry.objects.values()))
    assert "election" not in everything
    assert "rita" not in everything
    with pytest.raises(TypeError):
        made.save()
    with pytest.raises(CaseSettled):
        services.take(case.pk, "ralf")


def test_a_case_that_nobody_took_is_not_decided(case: Case):
    with pytest.raises(CaseNotTaken):
        decide(case)
    assert not Decision.objects.exists()


def test_a_lock_runs_out(case: Case):
    services.take(case.pk, "rita")
    Case.objects.filter(pk=case.pk).update(locked_until=START)
    with pytest.raises(CaseNotTaken):
        decide(case)
    services.take(case.pk, "ralf")
    assert decide(case, "ralf").reviewer == "ralf"


def test_what_a_decision_changes_and_its_record_are_one(case: Case):
    def fails(case: Case, decision: Decision) -> None:
        raise InvalidInput("no")

    services.take(case.pk, "rita")
    with pytest.raises(InvalidInput):
        decide(case, carry_out=fails)
    case.refresh_from_db()
    assert case.state == "open"
    assert not Decision.objects.exists()
    assert not Entry.objects.filter(kind="safety.case_decided").exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"outcome": "take_down"},
        {"outcome": "keep"},
        {"reason": "policy"},
        {"reason": "because"},
        {"clause": "Z9"},
        {"rationale": "   "},
        {"rationale": "x" * 1001},
        {"explanation": "x" * 2001},
        {"public_statement": "x" * 301},
        {"tags": ["magic"]},
        {"outcome": "reject", "reason": "policy"},  # without words for the user
    ],
)
def test_a_decision_says_everything_that_it_needs(case: Case, bad: dict[str, Any]):
    services.take(case.pk, "rita")
    with pytest.raises(DecisionInvalid):
        decide(case, **bad)
    assert not Decision.objects.exists()


def test_every_outcome_of_the_kit_fits_the_shipped_rules():
    for outcome, (reason, clause) in kit.FITTING.items():
        assert outcome in rules.load().reasons[reason].outcomes
        assert clause in services.clauses()


def test_the_queue_is_ordered_and_leaves_out_ones_own(db: None):
    slow = cases.open_case("sample", "request:a", excluded=["ed"])
    held = cases.open_case("hold", "request:b", excluded=["ed"])
    urgent = cases.open_case("report", "record:c", kind="intimate")
    assert list(cases.queue("rita")) == [urgent, held, slow]
    assert list(cases.queue("ed")) == [urgent]


def test_a_second_report_joins_the_open_case(db: None):
    first = cases.report("record:a", kind="rights", message="mine")
    second = cases.report("record:a", kind="intimate", message="me")
    assert first.case_id == second.case_id
    joined = Case.objects.get()
    assert (joined.priority, joined.kind, joined.clocks[0]["regime"]) == (0, "intimate", "in_intimate")
    assert joined.due_at < first.case.due_at
    assert cases.report("", kind="other", message="x").case_id != first.case_id


def test_words_and_addresses_of_settled_reports_go_in_time(db: None):
    row = cases.report("record:a", kind="rights", message="mine", contact="me@example.org")
    kit_case = row.case
    services.take(kit_case.pk, "rita")
    decide(kit_case, outcome="keep", reason="no_violation", clause="O1")
    for days, left in ((29, ("mine", "me@example.org")), (31, ("mine", "")), (366, ("", ""))):
        Case.objects.filter(pk=kit_case.pk).update(settled_at=datetime.now(UTC) - timedelta(days=days))
        cases.report("", kind="other", message="x")
        row.refresh_from_db()
        assert (row.message, row.contact) == left
    assert Report.objects.count() == 4


def test_an_appeal_is_made_once_in_time_and_not_against_an_appeal(case: Case):
    services.take(case.pk, "rita")
    made = decide(case, outcome="reject", reason="policy", explanation="No.")
    facts = {"appellant": "ed", "plea": "It is satire."}
    late = made.decided_at - timedelta(days=184)
    with pytest.raises(AppealRefused):
        services.appeal(case, case.subject, decided_at=late, **facts)
    with pytest.raises(InvalidInput):
        services.appeal(case, case.subject, decided_at=made.decided_at, appellant="ed", plea=" ")
    appeal = services.appeal(case, case.subject, decided_at=made.decided_at, **facts)
    assert appeal.excluded == ["ed", "rita"]
    with pytest.raises(AppealRefused):
        services.appeal(case, case.subject, decided_at=made.decided_at, **facts)
    services.take(appeal.pk, "ralf")
    final = decide(appeal, "ralf", outcome="uphold", reason="not_shown", explanation="It stands.")
    with pytest.raises(AppealRefused):
        services.appeal(appeal, case.subject, decided_at=final.decided_at, **facts)


def test_a_second_rater_does_not_know_the_first_and_agreement_is_measured(
    db: None, monkeypatch: Any, case: Case
):
    kit.draws(monkeypatch, second_percent=100, repeat_percent=100)
    services.take(case.pk, "rita")
    decide(case)
    second, repeat = Case.objects.get(source="second"), Case.objects.get(source="repeat")
    assert (second.rated_as, services.outcomes(second)) == ("hold", ("release", "reject"))
    assert second.priority == case.priority
    assert set(second.excluded) == {"ed", "rita"}
    assert (repeat.only, repeat in cases.queue("rita")) == ("rita", False)  # not before two weeks
    soon = datetime.now(UTC) + timedelta(days=15)
    assert repeat in cases.queue("rita", soon)
    assert repeat not in cases.queue("ralf", soon)
    done: list[Any] = []
    services.take(second.pk, "ralf")
    decide(second, "ralf", outcome="reject", reason="policy", carry_out=lambda *args: done.append(args))
    assert not done  # it only measures
    found = metrics()["agreement"]
    assert found["second_raters"]["n"] == 1
    assert found["second_raters"]["same"] == 0.0
    assert found["same_person_again"]["n"] == 0
    assert metrics()["decisions"]["n"] == 1  # a rating is no decision


def test_figures_without_an_n_are_none(db: None):
    found = metrics()
    assert found["queue"]["open"] == 0
    assert found["decisions"]["in_time"] is found["appeals"]["overturned"] is None
    assert found["reports"]["dismissed"] is None


def test_figures_count_what_is_late_and_what_was_dismissed(db: None):
    first = cases.report("record:a", kind="rights", message="mine").case
    cases.report("record:b", kind="rights", message="mine")
    Case.objects.filter(pk=first.pk).update(opened_at=START, due_at=START + timedelta(hours=1))
    assert (metrics()["queue"]["open"], metrics()["queue"]["overdue"]) == (2, 1)
    services.take(first.pk, "rita")
    decide(first, outcome="keep", reason="no_violation", clause="O1")
    found = metrics()
    assert found["reports"] == {"n": 1, "dismissed": 1.0}
    assert found["decisions"]["in_time"] == 0.0


def test_an_unknown_case_is_said_to_be_so(db: None):
    for name in (uuid.uuid4(), "nonsense"):
        with pytest.raises(CaseNotFound):
            cases.find(name)
