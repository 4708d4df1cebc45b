"""Pictures, masks and clips of an editor's own, and controls, from the request to the manifest."""

import datetime as dt
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from PIL import Image

from byline.audit.models import Entry
from byline.generation.inputs import service
from byline.generation.models import GenerationRequest, UploadedInput
from byline.platform import cli
from byline.provenance import reading
from byline.provenance.trust import TrustBundle
from byline.safety import consent

pytestmark = pytest.mark.django_db(transaction=True)
RIGHTS = {"licence": "CC-BY-4.0", "source": "our own desk", "declared": True}
SMALL = {"width": 320, "height": 180, "fps": 12}


def drawn(seed: int) -> np.ndarray:
    """A coarse pattern in which nobody sees anything, and which carries a mark."""
    rng = np.random.default_rng(seed)
    ground = rng.normal(110, 24, (24, 40, 3)).repeat(4, 0).repeat(4, 1)
    return np.clip(ground, 0, 255).astype(np.uint8)


def upload(array: np.ndarray, path: Path, kind: str = "picture") -> UploadedInput:
    Image.fromarray(array).save(path)
    return service.add(path, kind, owner="user:1", **RIGHTS)


def test_two_pictures_become_a_clip_that_names_them(
    small_pipeline: None, tmp_path: Path, capsys: Any
) -> None:
    for number in (1, 2):
        Image.fromarray(drawn(number)).save(tmp_path / f"{number}.png")
    out = tmp_path / "c.mp4"
    words = [
        "generate", "a slow wave", "--inline", "--out", str(out), "--seconds", "1", "--seed", "7",
        "--operation", "interpolate", "--image", str(tmp_path / "1.png"),
        "--last-image", str(tmp_path / "2.png"), "--set", "method=motion", "--set", "width=320",
        "--set", "height=180", "--fps", "12", "--camera", "pan_left", "--fx", "poster", "--motion", "0.9",
    ]  # fmt: skip
    assert cli.main(words) == 64
    assert "rights_missing" in capsys.readouterr().err
    rights = ["--licence", "CC0-1.0", "--source", "desk", "--i-may-use-these"]
    assert cli.main([*words, *rights]) == 0, capsys.readouterr().err
    row = GenerationRequest.objects.get()
    engine = row.produced()["engine"]
    assert engine["operation"]["name"] == "interpolate"
    assert engine["controls"]["camera"]["by"] == "warp of the decoded frames"
    assert engine["controls"]["fx"]["value"] == "poster@1"
    assert not engine["drawn"], "what an editor brings may show anybody"
    checks = {check["name"] for check in row.runs.get(stage="inputs").checks}
    looks = {f"input.{name}" for name in ("nudity", "faces", "no_go", "violence", "weapons")}
    assert looks <= checks
    held = reading.read(out, TrustBundle.from_installation())
    assert (held.state, held.failures) == ("Trusted", ())
    first, last = (UploadedInput.objects.get(pk=item["input"]) for item in row.inputs)
    parts = {one.relationship for one in held.ancestors if one.licence == "CC0-1.0"}
    assert parts == {"parentOf", "componentOf"}, "interpolation opens the first picture"
    data = out.read_bytes()
    assert first.sha256.encode() in data
    assert last.sha256.encode() in data
    actions = held.assertion("c2pa.actions.v2")["actions"]
    assert any("camera: warp" in action.get("description", "") for action in actions)
    submitted = Entry.objects.get(subject=row.subject, kind="generation.submitted").payload
    assert submitted["operation"] == "interpolate"
    assert [one["sha256"] for one in submitted["inputs"]] == [service.committed(r) for r in (first, last)]
    assert first.sha256 not in str(submitted)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (320, 180)
        assert sum(1 for _ in container.decode(stream)) == 12


