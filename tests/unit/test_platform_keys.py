"""Keys: made once, all or none, private, and in the formats that others read."""

import base64
import hashlib
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from byline.audit.base import keyring
from byline.audit.base.errors import ConfigurationError
from byline.audit.verify import parse_vkey
from byline.platform import keys


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.BYLINE = {**settings.BYLINE, "HOME": tmp_path / "home"}
    return tmp_path / "home"


def contents(home: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (home / "keys").iterdir()}


def test_every_purpose_gets_a_private_file(home: Path) -> None:
    assert keys.create(home) == sorted(keyring.FILES)
    assert keys.missing() == []
    assert set(contents(home)) == {*keyring.FILES.values(), keys.DJANGO_SECRET}
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (home / "keys").iterdir()} == {0o600}
    assert sorted(path.name for path in home.iterdir()) == ["keys", "keys.lock"]


def test_a_second_call_changes_nothing(home: Path) -> None:
    keys.create(home)
    before = contents(home)
    assert keys.create(home) == []
    assert contents(home) == before


def test_two_installations_share_no_key(home: Path, tmp_path: Path) -> None:
    keys.create(home)
    keys.create(tmp_path / "other")
    assert not set(contents(home).values()) & set(contents(tmp_path / "other").values())


@pytest.mark.parametrize("purpose", sorted(keyring.FILES))
def test_a_lost_key_is_reported_never_replaced(home: Path, purpose: str) -> None:
    keys.create(home)
    keyring.path(purpose).unlink()
    with pytest.raises(ConfigurationError, match=purpose):
        keys.create(home)
    assert not keyring.path(purpose).exists()


def test_an_interrupted_creation_leaves_no_half_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keys, "_create_log_key", die)
        with pytest.raises(KeyboardInterrupt):
            keys.create(home)
    assert not (home / "keys").exists()
    assert keys.create(home) == sorted(keyring.FILES)


def _create(home: Path) -> None:
    keys.create(home)


def test_two_commands_at_once_make_one_set(home: Path) -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_create, args=(home,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert keys.missing() == []
    assert not list(home.glob(".keys-*"))


def test_the_verifier_key_is_the_logs_and_reads_back(home: Path, settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "LOG_ORIGIN": "example.org/log"}
    keys.create(home)
    line = keyring.read("log_vkey").decode().strip()
    origin, identity, encoded = line.split("+", 2)
    raw = base64.b64decode(encoded)
    private = serialization.load_pem_private_key(keyring.read("log"), None)
    assert isinstance(private, Ed25519PrivateKey)
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert origin == "example.org/log"
    assert raw == b"\x01" + public
    # The rule of C2SP signed-note: the first four bytes of SHA-256(name, newline, type, key).
    assert identity == hashlib.sha256(b"example.org/log\n" + raw).hexdigest()[:8]
    parse_vkey(line)


def test_the_known_verifier_key_of_the_go_checksum_database() -> None:
    # A key that the world knows: golang.org/x/mod/sumdb's, published in Go's own sources.
    known = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    raw = base64.b64decode(known.split("+", 2)[2])
    assert keys.vkey_line("sum.golang.org", raw[1:]) == known


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "a\nb"])
def test_an_origin_that_the_format_forbids_is_refused(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="LOG_ORIGIN"):
        keys.vkey_line(origin, bytes(32))


def test_own_authorities_are_known_as_development(home: Path) -> None:
    keys.create(home)
    assert keys.for_development() == ["c2pa_ca_cert", "c2pa_chain", "tsa_ca_cert", "tsa_cert"]


def test_read_all_is_newest_first_and_each_once(home: Path) -> None:
    keys.create(home)
    assert keyring.read_all("watermark") == [keyring.read("watermark")]
    for number in (1, 2, 10):
        file = keyring.path("watermark").with_name(f"watermark.{number}.key")
        file.write_bytes(bytes([number]) * 32)
        file.chmod(0o600)
    keyring.path("watermark").with_name("watermark.11.key.bak").write_bytes(b"x")
    twin = keyring.path("watermark").with_name("watermark.11.key")
    twin.write_bytes(keyring.read("watermark"))  # a rotation that was interrupted half way
    twin.chmod(0o600)
    old = [bytes([number]) * 32 for number in (10, 2, 1)]
    assert keyring.read_all("watermark") == [keyring.read("watermark"), *old]


def test_an_exposed_old_key_is_refused_too(home: Path) -> None:
    keys.create(home)
    old = keyring.path("id").with_name("id.1.key")
    old.write_bytes(bytes(32))
    old.chmod(0o644)
    with pytest.raises(keyring.KeyUnavailable, match="readable by others"):
        keyring.read_all("id")
