"""Publishing what is not ready, or what is no longer what was made: bytes count, not flags."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from byline.audit.base.errors import BylineError
from byline.audit.models import Entry
from byline.generation import store, submit
from byline.generation.contracts import Artefact, Outcome
from byline.generation.models import GenerationRequest
from byline.generation.stages.sign import sign
from byline.provenance.models import Record
from byline.provenance.readback import ReadBackFailed

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

pytestmark = pytest.mark.usefixtures("small_pipeline")


def refused(row: GenerationRequest, error: type[BylineError]) -> None:
    row.refresh_from_db()
    before = row.state
    with pytest.raises(error):
        submit.publish(row.pk, "user:1")
    row.refresh_from_db()
    assert (row.state, row.published_at) == (before, None)
    assert not Record.objects.filter(published=True).exists()
    assert not Entry.objects.filter(kind="generation.published").exists()


def test_a_clip_on_its_way_cannot_be_published_at_any_stage() -> None:
    row, tried = kit.ask(), []

    def early(request: Any, artefact: Artefact) -> Outcome:
        refused(row, submit.NotReady)
        tried.append(row.state)
        return sign(request, artefact)

    refused(row, submit.NotReady)
    assert kit.finish(row, kit.with_stage("sign", early)).state == "ready"
    assert tried == ["finishing"]


def test_one_flipped_bit_in_the_stored_file_is_noticed() -> None:
    row = kit.finish(kit.ask())
    path = store.path_of(row.file_sha256)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refused(row, store.FileDamaged)


def test_a_missing_file_is_not_published() -> None:
    row = kit.finish(kit.ask())
    store.path_of(row.file_sha256).unlink()
    refused(row, store.FileDamaged)


def test_a_file_put_in_place_of_the_clip_is_refused_although_row_and_name_agree(tmp_path: Path) -> None:
    """The attacker has the store and the row, but not the keys."""
    row = kit.finish(kit.ask())
    path = store.path_of(row.file_sha256)
    data = bytearray(path.read_bytes())
    data[data.index(b"mdat") + 200] ^= 1
    forged = tmp_path / "forged.mp4"
    forged.write_bytes(data)
    GenerationRequest.objects.filter(pk=row.pk).update(file_sha256=store.put(forged))
    refused(row, ReadBackFailed)


def test_the_encoded_file_without_its_manifest_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "unsigned.mp4"

    def keep(request: Any, artefact: Artefact) -> Outcome:
        shutil.copy(artefact.files["encoded"], kept)
        return sign(request, artefact)

    row = kit.finish(kit.ask(), kit.with_stage("sign", keep))
    GenerationRequest.objects.filter(pk=row.pk).update(file_sha256=store.put(kept))
    refused(row, ReadBackFailed)


def test_a_forged_ready_state_publishes_nothing() -> None:
    row = kit.ask()
    GenerationRequest.objects.filter(pk=row.pk).update(
        state="ready",
        file_sha256="ab" * 32,
        serial=5,
        audio_id=6,
        result={"audio_marked": False, "record": ""},
    )
    refused(row, store.FileDamaged)


def test_a_clip_is_published_once() -> None:
    row = kit.finish(kit.ask())
    assert submit.publish(row.pk, "user:1").state == "published"
    with pytest.raises(submit.NotReady):
        submit.publish(row.pk, "user:1")
    assert Entry.objects.filter(kind="generation.published").count() == 1