def test_a_brush_and_an_aspect_on_words_alone(make_clip: Any, tmp_path: Path) -> None:
    mask = np.zeros((96, 160), np.uint8)
    cv2.circle(mask, (60, 48), 20, 255, -1)
    brush = upload(mask, tmp_path / "m.png", "mask")
    row = make_clip(
        inputs={"brush": str(brush.pk)},
        options={"aspect": "9:16", "width": 180, "height": 320, "fps": 12, "brush": {"direction": "left"}},
    )
    controls = row.produced()["engine"]["controls"]
    assert controls["brush"]["value"] == {"direction": 180.0, "amount": 0.5}
    assert controls["size"] == {"value": "9:16", "by": "cut from 160x96"}
    assert row.produced()["engine"]["drawn"], "a mask shows nobody"


def test_an_input_that_is_deleted_in_between_fails_with_a_word(small_pipeline: None, tmp_path: Path) -> None:
    import pipeline_kit as kit

    own = [upload(drawn(n), tmp_path / f"{n}.png") for n in (1, 2)]
    row = kit.ask(
        operation="interpolate",
        inputs={"first": str(own[0].pk), "last": str(own[1].pk)},
        options={**SMALL, "method": "motion"},
    )
    service.forget(own[0].pk, owner="user:1")
    row = kit.finish(row)
    assert (row.state, row.stage, row.error_code) == ("failed", "inputs", "unknown_input")


def test_a_face_needs_a_consent_to_this_very_file(small_pipeline: None, tmp_path: Path) -> None:
    import pipeline_kit as kit
    from skimage import data

    photograph = np.ascontiguousarray(data.astronaut()[:300, 50:410])
    own, other = upload(photograph, tmp_path / "a.png"), upload(drawn(3), tmp_path / "b.png")
    asked = {
        "operation": "interpolate",
        "inputs": {"first": str(own.pk), "last": str(other.pk)},
        "options": {**SMALL, "method": "motion"},
    }
    held = kit.finish(kit.ask(**asked))
    assert (held.state, held.stage) == ("held", "inputs")
    assert "input.faces:review" in held.held_for
    given = consent.record(
        subject_kind="person",
        subject="eileen",
        scopes=["face"],
        uses=["newsroom"],
        references=[own.sha256],
        expires_at=timezone.now() + dt.timedelta(days=1),
        evidence_sha256="e" * 64,
        actor="user:1",
    )
    reference = {"kind": "face", "subject": "eileen", "sha256": own.sha256, "consent": str(given.pk)}
    passed = kit.finish(kit.ask(**asked, references=[reference]))
    run = passed.runs.get(stage="inputs")
    assert run.passed, run.checks
    assert run.produces["used"][0]["person"]
    wrong = {**reference, "sha256": other.sha256}
    refused = kit.finish(kit.ask(**asked, references=[wrong]))
    assert (refused.state, refused.stage) == ("rejected", "consent")


def test_takes_share_a_set_and_are_compared(small_pipeline: None, client: Client) -> None:
    import pipeline_kit as kit

    editor = User.objects.create_user("editor")
    editor.user_permissions.set(Permission.objects.filter(codename="add_generationrequest"))
    client.force_login(editor)
    brief = {"prompt": "A red kite.", "seconds": 1, "seed": 5, "options": {**SMALL, "shots": 1}, "takes": 3}
    answer = client.post("/api/v1/takes", brief, content_type="application/json")
    assert answer.status_code == 202, answer.json()
    body = answer.json()
    assert [pair["similarity"] for pair in body["similarity"]] == [None] * 3
    rows = GenerationRequest.objects.filter(take_set=body["take_set"]).order_by("created_at")
    assert [row.seed for row in rows] == [5, 1_000_008, 2_000_011]
    for row in rows[:2]:
        assert kit.finish(row).state == "ready"
    again = client.get(f"/api/v1/takes/{body['take_set']}").json()
    values = {tuple(pair["takes"]): pair["similarity"] for pair in again["similarity"]}
    assert values[(1, 2)] < 0.8
    assert values[(1, 3)] is None
    assert [one["seed"] for one in again["takes"]] == [row.seed for row in rows]
    entry = Entry.objects.get(subject=rows[0].subject, kind="generation.submitted")
    assert entry.payload["take"] == "1 of 3"
    for wrong in (1, 5, 0, "two"):
        refused = client.post("/api/v1/takes", {**brief, "takes": wrong}, content_type="application/json")
        assert refused.status_code == 400
