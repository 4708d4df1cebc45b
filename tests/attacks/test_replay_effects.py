"""Messages delivered twice, late or all at once must not draw, reserve, log or sign anything twice."""

import dataclasses
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from byline.audit.models import Entry
from byline.generation import effects, pipeline, runner
from byline.generation.contracts import Artefact, Effect
from byline.generation.models import EffectApplied, GenerationRequest, QuotaLedger
from byline.provenance.models import Record

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

pytestmark = pytest.mark.usefixtures("small_pipeline")

PROMPT = "A doctor walks along a canal."


def everything_happened_once(row: GenerationRequest) -> None:
    row.refresh_from_db()
    assert row.state == "ready"
    assert sorted(QuotaLedger.counts("byline").values()) == [1]
    applied = EffectApplied.objects.filter(request=row).values_list("stage", "kind")
    assert sorted(applied) == [
        ("debias", "quota_draw"),
        ("log", "append"),
        ("ready", "provenance_record"),
        ("speech", "reserve_ids"),
    ]
    kinds = list(Entry.objects.filter(subject=row.subject).values_list("kind", flat=True))
    assert sorted(kinds) == sorted(f"generation.{n}" for n in ("submitted", "decided", "asset", "ready"))
    assert Record.objects.count() == 1


def test_a_storm_of_messages_runs_each_stage_once() -> None:
    row, calls = kit.ask(prompt=PROMPT), []

    def counted(stage: Any) -> Any:
        def run(request: Any, artefact: Artefact) -> Any:
            calls.append(stage.name)
            return stage.run(request, artefact)

        return run

    stages = [dataclasses.replace(stage, run=counted(stage)) for stage in pipeline.STAGES]
    stop = threading.Event()

    def worker(queue: str) -> None:
        while not stop.wait(0.01):
            runner.run(row.pk, queue, stages=stages, wake_next=lambda *_: None)
        connection.close()

    threads = [threading.Thread(target=worker, args=(queue,)) for queue in ("light", "gpu") * 2]
    [thread.start() for thread in threads]
    try:
        kit.finish(row, stages)
    finally:
        stop.set()
        [thread.join() for thread in threads]
    assert calls == [stage.name for stage in pipeline.STAGES]
    everything_happened_once(row)


@pytest.mark.parametrize("stage", ["debias", "speech", "log", "ready"])
def test_a_worker_that_dies_after_its_commit_repeats_nothing(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies between the commit of a stage and whatever comes next; another one takes over."""

    class Died(BaseException):
        pass

    row = kit.ask(prompt=PROMPT)
    written = runner._Attempt._record

    def dies_after(self: Any, row: Any, position: int, *rest: Any) -> None:
        written(self, row, position, *rest)
        if pipeline.STAGES[position].name == stage:
            transaction.on_commit(die)

    def die() -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(runner._Attempt, "_record", dies_after)
        with pytest.raises(Died):
            runner.run_to_end(row.pk)
    GenerationRequest.objects.filter(pk=row.pk, lease_until__isnull=False).update(
        lease_until=timezone.now() - timezone.timedelta(seconds=1)
    )
    runner.run_to_end(row.pk)
    everything_happened_once(row)


def test_an_effect_applied_twice_gives_the_first_result() -> None:
    row = kit.ask()
    with transaction.atomic():
        first = effects.apply_once(row, "speech", [Effect("reserve_ids")])
        again = effects.apply_once(row, "speech", [Effect("reserve_ids")])
    assert first == again


def test_the_database_itself_refuses_a_second_effect() -> None:
    row = kit.ask()
    EffectApplied.objects.create(request=row, stage="log", kind="append", key="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        EffectApplied.objects.create(request=row, stage="log", kind="append", key="x")


def test_a_stage_run_again_by_hand_draws_no_second_quota() -> None:
    row = kit.finish(kit.ask(prompt=PROMPT))
    with transaction.atomic():
        effects.apply_once(row, "debias", [Effect("quota_draw", {"prompt": PROMPT})])
    everything_happened_once(row)
