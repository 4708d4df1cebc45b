"""The state table, the reading of outcomes, and which stage comes next: the pure core of the pipeline."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.audit.base.errors import ConfigurationError
from byline.generation import states
from byline.generation.contracts import Outcome, Stage, Verdict
from byline.generation.planning import next_position
from byline.generation.states import State
from byline.generation.verdict import rule, summary
from byline.safety.checks import Check

# Written out again on purpose: a change of the table must be made twice, knowingly.
ALLOWED = {
    ("submitted", "checking"),
    ("submitted", "failed"),
    ("submitted", "cancelled"),
    ("checking", "held"),
    ("checking", "rejected"),
    ("checking", "queued"),
    ("checking", "failed"),
    ("checking", "cancelled"),
    ("held", "checking"),
    ("held", "queued"),
    ("held", "finishing"),
    ("held", "rejected"),
    ("held", "cancelled"),
    ("queued", "generating"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("generating", "held"),
    ("generating", "rejected"),
    ("generating", "finishing"),
    ("generating", "failed"),
    ("generating", "cancelled"),
    ("finishing", "queued"),
    ("finishing", "held"),
    ("finishing", "rejected"),
    ("finishing", "ready"),
    ("finishing", "failed"),
    ("finishing", "cancelled"),
    ("ready", "published"),
    ("ready", "rejected"),
}


@pytest.mark.parametrize(("here", "there"), itertools.product(State, State))
def test_every_pair_of_states_is_decided_by_the_table(here: State, there: State) -> None:
    if (here.value, there.value) in ALLOWED:
        assert states.check(here, there) is there
    else:
        with pytest.raises(states.IllegalTransition):
            states.check(here, there)


@pytest.mark.parametrize(("here", "there"), [("submitted", "done"), ("", "ready"), ("READY", "published")])
def test_unknown_states_are_illegal(here: str, there: str) -> None:
    with pytest.raises(states.IllegalTransition):
        states.check(here, there)


def test_ready_has_one_way_in_and_terminal_states_no_way_out() -> None:
    assert [here for here in State if State.READY in states.NEXT[here]] == [State.FINISHING]
    assert {State.REJECTED, State.PUBLISHED, State.FAILED, State.CANCELLED} == states.TERMINAL
    assert states.TERMINAL | {State.HELD, State.READY} == states.AT_REST


def test_each_active_state_belongs_to_exactly_one_queue_and_claims_are_legal() -> None:
    for state in State:
        queues = [queue for queue, moves in states.CLAIM.items() if state in moves]
        assert len(queues) == (1 if state in states.ACTIVE else 0)
        assert states.queue_of(state) == (queues[0] if queues else None)
    for moves in states.CLAIM.values():
        for here, there in moves.items():
            assert here is there or states.check(here, there) is there
    for there in states.AFTER_RELEASE.values():
        assert states.check(State.HELD, there) is there


def never(name: str) -> bool:
    return False


def available(action: str, name: str = "a") -> Check:
    return Check(name, "available", action, category="violence", clause="3.1", detail="too much")  # type: ignore[arg-type]


@pytest.mark.parametrize("nothing", [None, True, "allow", {"verdict": "allow"}, Outcome("allow")])  # type: ignore[arg-type]
def test_no_verdict_is_held(nothing: object) -> None:
    ruling = rule(nothing, excused=lambda name: True)
    assert (ruling.action, ruling.reasons, ruling.code) == ("hold", ("no_verdict",), "no_verdict")


def test_checks_make_a_verdict_only_stricter() -> None:
    allow = Verdict.ALLOW
    assert rule(Outcome(allow, checks=(available("allow"),)), excused=never).action == "pass"
    assert rule(Outcome(Verdict.TRANSFORM), excused=never).action == "pass"
    held = rule(Outcome(allow, checks=(available("allow"), available("review", "b"))), excused=never)
    assert (held.action, held.reasons, held.category, held.clause) == (
        "hold",
        ("b:review",),
        "violence",
        "3.1",
    )
    blocked = rule(Outcome(allow, checks=(available("review", "b"), available("block"))), excused=never)
    assert (blocked.action, blocked.reasons, blocked.message) == ("reject", ("a:block",), "too much")
    assert rule(Outcome(Verdict.REJECT, code="named"), excused=never).code == "named"


def test_a_check_that_did_not_run_is_held_unless_the_policy_excuses_it() -> None:
    missing = Outcome(Verdict.ALLOW, checks=(Check("a", "unavailable"),))
    assert rule(missing, excused=never).reasons == ("a:unavailable",)
    assert rule(missing, excused=lambda name: name == "a").action == "pass"
    broken = Outcome(Verdict.ALLOW, checks=(Check("a", "failed"),))
    assert rule(broken, excused=lambda name: True).reasons == ("a:failed",)
    odd = Outcome(Verdict.ALLOW, checks=(Check("a", "surely fine"),))  # type: ignore[arg-type]
    assert rule(odd, excused=lambda name: True).action == "hold"


def test_a_release_lifts_exactly_its_reasons() -> None:
    outcome = Outcome(Verdict.HOLD, checks=(available("review", "a"), available("review", "b")))
    assert rule(outcome, excused=never, released=["a:review"]).action == "hold"
    lifted = rule(outcome, excused=never, released=["a:review", "b:review"])
    assert (lifted.action, lifted.released) == ("pass", ("a:review", "b:review"))
    assert rule(Outcome(Verdict.HOLD), excused=never).reasons == ("hold",)


def test_a_reject_is_lifted_only_for_exactly_what_an_appeal_overturned() -> None:
    reject = Outcome(Verdict.REJECT, checks=(available("block"), available("review", "b")))
    assert rule(reject, excused=never, released=["a:review", "b:review"]).action == "reject"
    assert rule(reject, excused=never, released=["a:block"]).reasons == ("a:block", "b:review")
    lifted = rule(reject, excused=never, released=["a:block", "b:review"])
    assert (lifted.action, lifted.released) == ("pass", ("a:block", "b:review"))
    bare = Outcome(Verdict.REJECT, code="too_much")
    assert rule(bare, excused=never, released=["other"]).action == "reject"
    assert rule(bare, excused=never, released=["too_much"]).released == ("too_much",)


@pytest.mark.parametrize("category", ["minors", "intimate_imagery"])
def test_nobody_lifts_what_has_no_exception(category: str) -> None:
    check = dataclasses.replace(available("block"), category=category)
    reject = Outcome(Verdict.REJECT, checks=(check,))
    assert rule(reject, excused=never, released=["a:block"]).action == "reject"
    assert (
        rule(Outcome(Verdict.REJECT, category=category), excused=never, released=["reject"]).action
        == "reject"
    )
    missing = Outcome(Verdict.REJECT, checks=(available("block", "consent"),))
    assert rule(missing, excused=never, released=["consent:block"]).action == "reject"


checks = st.lists(
    st.builds(
        Check,
        st.sampled_from("abc"),
        st.sampled_from(["available", "unavailable", "failed"]),
        st.sampled_from(["allow", "review", "block"]),
    ),
    max_size=4,
).map(tuple)


@given(checks, st.sampled_from(Verdict), st.sets(st.sampled_from("abc")))
def test_only_a_clean_sheet_passes(some: tuple[Check, ...], verdict: Verdict, excusable: set[str]) -> None:
    ruling = rule(Outcome(verdict, checks=some), excused=excusable.__contains__)
    clean = all(
        (c.status == "available" and c.action == "allow")
        or (c.status == "unavailable" and c.name in excusable)
        for c in some
    )
    assert (ruling.action == "pass") == (clean and verdict in {Verdict.ALLOW, Verdict.TRANSFORM})
    assert ruling.action == "pass" or ruling.reasons


def test_a_check_that_did_not_run_is_reported_as_not_checked() -> None:
    rows = [
        {"name": "a", "status": "available", "action": "allow"},
        {"name": "b", "status": "unavailable", "action": "allow"},
        {"name": "c", "status": "failed", "action": "allow"},
    ]
    assert [row["result"] for row in summary(rows)] == ["allow", "not checked", "failed"]


def stage(name: str, needs: str = "", gives: str = "") -> Stage:
    return Stage(name, lambda request, artefact: None, "gpu", tuple(needs), tuple(gives))  # type: ignore[arg-type,return-value]


LINE = [
    stage("a"),
    stage("b", gives="s"),
    stage("c", gives="f"),
    stage("d", "f"),
    stage("e", "fs"),
    stage("z"),
]


@pytest.mark.parametrize(
    ("done", "memory", "expected"),
    [
        (0, "", 0),
        (1, "", 1),
        (3, "f", 3),
        (3, "", 2),
        (4, "fs", 4),
        (4, "f", 1),
        (4, "s", 2),
        (4, "", 1),
        (5, "", 5),
    ],
)
def test_what_is_gone_from_memory_is_made_again(done: int, memory: str, expected: int) -> None:
    assert next_position(LINE, done, memory) == expected


def test_giving_again_may_need_giving_again() -> None:
    line = [stage("a", gives="s"), stage("b", "s", "f"), stage("c", "f")]
    assert next_position(line, 2, "") == 0
    assert next_position(line, 2, "s") == 1


def test_a_need_that_nothing_gives_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        next_position([stage("a"), stage("b", "x")], 1, "")
