"""From a prompt to a signed clip that a stranger can verify, through every real stage."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from byline.audit import fsck
from byline.audit.models import Entry
from byline.generation import pipeline, runner, store, submit
from byline.generation.models import GenerationRequest, QuotaLedger
from byline.provenance.models import Record
from byline.provenance.trust import TrustBundle
from byline.provenance.verifier import verify

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

WEIGHTS = Path(runner.__file__).parent / "starter" / "weights"
SCRIPT = "The red kite returned to the valley this spring after forty years."
ORDER = [
    ("normalise", "light"),
    ("moderate", "light"),
    ("consent", "light"),
    ("debias", "light"),
    ("inputs", "gpu"),
    ("speech", "gpu"),
    ("engine", "gpu"),
    ("screen", "gpu"),
    ("quality", "gpu"),
    ("watermark", "gpu"),
    ("fingerprint", "light"),
    ("log", "light"),
    ("prove", "light"),
    ("sign", "light"),
    ("read_back", "light"),
    ("ready", "light"),
]


def test_the_stages_stand_in_the_order_that_the_promise_needs() -> None:
    assert [(stage.name, stage.queue) for stage in pipeline.STAGES] == ORDER


def test_every_need_is_given_by_an_earlier_stage_of_the_same_process() -> None:
    for position, stage in enumerate(pipeline.STAGES):
        for need in stage.needs:
            givers = [s for s in pipeline.STAGES[:position] if need in s.gives]
            assert givers
            assert {giver.queue for giver in givers} == {stage.queue}, "memory does not cross processes"


def test_the_light_process_runs_without_torch(django_db_setup: None) -> None:
    script = """
import sys, django
django.setup()
from byline.generation import pipeline, tasks, publication
from byline.generation.contracts import Artefact
from byline.generation.models import GenerationRequest
import byline.safety.moderation, byline.safety.consent, byline.safety.debias
import byline.provenance.digest, byline.provenance.fingerprints, byline.provenance.decode
import byline.provenance.signing, byline.provenance.readback
from pathlib import Path
request = GenerationRequest(prompt="A doctor walks by the sea.", profile="newsroom", seed=1, seconds=2)
artefact = Artefact(Path("."))
for stage in pipeline.STAGES[:2]:
    outcome = stage.run(request, artefact)
    artefact.produced[stage.name] = outcome.produces
