"""Uploaded material: parsed in a jail, kept without its metadata and sealed, used by its owner alone."""

import io
import os
import uuid
import wave
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput
from byline.audit.models import Entry
from byline.generation import sealed
from byline.generation.inputs import keeping, limits, parsing, roles, service
from byline.generation.models import UploadedInput
from byline.provenance import manifest, signing

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
RIGHTS = {"licence": "CC-BY-4.0", "source": "our own desk", "declared": True}


def picture(path: Path, size: tuple[int, int] = (64, 48), **save: Any) -> Path:
    shade = np.linspace(0, 255, size[0] * size[1] * 3).reshape(size[1], size[0], 3).astype(np.uint8)
    Image.fromarray(shade).save(path, **save)
    return path


def clip(path: Path, count: int = 12, size: tuple[int, int] = (64, 48), fps: int = 12) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            frame = np.full((size[1], size[0], 3), number * 8 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def song(path: Path, seconds: float = 2.0, level: float = 0.3) -> Path:
    samples = level * np.sin(np.arange(int(16_000 * seconds)) * 0.1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def test_a_picture_is_upright_without_metadata_and_on_white(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6  # turn right
    tags[0x010F] = "a camera that tells who was where"
    upright = parsing.parse(picture(tmp_path / "a.jpg", exif=tags, quality=95), "picture")
    assert upright.array.shape == (64, 48, 3)
    assert any("upright" in note for note in upright.notes)
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    clear.save(tmp_path / "b.png")
    laid = parsing.parse(tmp_path / "b.png", "picture")
    assert (laid.array == 255).all()
    deep = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    Image.fromarray(deep).save(tmp_path / "c.png")
    grey = parsing.parse(tmp_path / "c.png", "picture").array
    assert (grey[0, 0, 0], grey[-1, -1, 0]) == (0, 255)
    assert abs(int(grey[16, 0, 0]) - 128) < 3


def test_an_8k_still_is_scaled_down_and_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (7680, 4320), (10, 20, 30)).save(tmp_path / "a.png")
    found = parsing.parse(tmp_path / "a.png", "picture")
    assert found.array.shape == (1152, limits.STILL_SIDE, 3)
    assert "scaled down from 7680 x 4320" in found.notes


def test_a_mask_is_black_and_white(tmp_path: Path) -> None:
    found = parsing.parse(picture(tmp_path / "a.png"), "mask")
    assert found.array.shape == (48, 64)
    assert set(np.unique(found.array)) == {0, 255}
    Image.new("L", (32, 32), 200).save(tmp_path / "b.png")
    with pytest.raises(parsing.InputRefused, match="all black or all white"):
        parsing.parse(tmp_path / "b.png", "mask")


def test_a_clip_keeps_its_rate_and_a_long_one_is_refused_not_cut(tmp_path: Path) -> None:
    found = parsing.parse(clip(tmp_path / "a.mp4"), "clip")
    assert found.array.shape == (12, 48, 64, 3)
    assert found.rate == 12
    assert found.array[6].mean() > found.array[0].mean()
    with pytest.raises(parsing.InputRefused, match="cut it first"):
        parsing.parse(clip(tmp_path / "b.mp4", count=200, size=(16, 16)), "clip")


def test_songs_silent_clipped_or_without_sound(tmp_path: Path) -> None:
    found = parsing.parse(song(tmp_path / "a.wav"), "song")
    assert (found.rate, len(found.array), found.notes) == (16_000, 32_000, ())
    loud = parsing.parse(song(tmp_path / "b.wav", level=3.0), "song")
    assert any("clipped" in note for note in loud.notes)
    for name, level, seconds, why in (("c", 0.0, 2.0, "silent"), ("d", 0.3, 0.2, "shorter")):
        with pytest.raises(parsing.InputRefused, match=why):
            parsing.parse(song(tmp_path / f"{name}.wav", seconds, level), "song")
    with pytest.raises(parsing.InputRefused):
        parsing.parse(picture(tmp_path / "e.png"), "song")


def test_content_comes_back_as_it_was_parsed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (5, 32, 48, 3), dtype=np.uint8)
    cases = {
        "picture": (frames[0], 0.0),
        "mask": (np.where(frames[0, ..., 0] > 99, 255, 0).astype(np.uint8), 0.0),
        "clip": (frames, 12.5),
    }
    for kind, (array, rate) in cases.items():
        row = uuid.uuid4()
        keeping.write(row, kind, array, rate)
        again, found = keeping.read(row, kind)
        assert np.array_equal(again, array), kind
        assert found == rate
        with pytest.raises(sealed.SealBroken):
            keeping.read(row, "song" if kind != "song" else "clip")
        place = conf.home() / "inputs" / f"{row}.sealed"
        assert place.stat().st_mode & 0o777 == 0o600
        assert place.parent.stat().st_mode & 0o777 == 0o700
        assert b"PNG" not in place.read_bytes()[:200]
        assert keeping.forget(row)


@pytest.mark.django_db
def test_rights_are_needed_and_the_log_holds_no_digest(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    for missing in ({"licence": ""}, {"source": "x\ny"}, {"declared": False}, {"declared": "yes"}):
        with pytest.raises(service.RightsMissing):
            service.add(path, "picture", owner="editor", **{**RIGHTS, **missing})
    assert not UploadedInput.objects.exists()
    row = service.add(path, "picture", owner="editor", **RIGHTS)
    assert (row.width, row.height, row.frames, row.credentials) == (64, 48, 1, "none")
    entry = Entry.objects.get(subject=f"input:{row.pk}")
    assert row.sha256 not in str(entry.payload)
    assert "our own desk" not in str(entry.payload)
    assert entry.payload["sha256"] == service.committed(row)


@pytest.mark.django_db(transaction=True)
def test_only_the_owner_uses_and_forgets_and_age_does_too(tmp_path: Path, settings: Any) -> None:
    row = service.add(picture(tmp_path / "a.png"), "picture", owner="editor", **RIGHTS)
    given = {"first": str(row.pk)}
    found = roles.resolve(given, "image_to_video", "editor", {})
    assert found == [{"role": "first", "input": str(row.pk), "sha256": row.sha256}]
    with pytest.raises(roles.UnknownInput):
        roles.resolve(given, "image_to_video", "somebody else", {})
    with pytest.raises(roles.UnknownInput):
        service.forget(row.pk, owner="somebody else")
    service.forget(row.pk, owner="editor")
    with pytest.raises(roles.UnknownInput):
        roles.resolve(given, "image_to_video", "editor", {})
    assert not (conf.home() / "inputs" / f"{row.pk}.sealed").exists()
    left = uuid.uuid4()
    keeping.write(left, "mask", np.zeros((32, 32), np.uint8), 0.0)
    place = conf.home() / "inputs" / f"{left}.sealed"
    assert service.expire() == 0, "its row may be on its way"
    os.utime(place, (1, 1))
    assert service.expire() == 1, "a process was killed between file and row"
    assert not place.exists()
    old = service.add(picture(tmp_path / "b.png"), "picture", owner="editor", **RIGHTS)
    assert service.expire() == 0
    settings.BYLINE = {**settings.BYLINE, "INPUT_RETENTION_DAYS": 1e-9}
    assert service.expire() == 1
    assert Entry.objects.get(subject=f"input:{old.pk}", kind="generation.input_forgotten").payload == {
        "why": "retention"
    }


@pytest.mark.django_db
def test_inputs_fit_their_role_and_operation(tmp_path: Path) -> None:
    own = service.add(picture(tmp_path / "a.png"), "picture", owner="editor", **RIGHTS)
    one = str(own.pk)
    wrong = [
        ({"first": one}, "text_to_video", "no use for first"),
        ({"mask": one}, "modify_region", "is a picture, not a mask"),
        ({}, "image_to_video", "needs first"),
        ({"colour": one}, "image_to_video", "no such role"),
        ({"references": one}, "image_to_video", "1 to 4"),
        ({"first": one}, "make_me_rich", "no such operation"),
        ({"first": {"id": one}}, "image_to_video", "no such input"),
        ([], "image_to_video", "mapping"),
    ]
    for given, operation, why in wrong:
        with pytest.raises(InvalidInput, match=why):
            roles.resolve(given, operation, "editor", {})  # type: ignore[arg-type]


@pytest.fixture
def editor(client: Client) -> Client:
    made = User.objects.create_user("editor", password="correct horse battery")
    made.user_permissions.set(Permission.objects.filter(codename="add_generationrequest"))
    client.force_login(made)
    return client


def upload(client: Client, data: bytes, **more: Any) -> Any:
    fields = {"kind": "picture", "licence": "CC0-1.0", "source": "desk", "declared": "true", **more}
    return client.post("/api/v1/inputs", {"file": SimpleUploadedFile("a.png", data), **fields})


@pytest.mark.django_db(transaction=True)
def test_the_api_takes_lists_and_deletes_ones_own(editor: Client, tmp_path: Path) -> None:
    data = picture(tmp_path / "a.png").read_bytes()
    made = upload(editor, data)
    assert made.status_code == 201, made.json()
    body = made.json()
    assert (body["kind"], body["width"], body["height"]) == ("picture", 64, 48)
    assert [one["id"] for one in editor.get("/api/v1/inputs").json()["results"]] == [body["id"]]
    stranger = Client()
    other = User.objects.create_user("other")
    other.user_permissions.set(Permission.objects.filter(codename="add_generationrequest"))
    stranger.force_login(other)
    assert stranger.get("/api/v1/inputs").json()["results"] == []
    assert stranger.delete(f"/api/v1/inputs/{body['id']}").status_code == 404
    refused = editor.post(
        "/api/v1/generations",
        {"prompt": "a red ball", "operation": "image_to_video", "inputs": {"first": str(uuid.uuid4())}},
        content_type="application/json",
    )
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_input")
    asked = editor.post(
        "/api/v1/generations",
        {"prompt": "a red ball", "operation": "image_to_video", "inputs": {"first": body["id"]}},
        content_type="application/json",
    )
    assert asked.status_code == 202, asked.json()
    assert asked.json()["operation"] == "image_to_video"
    assert editor.delete(f"/api/v1/inputs/{body['id']}").status_code == 204
    assert editor.get(f"/api/v1/inputs/{body['id']}").status_code == 404


@pytest.mark.django_db
def test_the_api_says_what_is_wrong_with_an_upload(editor: Client, tmp_path: Path) -> None:
    good = picture(tmp_path / "a.png").read_bytes()
    cases = [
        (b"not a picture", {}, 422, "input_refused"),
        (good[:200], {}, 422, "input_refused"),
        (good, {"kind": "statue"}, 400, None),
        (good, {"licence": ""}, 400, None),
        (good, {"declared": "false"}, 400, "rights_missing"),
        (b"", {}, 400, None),
    ]
    for data, more, status, code in cases:
        answer = upload(editor, data, **more)
        assert answer.status_code == status, answer.json()
        assert answer.json()["help"]
        if code:
            assert answer.json()["code"] == code
    frames = io.BytesIO()
    images = [Image.new("RGB", (32, 32), (n, 0, 0)) for n in (0, 200)]
    images[0].save(frames, "WEBP", save_all=True, append_images=images[1:], duration=100)
    assert "animation" in upload(editor, frames.getvalue()).json()["message"]
    assert Client().post("/api/v1/inputs").status_code in (401, 403)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.get(username="editor"))
    assert upload(browser, good).status_code == 403, "a form of another site"
    browser.cookies["csrftoken"] = "a" * 32
    fields = {"kind": "picture", "licence": "CC0-1.0", "source": "desk", "declared": "true"}
    sent = {"file": SimpleUploadedFile("a.png", good), **fields}
    assert browser.post("/api/v1/inputs", sent, headers={"X-CSRFToken": "a" * 32}).status_code == 201
    assert editor.post("/api/v1/inputs").json()["code"] == "no_file"


def test_content_credentials_of_an_upload_are_read_in_the_jail(tmp_path: Path) -> None:
    made = tmp_path / "in.png"
    facts = manifest.ManifestFacts(
        title="High tide",
        asset_id="urn:uuid:9f6c2f4e-0f53-4a9f-9d1a-2f5f5d0c3b11",
        software_version="0.1.0",
        proof=kit.proof_for(kit.write_image(made)),
        models=(manifest.ModelFact("m", "1", "moving pictures", licence="MIT"),),
    )
    signed = tmp_path / "signed.png"
    signing.sign_file(made, signed, manifest.build(facts))
    assert parsing.parse(signed, "picture").credentials == "signer unknown", "no root is trusted in there"
    assert parsing.parse(made, "picture").credentials == "none"
