"""Threat: key material leaves its files: in a log, a process list, an error, or through the web process."""

import base64
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from byline.audit.base import keyring
from byline.platform import keys

HOLD = """
import sys
from byline.platform import settings, supervisor
with supervisor.running(settings.HOME) as status:
    print("up", flush=True)
    sys.stdin.readline()
"""


def forms(secret: bytes) -> list[bytes]:
    """The ways in which 16 bytes from the middle of a key could show up in a text."""
    middle = secret[len(secret) // 3 :][:24]
    body = b"".join(line for line in secret.splitlines() if b"-----" not in line)
    found = [middle, middle.hex().encode(), middle.hex().upper().encode(), repr(middle).encode()[2:-1]]
    # Base64 at each of its three alignments; and the body of a PEM file as it stands.
    found += [base64.b64encode(b"\0" * shift + middle)[4:-4] for shift in range(3)]
    return [*found, *([body[40:64]] if secret.startswith(b"-----") else [])]


def secrets_of(home: Path) -> dict[str, bytes]:
    files = {p: home / "keys" / f for p, f in keyring.FILES.items() if p not in keyring.PUBLIC}
    # The key of a certificate request is only there while one is waiting.
    private = {p: f.read_bytes() for p, f in files.items() if p != "c2pa_next" or f.exists()}
    return {**private, "django": (home / "keys" / keys.DJANGO_SECRET).read_bytes()}


def leaks(text: bytes, secrets: dict[str, bytes]) -> list[str]:
    return sorted(name for name, secret in secrets.items() if any(form in text for form in forms(secret)))


def test_the_search_finds_planted_keys(byline_home: Path) -> None:
    secrets = secrets_of(byline_home)
    for name, secret in secrets.items():
        for text in (
            secret,
            secret.hex().encode(),
            b"x" + base64.b64encode(b"ab" + secret),
            repr(secret).encode(),
        ):
            assert name in leaks(text, secrets)


def test_nothing_that_services_write_holds_a_key(installation: Any) -> None:
    secrets = secrets_of(installation.home)
    command = installation.popen(HOLD, stdin=subprocess.PIPE)
    assert command.stdout.readline() == "up\n"
    time.sleep(3)  # the workers have started and said what they say
    seen = b"\n".join(
        " ".join([*process.cmdline(), *process.environ().values()]).encode()
        for process in installation.processes()
    )
    _, errors = command.communicate("\n", timeout=30)
    logs = [*(installation.home / "logs").glob("*.log"), (installation.home / "database" / "log").resolve()]
    assert len(logs) >= 5
    written = b"\n".join(log.read_bytes() for log in logs)
    assert leaks(seen + errors.encode() + written, secrets) == []


def test_making_keys_says_nothing_of_them(tmp_path: Path) -> None:
    script = "import django; django.setup(); from django.core.management import call_command as c; "
    script += "from byline.platform import keys, settings; print(keys.create(settings.HOME)); c('check')"
    environment = {**os.environ, "BYLINE_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert leaks(done.stdout + done.stderr, secrets_of(tmp_path / "home")) == []


@pytest.mark.parametrize("purpose", sorted(keyring.SIGNING))
def test_the_web_process_cannot_read_a_signing_key(
    purpose: str, byline_home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if purpose == "c2pa_next":
        made = keyring.write(purpose, keyring.read("c2pa_leaf"))
        request.addfinalizer(made.unlink)
    keyring.read(purpose)
    monkeypatch.setenv("BYLINE_PROCESS", "web")
    with pytest.raises(keyring.KeyRefused) as caught:
        keyring.read(purpose)
    assert leaks(f"{caught.value} {caught.value.as_dict()}".encode(), secrets_of(byline_home)) == []


def test_the_wsgi_entry_makes_any_server_the_web_process() -> None:
    script = "import os; os.environ.pop('BYLINE_PROCESS', 0); import byline.platform.wsgi; "
    script += "print(os.environ['BYLINE_PROCESS'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "web\n", done.stderr


def test_a_key_readable_by_others_is_not_used(installation: Any, settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "HOME": installation.home}
    keyring.path("watermark").chmod(0o644)
    with pytest.raises(keyring.KeyUnavailable, match="readable by others"):
        keyring.read("watermark")
