"""Somebody tries to get a clip past a gate: rows removed, states forged, stages silenced."""

import sys
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from byline.generation import pipeline, runner, store
from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.models import GenerationRequest, StageRun
from byline.provenance.models import Record

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

pytestmark = pytest.mark.usefixtures("small_pipeline")

NAMES = [stage.name for stage in pipeline.STAGES]


@pytest.mark.parametrize("skipped", ["moderate", "consent", "screen", "read_back"])
def test_a_clip_is_not_ready_when_the_row_of_a_gate_is_gone(skipped: str) -> None:
    def ready(request: Any, artefact: Artefact) -> Outcome:
        StageRun.objects.filter(request=request, stage=skipped).delete()
        return pipeline.STAGES[-1].run(request, artefact)

    row = kit.finish(kit.ask(), kit.with_stage("ready", ready))
    assert (row.state, row.error_code, row.file_sha256) == ("failed", "pipeline_broken", "")
    assert not Record.objects.exists()


@pytest.mark.parametrize("state", ["queued", "generating", "finishing"])
def test_a_forged_state_skips_nothing(state: str) -> None:
    row = kit.ask()
    GenerationRequest.objects.filter(pk=row.pk).update(state=state)
    row = kit.finish(row)
    assert row.state == "ready"
    assert list(row.runs.filter(passed=True).values_list("stage", flat=True)) == NAMES


@pytest.mark.parametrize("stage", ["moderate", "screen", "read_back"])
def test_a_silenced_gate_holds_the_clip(stage: str) -> None:
    row = kit.finish(kit.ask(), kit.with_stage(stage, lambda request, artefact: None))
    assert (row.state, row.stage, row.error_code) == ("held", stage, "no_verdict")
    assert not Record.objects.exists()


@pytest.mark.parametrize("name", ["log", "prove", "watermark"])
def test_a_stage_that_claims_success_without_doing_its_work_ends_in_failure(name: str) -> None:
    """What the later gates need comes from the work itself, not from the word "allow"."""
    row = kit.finish(kit.ask(), kit.with_stage(name, lambda request, artefact: Outcome(Verdict.ALLOW)))
    assert row.state == "failed"
    assert not Record.objects.exists()


def test_a_clip_encoded_without_its_mark_is_never_signed_off() -> None:
    def unmarked(request: Any, artefact: Artefact) -> Outcome:
        outcome = next(s for s in pipeline.STAGES if s.name == "watermark").run(request, artefact)
        from byline.generation.encode import write_clip

        frames = artefact.memory["shots"][0]
        write_clip(outcome.files["encoded"], frames, 12, None, 48_000)
        return outcome

    row = kit.finish(kit.ask(), kit.with_stage("watermark", unmarked))
    assert (row.state, row.stage, row.error_code) == ("failed", "read_back", "read_back_failed")
    assert "picture mark" in row.error_message
    assert not Record.objects.exists()


def test_words_changed_after_moderation_do_not_reach_the_engine() -> None:
    row, seen = kit.ask(), []
    assert runner.run(row.pk, "light", wake_next=lambda *_: None) == "queued"
    GenerationRequest.objects.filter(pk=row.pk).update(prompt="Something else.", updated_at=timezone.now())

    def engine(request: Any, artefact: Artefact) -> Outcome:
        seen.append(artefact.produced["debias"]["prompt"])
        return next(s for s in pipeline.STAGES if s.name == "engine").run(request, artefact)

    kit.finish(row, kit.with_stage("engine", engine))
    assert seen == ["A red kite."]


def test_files_of_an_unfinished_clip_are_private_and_go_away() -> None:
    modes = {}

    def log(request: Any, artefact: Artefact) -> Outcome:
        modes.update({p: p.stat().st_mode & 0o077 for p in [artefact.workdir, *artefact.files.values()]})
        raise RuntimeError

    row = kit.finish(kit.ask(), kit.with_stage("log", log))
    assert row.state == "failed"
    assert len(modes) >= 2  # the directory, the clip, a sheet for the reviewer if a check asks for one
    assert set(modes.values()) == {0}
    assert not store.work_directory(row.pk).exists()
