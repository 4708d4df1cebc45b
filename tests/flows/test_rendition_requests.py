"""Renditions and edits of a finished clip: assets of their own from kept shots, the master is the parent."""

from typing import Any

import av
import numpy as np
import pipeline_kit as kit
import pytest

from byline.audit.base.errors import InvalidInput
from byline.audit.models import Entry
from byline.generation import store, submit
from byline.generation.renditions import editing, kept, service
from byline.generation.renditions.kept import NotAMaster
from byline.provenance import formats, reading
from byline.provenance.records import DatabaseRecords
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Verdict
from byline.provenance.verifier import verify

pytestmark = pytest.mark.django_db(transaction=True)
OPTIONS = {"width": 320, "height": 180, "fps": 12, "shots": 2}


def _asleep(*_: Any) -> None:
    """Nobody is woken: the test drives the request itself."""


def _made(master: Any, **given: Any) -> Any:
    row = kit.finish(service.request(master, "editor", wake_worker=_asleep, **given))
    assert row.state == "ready", (row.error, row.stage)
    return row


def _frames(row: Any) -> list[np.ndarray]:
    with av.open(str(store.read_path(row.file_sha256))) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _report(row: Any) -> Any:
    path = store.read_path(row.file_sha256)
    beside = formats.sidecar_of(path)
    return verify(
        path,
        trust=TrustBundle.from_installation(),
        records=DatabaseRecords(published_only=False),
        sidecar=beside.read_bytes() if beside.is_file() else None,
    )


def test_one_master_becomes_an_upright_mp4_and_a_shorter_square_webm(make_clip: Any) -> None:
    master = make_clip(seconds=5, options=OPTIONS, title="High tide")
    assert master.runs.get(stage="watermark").evidence["kept_for_renditions"] is True
    upright = _made(master, options={"width": 180, "height": 320})
    parts = [[2.0, 3.0], [0.5, 1.5]]
    square = _made(master, options={"width": 240, "height": 240, "format": "webm"}, parts=parts)
    for row, size, suffix in ((upright, (320, 180), ".mp4"), (square, (240, 240), ".webm")):
        frames = _frames(row)
        assert len(frames) == round(row.seconds * 12)
        assert frames[0].shape[:2] == size
        assert store.read_path(row.file_sha256).suffix == suffix
        assert _report(row).verdict is Verdict.INTACT, _report(row).lines()
        assert row.serial not in (None, master.serial), "a mark of its own"
        entry = Entry.objects.get(kind="generation.rendition_requested", subject=row.subject)
        assert entry.payload["master_sha256"] == master.file_sha256
        assert Entry.objects.filter(kind="generation.asset", subject=row.subject).count() == 1
    assert upright.seconds == master.seconds
    assert square.seconds < master.seconds
    assert upright.runs.get(stage="engine").evidence["taken_from"] == master.subject

    said = _actions(upright)
    assert next(iter(said)) == "c2pa.opened"
    assert "c2pa.created" not in said
    said = _actions(square)
    assert "2-3 s, 0.5-1.5 s" in said["c2pa.trimmed"]
    assert "order" in said["c2pa.edited"]
    assert submit.publish(square.pk, "editor").state == "published", "its bytes verify where they are stored"

    # The pattern's ground does not move: the part that comes first in the cut is of the second shot.
    was, now = _frames(master), _frames(square)
    patch = [frame[80:160, 40:200].mean(axis=(0, 1)) for frame in (now[5], was[24 + 5], was[5 + 6])]
    assert np.abs(patch[0] - patch[1]).sum() < np.abs(patch[0] - patch[2]).sum()


def _actions(row: Any) -> dict[str, str]:
    """Actions of the row's manifest in their order, with what they say; the master is its sound parent."""
    path = store.read_path(row.file_sha256)
    beside = formats.sidecar_of(path)
    store_of = beside.read_bytes() if beside.is_file() else None
    held = reading.read(path, TrustBundle.from_installation(), manifest=store_of)
    (parent,) = (one for one in held.ancestors if one.relationship == "parentOf")
    assert (parent.failures, parent.credentials) == ((), "trusted")
    return {a["action"]: a.get("description", "") for a in held.assertion("c2pa.actions.v2")["actions"]}


def test_what_cannot_be_a_rendition_is_refused_and_nothing_is_written(make_clip: Any, settings: Any) -> None:
    master = make_clip(options=OPTIONS | {"shots": 1})
    before = master.renditions.count()
    for given in (
        {"options": {"prompt": "other"}},
        {"options": {"seed": 3}},
        {"options": {"format": "avi"}},
        {"options": {"width": 7}},
        {"parts": [[0, 99]]},
        {"parts": [[0.5, 0.6]]},
        {"parts": ["a"]},
        {"parts": [[2, 1]]},
        {"parts": [[0, 0.6]]},
        {"parts": [[0, 1.0]] * 51},
        {"parts": [[0, float("nan")]]},
    ):
        with pytest.raises(InvalidInput):
            service.request(master, "editor", wake_worker=_asleep, **given)
    waiting = kit.ask()
    usual = settings.BYLINE
    settings.BYLINE = {**usual, "MANIFEST": {"PROFILE": "CN", "PRODUCER": "Example"}}
    with pytest.raises(InvalidInput, match="WebM"):
        service.request(master, "editor", options={"format": "webm"}, wake_worker=_asleep)
    settings.BYLINE = usual
    with pytest.raises(NotAMaster):
        service.request(waiting, "editor", wake_worker=_asleep)
    assert kept.discard(master.pk)
    with pytest.raises(NotAMaster, match="kept"):
        service.request(master, "editor", wake_worker=_asleep)
    assert master.renditions.count() == before


def test_shots_are_sealed_bound_to_their_clip_and_forgotten(make_clip: Any, settings: Any) -> None:
    master, other = (
        make_clip(options=OPTIONS | {"shots": 1}),
        make_clip(options=OPTIONS | {"shots": 1}, seed=9),
    )
    kept.tidy()  # of clips of other tests
    place = kept._place(master.pk)
    assert b"shot0" not in place.read_bytes()
    kept._place(other.pk).write_bytes(place.read_bytes())
    assert kept.read(other.pk) is None, "bound to its own clip"
    assert kept.read(master.pk) is not None
    assert kept.tidy() == 0
    settings.BYLINE = {**settings.BYLINE, "KEEP_SHOTS_DAYS": 0.0}
    unkept = make_clip(options=OPTIONS | {"shots": 1}, seed=10)
    assert kept.read(unkept.pk) is None
    assert kept.tidy() == 2
    assert kept.read(master.pk) is None


def test_an_edit_says_what_it_did() -> None:
    layout = editing.Layout(((0.0, 3.2), (2.9, 6.0)), 6.0)
    whole = editing.parse([[0, 6]], until=6.0)
    assert editing.told(layout, whole) == []
    assert [piece.shot for piece in editing.pieces(layout, whole)] == [0, 1]
    turned = editing.parse([[3, 6], [0, 3]], until=6.0)
    assert [item["action"] for item in editing.told(layout, turned)] == ["c2pa.edited"]
    assert sum(piece.seconds for piece in editing.pieces(layout, turned)) == pytest.approx(6.0)
