"""Makes every key of an installation, once; nothing here is ever made twice or overwritten.

Promises: `create` leaves a file for each purpose of `keyring.FILES` (those the C2PA and time-stamp
authorities need come from `byline.provenance.certs`), directory 0700, files 0600, each from the
operating system's cryptographic generator. Key material never leaves these files: not in the
return value, not in an error, not in a log.

`development=True` marks the whole set with a file DEVELOPMENT; a system check (checks.py) refuses
such a set while DEBUG is off. Rotation and hardware keys are left out.
"""

import base64
import fcntl
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from byline.audit.base import conf, keyring
from byline.audit.base.errors import ConfigurationError

DEVELOPMENT = "DEVELOPMENT"
DJANGO_SECRET = "django_secret.txt"  # noqa: S105: a file name
_RANDOM_BYTES = {"watermark": 32, "id": 32, "data": 32}
_ED25519 = b"\x01"  # signature type of C2SP signed-note verifier keys


def vkey_line(origin: str, public: bytes) -> str:
    """C2SP signed-note verifier key `name+hash+base64`: 8 hex digits identify name and key.

    `public` is the raw 32-byte Ed25519 key. ConfigurationError for an origin that the format forbids.
    """
    if not origin or "+" in origin or any(c.isspace() for c in origin):
        raise ConfigurationError(
            "LOG_ORIGIN must be one word without a plus sign", help="Set BYLINE_LOG_ORIGIN=example.org/log"
        )
    key = _ED25519 + public
    identity = hashlib.sha256(origin.encode() + b"\n" + key).digest()[:4].hex()
    return f"{origin}+{identity}+{base64.b64encode(key).decode()}"


def create(home: Path, *, development: bool = False) -> list[str]:
    """Make what is missing under `home/keys`; returns the purposes made now, none the second time."""
    directory = home / "keys"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    with _as_home(home), open(directory / ".lock", "a") as lock:
        (directory / ".lock").chmod(0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands may start at once in a fresh home
        before = _present()
        if development and not before:
            _write(directory / DEVELOPMENT, b"These keys are for development: do not publish with them.\n")
        for purpose, size in _RANDOM_BYTES.items():
            if purpose not in before:
                keyring.write(purpose, secrets.token_bytes(size))
        if "log" not in before:
            _create_log_key()
        elif "log_vkey" not in before:
            raise ConfigurationError(
                "the log has a signing key but no verifier key",
                help=f"Restore {keyring.path('log_vkey')} from your backup.",
            )
        if not (directory / DJANGO_SECRET).exists():
            _write(directory / DJANGO_SECRET, secrets.token_urlsafe(48).encode())
        _create_authorities(directory)
        return sorted(_present() - before)


def missing() -> list[str]:
    """Purposes without a file in this installation."""
    return sorted(set(keyring.FILES) - _present())


def are_for_development() -> bool:
    """Whether this installation's keys were made for development."""
    return (keyring.directory() / DEVELOPMENT).exists()


def _create_log_key() -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    # The line first: a key without a published line is refused, a line without a key is harmless.
    line = vkey_line(conf.get("LOG_ORIGIN"), public) + "\n"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keyring.path("log_vkey").unlink(missing_ok=True)
    keyring.write("log_vkey", line.encode())
    keyring.write("log", private)


def _create_authorities(directory: Path) -> None:
    purposes = {"c2pa_ca", "c2pa_ca_cert", "c2pa_leaf", "c2pa_chain", "tsa_ca_cert", "tsa", "tsa_cert"}
    if purposes <= _present():
        return
    if find_spec("byline.provenance.certs") is None:  # TEMPORARY while that module is being written
        return
    from byline.provenance import certs

    certs.create_authorities(directory)


def _present() -> set[str]:
    return {purpose for purpose in keyring.FILES if keyring.path(purpose).exists()}


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(data)


@contextmanager
def _as_home(home: Path) -> Iterator[None]:
    """The keyring follows the HOME setting; let it mean `home` while keys are made there."""
    if conf.home() == home:
        yield
        return
    before = settings.BYLINE
    settings.BYLINE = {**before, "HOME": home}
    try:
        yield
    finally:
        settings.BYLINE = before
