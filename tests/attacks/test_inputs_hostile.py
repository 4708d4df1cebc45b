"""Uploaded material as a weapon: bombs, lies about size, files that name files, and other people's ids."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from byline.generation.inputs import limits, parsing
from byline.generation.inputs.parsing import InputRefused
from byline.generation.models import GenerationRequest, UploadedInput


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG whose header says this size, whatever its data holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


HOSTILE = {
    "empty": (b"", "picture"),
    "no size": (png(0, 0), "picture"),
    "one line": (png(1, 1, b"\0\0\0\0"), "picture"),
    "far too large": (png(60_000, 60_000), "picture"),
    "a bomb": (png(30_000, 30_000, b"\0" * 10_000_000), "picture"),
    "less than it says": (png(4000, 4000, b"\0" * 100), "picture"),
    "text": (b"GIF89a but not really", "picture"),
    "a page": (
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "picture",
    ),
    "a play list": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "clip"),
    "a script": (b"ffconcat version 1.0\nfile /etc/passwd\n", "clip"),
    "a picture as clip": (png(64, 64, b"\0" * 64 * 193), "clip"),
    "noise": (bytes(range(256)) * 40, "clip"),
    "no sound": (b"RIFF\x24\0\0\0WAVEfmt ", "song"),
    "a picture as song": (png(64, 64, b"\0" * 64 * 193), "song"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    data, kind = HOSTILE[name]
    path = tmp_path / "upload"
    path.write_bytes(data)
    with pytest.raises(InputRefused) as refusal:
        parsing.parse(path, kind)
    assert refusal.value.status == 422
    assert "passwd" not in str(refusal.value)


def test_a_file_over_the_limit_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BYTES", 1000)
    path = tmp_path / "upload"
    path.write_bytes(b"\x89PNG" + b"\0" * 2000)
    with pytest.raises(InputRefused, match="over"):
        parsing.parse(path, "picture")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense\n",
        b'{"shape": [99999, 99999, 3], "fps": 0, "notes": [], "own": [1, 1], "credentials": "none"}\n',
        b'{"shape": [64, 64, 3], "fps": 0, "notes": [], "own": [1, 1], "credentials": "trusted!"}\n',
        b'{"shape": [64, 64, 3], "fps": 0, "notes": [], "own": [1, 1], "credentials": "none"}\nshort',
        b'{"shape": [-64, -64, 3], "fps": 0, "notes": [], "own": [1, 1], "credentials": "none"}\n',
    ],
)
def test_what_a_captured_reader_says_is_not_believed(line: bytes) -> None:
    with pytest.raises(InputRefused):
        parsing._received(io.BytesIO(line), "picture")


@pytest.mark.django_db(transaction=True)
def test_another_accounts_upload_cannot_be_used_and_not_even_guessed(tmp_path: Path) -> None:
    clients = []
    for name in ("alice", "mallory"):
        user = User.objects.create_user(name)
        user.user_permissions.set(Permission.objects.filter(codename="add_generationrequest"))
        client = Client()
        client.force_login(user)
        clients.append(client)
    alice, mallory = clients
    picture = io.BytesIO()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(picture, "PNG")
    fields = {"kind": "picture", "licence": "CC0-1.0", "source": "desk", "declared": "true"}
    mine = alice.post(
        "/api/v1/inputs", {"file": SimpleUploadedFile("../../x.png", picture.getvalue()), **fields}
    )
    assert mine.status_code == 201, mine.json()
    body = {"prompt": "a ball", "operation": "image_to_video", "inputs": {"first": mine.json()["id"]}}
    stolen = mallory.post("/api/v1/generations", body, content_type="application/json")
    body["inputs"]["first"] = "00000000-0000-4000-8000-000000000000"
    guessed = mallory.post("/api/v1/generations", body, content_type="application/json")
    assert stolen.status_code == guessed.status_code == 400
    assert stolen.json() == guessed.json(), "an answer that differs would tell which ids exist"
    assert not GenerationRequest.objects.exists()
    assert UploadedInput.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "brief",
    [
        {"prompt": "x" * 10_000},
        {"prompt": "a ball", "negative_prompt": "x" * 10_000},
        {"prompt": "a ball", "options": {"width": 0, "height": 0}},
        {"prompt": "a ball", "options": {"width": 2**40, "height": 2**40}},
        {"prompt": "a ball", "options": {"aspect": "16:1"}},
        {"prompt": "a ball", "options": {"camera_path": [{"t": 0}] * 1000}},
        {"prompt": "a ball", "options": {"brush": {"direction": "left"}}},
        {"prompt": "a ball", "options": {"fx": {"do": "grain"}}},
        {"prompt": "a ball", "options": {"loras": ["../../etc/passwd"]}},
        {"prompt": "a ball", "options": {"engine": "../x"}},
        {"prompt": "a ball", "options": []},
        {"prompt": "a ball", "options": {"__class__": 1}},
        {"prompt": "a ball", "operation": "run_shell"},
        {"prompt": "a ball", "operation": "image_to_video"},
        {"prompt": "a ball", "inputs": {"first": "not an id"}},
        {"prompt": "a ball", "inputs": {"references": ["x"] * 99}},
    ],
)
def test_bad_briefs_get_a_400_with_help_and_leave_no_row(client: Client, brief: dict[str, object]) -> None:
    user = User.objects.create_user("editor")
    user.user_permissions.set(Permission.objects.filter(codename="add_generationrequest"))
    client.force_login(user)
    answer = client.post("/api/v1/generations", brief, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert {"code", "message", "help"} <= set(answer.json())
    assert answer.json()["help"]
    assert not GenerationRequest.objects.exists()
