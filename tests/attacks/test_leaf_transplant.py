"""The log entry of one clip used to vouch for another."""

import sys
from pathlib import Path
from typing import Any

import pytest

from byline.generation import store, submit
from byline.generation.contracts import Artefact, Outcome
from byline.generation.models import GenerationRequest, StageRun
from byline.generation.stages.sign import sign
from byline.provenance.models import Record
from byline.provenance.readback import ReadBackFailed

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

pytestmark = pytest.mark.usefixtures("small_pipeline")


def test_a_manifest_with_another_clips_proof_fails_the_job() -> None:
    """Even our own keys cannot make it hold: the leaf names the digest of other bytes."""
    first = kit.finish(kit.ask(seed=1))
    proof = StageRun.objects.get(request=first, stage="prove").produces["proof"]

    def transplanted(request: Any, artefact: Artefact) -> Outcome:
        artefact.produced["prove"] = {**artefact.produced["prove"], "proof": proof}
        return sign(request, artefact)

    second = kit.finish(kit.ask(seed=2), kit.with_stage("sign", transplanted))
    assert (second.state, second.stage, second.error_code) == ("failed", "read_back", "read_back_failed")
    assert second.error_message.startswith("audit proof")
    assert Record.objects.count() == 1


def test_another_clips_file_cannot_be_published_under_this_request() -> None:
    first, second = kit.finish(kit.ask(seed=1)), kit.finish(kit.ask(seed=2))
    GenerationRequest.objects.filter(pk=second.pk).update(file_sha256=first.file_sha256)
    with pytest.raises(ReadBackFailed):
        submit.publish(second.pk, "user:1")
    second.refresh_from_db()
    assert second.state == "ready"
    assert submit.publish(first.pk, "user:1").state == "published"


def test_each_clip_has_its_own_leaf_although_prompt_and_seed_are_the_same() -> None:
    first, second = kit.finish(kit.ask()), kit.finish(kit.ask())
    assert first.result["digest"] != second.result["digest"]  # the marks differ
    assert first.result["asset_entry"] != second.result["asset_entry"]
    assert store.read_path(first.file_sha256) != store.read_path(second.file_sha256)
