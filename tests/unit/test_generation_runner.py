"""The runner with small real stages on the real database: what commits together, happens once,
fails closed and survives a dead worker."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from byline.audit.base.errors import InvalidInput
from byline.audit.models import Entry
from byline.audit.pseudonyms import actor
from byline.generation import brands, effects, lease, runner, states, store, submit
from byline.generation.contracts import Artefact, Effect, Outcome, Stage, Verdict
from byline.generation.models import EffectApplied, GenerationRequest, QuotaLedger, StageRun
from byline.generation.states import State
from byline.safety.checks import Check

pytestmark = pytest.mark.django_db(transaction=True)
SHA = "ab" * 32
DRAWN = 1  # one person is left open in what the line's draw asks for


def drawn() -> int:
    """Cells drawn so far for the brand of `ask`."""
    return sum(QuotaLedger.counts(brands.DEFAULT).values())


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "LEASE_S": 2.0, "HEARTBEAT_S": 0.2, "SWEEP_S": 1.0}


class Line:
    """A line of three gates, two makers and two finishers whose behaviour a test may replace."""

    def __init__(self, **replaced: Callable[[Any, Artefact], Any]) -> None:
        self.calls: list[str] = []
        self.replaced = replaced
        self.stages = [
            self._stage("check", "light"),
            self._stage("draw", "light"),
            self._stage("make", "gpu", gives=("frames",)),
            self._stage("screen", "gpu", needs=("frames",)),
            self._stage("encode", "gpu", needs=("frames",)),
            self._stage("log", "light"),
            self._stage("ready", "light"),
        ]

    def _stage(self, name: str, queue: str, **more: Any) -> Stage:
        def run(request: Any, artefact: Artefact) -> Any:
            self.calls.append(name)
            return self.replaced.get(name, getattr(self, f"_{name}"))(request, artefact)

        return Stage(name, run, queue, **more)

    def _check(self, request: Any, artefact: Artefact) -> Outcome:
        return Outcome(Verdict.ALLOW, checks=(Check("moderation", "available"),))

    def _draw(self, request: Any, artefact: Artefact) -> Outcome:
        return Outcome(Verdict.TRANSFORM, effects=(Effect("quota_draw", {"prompt": "A doctor waves."}),))

    def _make(self, request: Any, artefact: Artefact) -> Outcome:
        artefact.memory["frames"] = [1, 2, 3]
        artefact.progress(0.5, "half")
        return Outcome(Verdict.ALLOW, effects=(Effect("reserve_ids"),))

    def _screen(self, request: Any, artefact: Artefact) -> Outcome:
        return Outcome(Verdict.ALLOW, evidence={"frames": len(artefact.memory["frames"])})

    def _encode(self, request: Any, artefact: Artefact) -> Outcome:
        path = artefact.workdir / "clip.mp4"
        path.write_bytes(str(artefact.memory["frames"]).encode())
        return Outcome(Verdict.ALLOW, files={"encoded": path})

    def _log(self, request: Any, artefact: Artefact) -> Outcome:
        digest = store.sha256_of(artefact.files["encoded"])
        payload = {"stage": "log", "code": digest[:8], "attempt": 0}
        return Outcome(
            Verdict.ALLOW,
            effects=(Effect("append", {"kind": "generation.failed", "payload": payload}, key=digest),),
        )

    def _ready(self, request: Any, artefact: Artefact) -> Outcome:
        entry = artefact.produced["log"]["effects"]["append"]["entry"]
        return Outcome(
            Verdict.ALLOW,
            produces={"sha256": SHA, "manifest_sha256": SHA, "asset_entry": entry, "record": "r"},
        )


def nobody(request_id: uuid.UUID, queue: str) -> None:
    """In place of the broker."""


def ask(**more: Any) -> GenerationRequest:
    return submit.submit(prompt="A red kite.", requester="user:1", wake_worker=nobody, **more)


def end(line: Line, row: GenerationRequest) -> GenerationRequest:
    runner.run_to_end(row.pk, stages=line.stages)
    row.refresh_from_db()
    return row


def kinds(row: GenerationRequest) -> list[str]:
    return list(Entry.objects.filter(subject=row.subject).order_by("id").values_list("kind", flat=True))


def broken(code: str = "internal") -> Callable[[Any, Artefact], Any]:
    def run(request: Any, artefact: Artefact) -> Any:
        raise ValueError(f"secret: {request.prompt}")

    return run


def test_a_request_goes_through_every_stage_once_and_says_so() -> None:
    row, line, seen = ask(), Line(), []
    state = runner.run_to_end(row.pk, lambda *seen_now: seen.append(seen_now), stages=line.stages)
    row.refresh_from_db()
    assert state is State.READY
    assert line.calls == [stage.name for stage in line.stages]
    assert kinds(row) == [
        "generation.submitted",
        "generation.decided",
        "generation.failed",  # what this line's log stage appends
        "generation.ready",
    ]
    assert (row.file_sha256, row.result["record"], row.lease_until, row.lease_owner) == (SHA, "r", None, "")
    assert row.progress == 1.0
    assert [fraction for fraction, *_ in seen] == sorted(fraction for fraction, *_ in seen)
    assert (2.5 / 7, "make", "half") in seen
    assert drawn() == DRAWN
    assert not store.work_directory(row.pk).exists()


def test_the_worker_of_one_queue_stops_where_the_other_begins() -> None:
    row, line, woken = ask(), Line(), []
    queues = [("gpu", None), ("light", State.QUEUED), ("light", None), ("gpu", State.FINISHING)]
    for queue, expected in [*queues, ("gpu", None), ("light", State.READY), ("light", None)]:
        got = runner.run(
            row.pk, queue, stages=line.stages, wake_next=lambda pk, queue: woken.append((pk, queue))
        )
        assert got is expected
    assert woken == [(row.pk, "gpu"), (row.pk, "light")]
    assert len(line.calls) == len(line.stages)


@pytest.mark.parametrize("nothing", [None, "allow", Outcome("allow")])  # type: ignore[arg-type]
@pytest.mark.parametrize("stage", ["check", "screen", "log"])
def test_no_verdict_is_held(stage: str, nothing: Any) -> None:
    row = end(Line(**{stage: lambda request, artefact: nothing}), ask())
    assert (row.state, row.error_code, row.held_for, row.stage) == (
        "held",
        "no_verdict",
        ["no_verdict"],
        stage,
    )
    assert kinds(row)[-1] == "generation.held"


def test_a_rejected_request_makes_nothing_and_says_why() -> None:
    block = Check("moderation", "available", "block", "It incites.", "violence", "2.1", 0.99)
    line = Line(check=lambda request, artefact: Outcome(Verdict.REJECT, checks=(block,), code="blocked"))
    row = end(line, ask())
    assert line.calls == ["check"]
    assert row.error == {
        "code": "blocked",
        "message": "It incites.",
        "help": "Change the request and send it again, or read the clause that is named.",
        "category": "violence",
        "clause": "2.1",
    }
    entry = Entry.objects.get(subject=row.subject, kind="generation.blocked")
    assert entry.payload["checks"] == [{"name": "moderation", "result": "block"}]
    assert not store.work_directory(row.pk).exists()
    assert drawn() == 0


def test_a_check_that_broke_is_held_and_one_that_did_not_run_is_as_the_policy_says() -> None:
    def saying(check: Check) -> Line:
        return Line(check=lambda request, artefact: Outcome(Verdict.ALLOW, checks=(check,)))

    assert end(saying(Check("moderation", "failed")), ask()).held_for == ["moderation:failed"]
    assert end(saying(Check("moderation", "unavailable")), ask()).held_for == ["moderation:unavailable"]


def test_an_excused_check_is_recorded_as_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    from byline.safety.policy import Policy

    monkeypatch.setattr(
        Policy, "may_be_unavailable", lambda self, profile, name, brand: name == "output.faces"
    )
    checks = (Check("output.faces", "unavailable"), Check("moderation", "available"))
    row = end(Line(check=lambda request, artefact: Outcome(Verdict.ALLOW, checks=checks)), ask())
    assert row.state == "ready"
    decided = Entry.objects.get(subject=row.subject, kind="generation.decided")
    assert {"name": "output.faces", "result": "not checked"} in decided.payload["checks"]


def test_an_error_of_ours_fails_with_its_code_and_an_unexpected_one_leaks_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def ours(request: Any, artefact: Artefact) -> Any:
        raise InvalidInput("The brand has no logo.", help="Add one.")

    row = end(Line(make=ours), ask())
    assert (row.state, row.stage) == ("failed", "make")
    assert (row.error_code, row.error_message, row.error_help) == (
        "invalid_input",
        "The brand has no logo.",
        "Add one.",
    )
    row = end(Line(screen=broken()), ask())
    assert (row.state, row.error_code) == ("failed", "internal")
    texts = [row.error_message, caplog.text, *map(str, Entry.objects.values_list("payload", flat=True))]
    assert "ValueError" in caplog.text
    assert not [text for text in texts if "secret" in text or "kite" in text]
    assert kinds(row)[-1] == "generation.failed"
    assert not store.work_directory(row.pk).exists()


def test_outcome_effects_and_entry_commit_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(row: Any, payload: Any) -> Any:
        raise RuntimeError

    monkeypatch.setitem(effects._kinds, "fails", fails)
    both = (Effect("quota_draw", {"prompt": "A doctor waves."}), Effect("fails"))
    row = end(Line(draw=lambda request, artefact: Outcome(Verdict.ALLOW, effects=both)), ask())
    assert row.state == "failed"
    assert drawn() == 0
    assert not EffectApplied.objects.filter(request=row).exists()
    assert not StageRun.objects.filter(request=row, stage="draw").exists()


def test_an_unknown_effect_fails_the_request() -> None:
    unknown = Outcome(Verdict.ALLOW, effects=(Effect("teleport"),))
    assert end(Line(draw=lambda request, artefact: unknown), ask()).error_code == "internal"


def test_a_stage_missing_from_the_rows_never_becomes_ready() -> None:
    def forget(request: Any, artefact: Artefact) -> Outcome:
        StageRun.objects.filter(request=request, stage="screen").delete()
        return line._ready(request, artefact)

    line = Line(ready=forget)
    row = end(line, ask())
    assert (row.state, row.error_code) == ("failed", "pipeline_broken")


def test_a_database_that_goes_away_is_not_a_failure_of_the_request() -> None:
    def away(request: Any, artefact: Artefact) -> Any:
        raise OperationalError("gone")

    row = ask()
    with pytest.raises(OperationalError):
        runner.run(row.pk, "light", stages=Line(check=away).stages)
    row.refresh_from_db()
    assert row.state == "checking"
    expire(row)
    assert end(Line(), row).state == "ready"


# --- leases -------------------------------------------------------------------------------------


def expire(row: GenerationRequest) -> None:
    """As if the worker had died long ago."""
    GenerationRequest.objects.filter(pk=row.pk, lease_until__isnull=False).update(
        lease_until=timezone.now() - timezone.timedelta(seconds=1)
    )


class Died(BaseException):
    """kill -9, as far as the runner can tell: nothing after it runs."""


def die_in(stage: str, row: GenerationRequest) -> Line:
    """Run until the stage dies as a killed process would: no row is written after it."""

    def dies(request: Any, artefact: Artefact) -> Any:
        raise Died

    line = Line(**{stage: dies})
    with pytest.raises(Died):
        runner.run_to_end(row.pk, stages=line.stages)
    expire(row)
    return line


def test_a_claim_is_exclusive_until_the_lease_runs_out() -> None:
    row = ask()
    first = lease.claim(row.pk, "light")
    assert first is not None
    assert lease.claim(row.pk, "light") is None
    expire(row)
    second = lease.claim(row.pk, "light")
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)
    with pytest.raises(lease.LeaseLost), runner.transaction.atomic():
        first.lock()


def test_many_workers_claim_at_once_and_one_gets_it() -> None:
    row, got, start = ask(), [], threading.Barrier(6)

    def work() -> None:
        start.wait()
        got.append(lease.claim(row.pk, "light"))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len([held for held in got if held]) == 1


@pytest.mark.parametrize(
    ("stage", "again"),
    [
        ("check", ["check", "draw", "make", "screen", "encode", "log", "ready"]),
        ("draw", ["draw", "make", "screen", "encode", "log", "ready"]),
        ("make", ["make", "screen", "encode", "log", "ready"]),
        ("screen", ["make", "screen", "encode", "log", "ready"]),
        ("encode", ["make", "screen", "encode", "log", "ready"]),  # screened again: new frames
        ("log", ["log", "ready"]),
        ("ready", ["ready"]),
    ],
)
def test_after_a_dead_worker_only_what_is_gone_runs_again(stage: str, again: list[str]) -> None:
    row, line = ask(), Line()
    die_in(stage, row)
    assert end(line, row).state == "ready"
    assert line.calls == again
    assert drawn() == DRAWN
    assert EffectApplied.objects.filter(request=row).count() == 3
    assert kinds(row).count("generation.ready") == 1


def test_an_encoded_file_that_is_lost_is_made_again_from_the_start_of_making() -> None:
    row, line = ask(), Line()
    die_in("ready", row)
    for path in store.work_directory(row.pk).rglob("clip.mp4"):
        path.write_bytes(b"half")
    entry = EffectApplied.objects.get(request=row, kind="append").result["entry"]
    assert end(line, row).state == "ready"
    assert line.calls == ["make", "screen", "encode", "log", "ready"]
    row.refresh_from_db()
    assert row.result["asset_entry"] == entry  # the same bytes need no second entry
    assert StageRun.objects.get(request=row, stage="encode").runs == 2
    assert StageRun.objects.get(request=row, stage="encode").superseded == 0


def test_a_clip_that_was_made_differently_gets_an_entry_of_its_own() -> None:
    def encode(request: Any, artefact: Artefact) -> Outcome:
        path = artefact.workdir / "clip.mp4"
        path.write_bytes(b"another encoder")
        return Outcome(Verdict.ALLOW, files={"encoded": path})

    row = ask()
    die_in("ready", row)
    for path in store.work_directory(row.pk).rglob("clip.mp4"):
        path.unlink()
    first = EffectApplied.objects.get(request=row, kind="append").result["entry"]
    row = end(Line(encode=encode), row)
    assert row.result["asset_entry"] > first
    assert StageRun.objects.get(request=row, stage="encode").superseded == 1


def test_a_worker_that_dies_every_time_fails_with_a_reason(settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "MAX_ATTEMPTS": 3}
    row = ask()
    for _ in range(3):
        die_in("screen", row)
    row = end(Line(), row)
    assert (row.state, row.error_code) == ("failed", "too_many_attempts")
    assert "3 times" in row.error_message


def test_the_loser_of_a_lease_writes_nothing() -> None:
    row, winner = ask(), Line()

    def overtaken(request: Any, artefact: Artefact) -> Outcome:
        expire(row)
        (artefact.workdir / "clip.mp4").write_bytes(b"late")
        assert runner.run(row.pk, "light", stages=winner.stages) is State.QUEUED
        return Outcome(
            Verdict.REJECT, code="late", effects=(Effect("quota_draw", {"prompt": "A nurse waves."}),)
        )

    assert runner.run(row.pk, "light", stages=Line(draw=overtaken).stages) is None
    row.refresh_from_db()
    assert row.state == "queued"
    assert winner.calls == ["draw"]
    assert drawn() == DRAWN
    assert end(winner, row).state == "ready"


def test_the_heartbeat_keeps_a_long_stage_alive() -> None:
    row = ask()

    def slow(request: Any, artefact: Artefact) -> Outcome:
        time.sleep(2.6)  # longer than LEASE_S
        assert lease.claim(row.pk, "light") is None
        artefact.check_cancelled()
        return Outcome(Verdict.ALLOW)

    assert runner.run(row.pk, "light", stages=Line(check=slow).stages) is State.QUEUED


def test_progress_reaches_the_row_while_a_stage_runs() -> None:
    row, seen = ask(), []

    def slow(request: Any, artefact: Artefact) -> Outcome:
        artefact.progress(0.5, "halfway")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not seen:
            fresh = GenerationRequest.objects.get(pk=row.pk)
            if fresh.message == "halfway":
                seen.append((round(fresh.progress, 3), fresh.stage))
            time.sleep(0.05)
        return Outcome(Verdict.ALLOW)

    runner.run(row.pk, "light", stages=Line(check=slow).stages)
    assert seen == [(round(0.5 / 7, 3), "check")]


# --- cancelling ---------------------------------------------------------------------------------


def test_cancelling_a_waiting_request_ends_it_at_once() -> None:
    row = ask()
    assert submit.cancel(row.pk, "user:1").state == "cancelled"
    assert Entry.objects.get(subject=row.subject, kind="generation.cancelled").actor == actor("user:1")
    assert runner.run(row.pk, "light", stages=Line().stages) is None
    with pytest.raises(states.IllegalTransition):
        submit.cancel(row.pk, "user:1")


def test_cancelling_stops_the_engine_between_two_steps() -> None:
    row, steps = ask(), []

    def engine(request: Any, artefact: Artefact) -> Outcome:
        assert submit.cancel(row.pk, "user:2").state == "generating"
        for step in range(200):
            artefact.progress(step / 200, "step")
            artefact.check_cancelled()
            steps.append(step)
            time.sleep(0.02)
        return Outcome(Verdict.ALLOW)

    line = Line(make=engine)
    row = end(line, row)
    assert (row.state, row.stage, row.lease_until) == ("cancelled", "make", None)
    assert 0 < len(steps) < 150
    assert line.calls == ["check", "draw", "make"]
    assert kinds(row)[-1] == "generation.cancelled"
    assert Entry.objects.filter(subject=row.subject).order_by("-id")[0].actor == actor("user:2")
    assert not store.work_directory(row.pk).exists()


def test_a_cancellation_during_the_last_stage_wins() -> None:
    def last(request: Any, artefact: Artefact) -> Outcome:
        submit.cancel(request.pk, "user:1")
        return line._ready(request, artefact)

    line = Line(ready=last)
    assert end(line, ask()).state == "cancelled"


def test_cancelling_after_the_worker_died_needs_no_worker() -> None:
    row = ask()
    die_in("make", row)
    assert submit.cancel(row.pk, "user:1").state == "cancelled"
    assert not store.work_directory(row.pk).exists()


# --- holds and releases -------------------------------------------------------------------------


def review(*names: str) -> Callable[[Any, Artefact], Outcome]:
    checks = tuple(Check(name, "available", "review", "Unclear.") for name in names)
    return lambda request, artefact: Outcome(Verdict.HOLD, checks=checks, code="review")


@pytest.mark.parametrize(
    ("stage", "state"), [("check", "checking"), ("screen", "queued"), ("log", "finishing")]
)
def test_a_released_hold_goes_on_where_it_was_held(stage: str, state: str) -> None:
    row, woken = ask(), []

    def held_then_logged(request: Any, artefact: Artefact) -> Outcome:
        line._log(request, artefact)
        found = review("a")(request, artefact)
        return Outcome(found.verdict, checks=found.checks, effects=line._log(request, artefact).effects)

    line = Line(**{stage: held_then_logged if stage == "log" else review("a")})
    assert end(line, row).state == "held"
    released = submit.release(row.pk, "user:9", "seen it", wake_worker=lambda *a: woken.append(a))
    assert released.state == state
    assert released.error == {}
    assert woken == [(row.pk, states.queue_of(state))]
    row = end(line, row)
    assert row.state == "ready"
    run = StageRun.objects.get(request=row, stage=stage)
    assert run.evidence["released"] == ["a:review"]
    entry = Entry.objects.get(subject=row.subject, kind="generation.released")
    assert (entry.actor, entry.payload["reasons"]) == (actor("user:9"), ["a:review"])
    assert "seen it" not in str(entry.payload)


def test_a_release_does_not_cover_what_shows_up_later() -> None:
    row = end(Line(check=review("a")), ask())
    submit.release(row.pk, "user:9", "fine", wake_worker=nobody)
    row = end(Line(check=review("a", "b")), row)
    assert (row.state, row.held_for) == ("held", ["a:review", "b:review"])


def test_only_a_held_request_can_be_released() -> None:
    row = ask()
    with pytest.raises(states.IllegalTransition):
        submit.release(row.pk, "user:9", "why not", wake_worker=nobody)
    with pytest.raises(InvalidInput):
        submit.release(row.pk, "user:9", "  ", wake_worker=nobody)