assert outcome.checks and outcome.verdict == "allow", outcome
heavy = {"torch", "diffusers", "transformers", "facenet_pytorch", "torchvision"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.fixture(scope="module")
def sealer(django_db_setup: None) -> Iterator[kit.Sealer]:
    with kit.Sealer() as running:
        yield running


@pytest.fixture
def made(settings: Any, transactional_db: None, sealer: kit.Sealer) -> None:
    settings.BYLINE = {**settings.BYLINE, **kit.SETTINGS}
    sealer.keep_alive()


def ask(prompt: str, **more: Any) -> GenerationRequest:
    return kit.finish(kit.ask(prompt=prompt, **more))


def entries(row: GenerationRequest) -> dict[str, dict[str, Any]]:
    return {entry.kind: entry.payload for entry in Entry.objects.filter(subject=row.subject).order_by("id")}


def test_a_prompt_becomes_a_clip_that_verifies(made: None) -> None:
    row = ask("A doctor walks beside a red kite.", voice_over=SCRIPT, title="Kites are back", seconds=6)
    assert row.error == {}
    assert row.state == "ready"

    runs = {run.stage: run for run in row.runs.all()}
    assert [(name, run.passed) for name, run in runs.items()] == [(name, True) for name, _ in ORDER]
    assert runs["debias"].produces["effects"]["quota_draw"]["prompt"] != row.prompt
    drawn = runs["debias"].produces["effects"]["quota_draw"]
    assert QuotaLedger.counts("byline") == dict.fromkeys(drawn["draws"], 1)
    assert runs["watermark"].evidence["speech"] == "marked"
    assert runs["watermark"].evidence["captions"] >= 1
    checked = {check["name"] for run in runs.values() for check in run.checks}
    assert {"moderation.rules", "moderation.model", "consent", "output.nudity", "output.faces"} <= checked
    assert {"output.blank_or_frozen", "output.speech"} <= checked

    logged = entries(row)
    assert list(logged) == [f"generation.{n}" for n in ("submitted", "decided", "asset", "ready")]
    asset = logged["generation.asset"]
    assert asset["final_prompt"] == row.commit("final_prompt", drawn["prompt"])
    assert asset["digest"] == row.result["digest"]
    assert {"name": "consent", "result": "allow"} in asset["checks"]
    everything = json.dumps([logged, row.result, [[r.evidence, r.checks] for r in runs.values()]]).lower()
    assert not [word for word in ("doctor", "kite", "valley") if word in everything]

    record = Record.objects.get(pk=row.result["record"])
    assert (record.sha256, record.published) == (row.file_sha256, False)
    assert record.audio_id == row.audio_id
    assert not store.work_directory(row.pk).exists()
    assert store.sha256_of(store.read_path(row.file_sha256)) == row.file_sha256

    file = store.read_path(row.file_sha256)
    report = verify(file, trust=TrustBundle.from_installation(), records=None, offline=True)
    assert report.exit_code == 0, report.summary
    published = submit.publish(row.pk, "user:2")
    assert published.state == "published"
    record.refresh_from_db()
    assert record.published
    assert "generation.published" in entries(row)
    fsck.fsck()


def test_speech_too_short_for_a_mark_is_said_and_the_picture_carries_one(made: None) -> None:
    row = ask("A red kite.", voice_over="It is back.", seconds=3)
    assert row.error == {}
    run = row.runs.get(stage="watermark")
    assert (run.evidence["picture"], run.produces["audio_marked"]) == ("marked", False)
    assert entries(row)["generation.asset"]["audio_mark"] is None
    assert Record.objects.get(pk=row.result["record"]).audio_id is None
    assert submit.publish(row.pk, "user:2").state == "published"


def test_a_blocked_prompt_says_why_and_makes_nothing(made: None) -> None:
    before = {path for path in store.clips_root().rglob("*")}
    row = ask("Pornographic video of two naked people having sex, explicit.")
    assert row.state == "rejected"
    assert all(row.error[name] for name in ("code", "category", "clause", "message", "help"))
    assert {path for path in store.clips_root().rglob("*")} == before
    assert not store.work_directory(row.pk).exists()
    assert not Record.objects.exists()
    blocked = entries(row)["generation.blocked"]
    assert (blocked["stage"], blocked["category"]) == ("moderate", row.error_category)
    assert "naked" not in json.dumps(blocked)


def test_a_real_person_is_held_until_a_reviewer_releases(made: None) -> None:
    row = ask("Angela Merkel dances on a table.")
    assert (row.state, row.stage, row.error_category) == ("held", "moderate", "real_person")
    assert not row.runs.filter(position__gt=1).exists()
    submit.release(row.pk, "user:9", "licensed archive piece", wake_worker=lambda *_: None)
    runner.run_to_end(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error) == ("ready", {})
    assert entries(row)["generation.decided"]["released"]


def test_a_voice_reference_without_consent_is_refused(made: None) -> None:
    reference = {"kind": "voice", "subject": "speaker-1", "sha256": "0" * 64}
    row = ask("A red kite.", references=[reference])
    assert (row.state, row.stage, row.error_code) == ("rejected", "consent", "consent_missing")
    assert "speaker-1" not in json.dumps(entries(row))


def test_the_editor_can_refuse_the_debiasing(made: None) -> None:
    row = ask("A doctor walks by.", debias=False, debias_reason="The film is about one doctor.")
    run = row.runs.get(stage="debias")
    assert (row.state, run.produces["prompt"]) == ("ready", row.prompt)
    assert QuotaLedger.counts("byline") == {}


def test_a_log_that_is_never_sealed_fails_the_job_and_publishes_nothing(
    settings: Any, transactional_db: None, sealer: kit.Sealer
) -> None:
    sealer.stop()
    settings.BYLINE = {**settings.BYLINE, **kit.SETTINGS, "PROOF_TIMEOUT_S": 1.0}
    row = ask("A red kite.")
    assert (row.state, row.stage, row.error_code) == ("failed", "prove", "proof_timeout")
    assert not Record.objects.exists()
    assert not store.work_directory(row.pk).exists()


@pytest.mark.slow  # the shipped model denoises for half a minute and more on two cores
@pytest.mark.timeout(400)
@pytest.mark.skipif(not (WEIGHTS / "model_index.json").is_file(), reason="the starter's weights are not here")
def test_the_shipped_engine_makes_a_clip_that_verifies(
    settings: Any, transactional_db: None, sealer: kit.Sealer
) -> None:
    """The engine that comes with the product, at full size, with voice-over, through every gate."""
    settings.BYLINE = {**settings.BYLINE, "SEAL_INTERVAL_S": 0.1}
    sealer.keep_alive()
    options = {"shots": 1}
    row = ask("A red ball rolls to the right on snow.", voice_over=SCRIPT, seconds=6, options=options)
    assert row.error == {}
    made = row.runs.get(stage="engine").produces
    assert made["drawn"]
    assert made["weights_sha256"]
    assert entries(row)["generation.asset"]["weights"] == made["weights_sha256"]
    report = verify(
        store.read_path(row.file_sha256), trust=TrustBundle.from_installation(), records=None, offline=True
    )
    assert report.exit_code == 0, report.summary
