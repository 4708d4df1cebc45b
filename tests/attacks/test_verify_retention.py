"""Threat: an upload outlives its answer. Nothing of 50 MB reaches a disk, also when the child is killed.

Two witnesses, because each is blind where the other sees: inotify reports every file that any process
makes or changes below TMPDIR, HOME and BYLINE_HOME, even one that is gone again; an audit hook reports
every file that the web process opens for writing anywhere. The child cannot write a byte at all.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client

from byline.platform import verification

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(240)]
VERIFY = "/api/v1/verify"
_CREATED = 0x100 | 0x80 | 0x2 | 0x8  # IN_CREATE, IN_MOVED_TO, IN_MODIFY, IN_CLOSE_WRITE
_hooked: list[
    list[str]
] = []  # where the audit hook writes while a witness is active; a hook cannot be removed


def _note_writes(event: str, arguments: tuple[Any, ...]) -> None:
    if _hooked and event == "open" and isinstance(arguments[0], str | bytes):  # a number is open already
        path, flags = str(arguments[0]), arguments[2]
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not path.startswith(("/dev/", "/proc/")):
            _hooked[-1].append(path)


sys.addaudithook(_note_writes)


class Witness:
    """Files made or changed below some directories, by anybody, and files this process opened to write."""

    def __init__(self, *roots: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._descriptor >= 0
        for root in roots:
            for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
                added = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _CREATED)
                assert added >= 0, os.strerror(ctypes.get_errno())
        self.opened: list[str] = []
        _hooked.append(self.opened)

    def made(self) -> list[str]:
        """Names seen by inotify since the start."""
        names, data = [], b""
        while True:
            try:
                data += os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                break
        at = 0
        while at < len(data):
            length = struct.unpack_from("iIII", data, at)[3]
            names.append(data[at + 16 : at + 16 + length].rstrip(b"\0").decode())
            at += 16 + length
        return names

    def close(self) -> None:
        _hooked.remove(self.opened)
        os.close(self._descriptor)


@pytest.fixture
def witness(tmp_path: Path, byline_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    for name in ("TMPDIR", "HOME"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmpdir"))
    for folder in (byline_home / "media", byline_home / "work"):
        folder.mkdir(exist_ok=True)
    found = Witness(tmp_path / "tmpdir", tmp_path / "home", byline_home)
    yield found
    found.close()


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A clip that plays, made 50 MB long by a box that players skip."""
    small = kit.write_mp4(tmp_path_factory.mktemp("clip") / "a.mp4", kit.pictures(1, count=6, size=(64, 48)))
    return small.read_bytes() + struct.pack(">I4s", 50_000_008, b"free") + bytes(50_000_000)


def _post(client: Client, data: bytes) -> Any:
    return client.post(VERIFY, {"file": SimpleUploadedFile("a.mp4", data, "video/mp4")})


def _assert_nothing_is_left(witness: Witness) -> None:
    assert witness.made() == []
    assert witness.opened == []
    targets = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)]
    assert not [target for target in targets if "memfd:byline-verify" in target]
    assert not [child for child in psutil.Process().children(recursive=True) if "verify" in child.cmdline()]


def _is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def test_the_witnesses_see_what_they_must(witness: Witness, tmp_path: Path) -> None:
    """Django's own way with large uploads, a file that is gone at once, and a write elsewhere."""
    with TemporaryUploadedFile("a.mp4", "video/mp4", 3, None) as spooled:
        spooled.write(b"abc")
    assert witness.made(), "inotify sees the spool file that no longer exists"
    (tmp_path / "elsewhere").write_text("x")
    assert str(tmp_path / "elsewhere") in witness.opened


def test_50_mb_are_verified_and_no_file_is_made(client: Client, witness: Witness, upload: bytes) -> None:
    response = _post(client, upload)
    assert response.status_code == 200, response.content[:500]
    assert response.json()["exit_code"] == 14, "it was decoded and looked at, not refused"
    _assert_nothing_is_left(witness)


def test_nothing_is_left_when_the_limit_ends_the_child(
    client: Client, witness: Witness, upload: bytes, settings: Any
) -> None:
    settings.BYLINE = {**settings.BYLINE, "VERIFY_MAX_SECONDS": 1.0}
    response = _post(client, upload)
    assert (response.status_code, response.json()["code"]) == (422, "verification_limit")
    _assert_nothing_is_left(witness)


def test_nothing_is_left_when_the_child_is_killed(client: Client, witness: Witness, upload: bytes) -> None:
    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for child in psutil.Process().children():
                if "verify" in child.cmdline():
                    child.kill()
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    response = _post(client, upload)
    killer.join()
    assert (response.status_code, response.json()["code"]) == (422, "verification_limit")
    _assert_nothing_is_left(witness)


def test_the_child_cannot_write_a_single_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byline_home: Path
) -> None:
    """The bounds as they are set, with a child that tries: it may create a name, but no byte goes in."""
    script = tmp_path / "child"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os\n"
        f"descriptor = os.open({str(tmp_path / 'kept')!r}, os.O_WRONLY | os.O_CREAT)\n"
        "try:\n    wrote = os.write(descriptor, b'x')\n"
        "except OSError:\n    wrote = 0\n"
        "print(json.dumps({'wrote': wrote}))\n"
    )
    script.chmod(0o700)
    monkeypatch.setattr(verification.sys, "executable", str(script))
    with (tmp_path / "file").open("w+b") as file:
        assert verification.run_in_child("verify", file.fileno()) == {"wrote": 0}
    assert (tmp_path / "kept").stat().st_size == 0
