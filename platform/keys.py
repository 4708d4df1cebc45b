"""Makes every key of an installation, once; nothing here is ever made twice or overwritten.

Promises: `create` leaves a file for each purpose of `keyring.FILES`, directory 0700, files 0600,
each from the operating system's cryptographic generator. Key material never leaves these files:
not in a return value, an error or a log.

The C2PA and time-stamp authorities made here say "development" in their names: nobody's trust
list holds them. A system check (checks.py) refuses them while DEBUG is off. Changing keys later is
rotation.py.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from byline.audit.base import conf, keyring
from byline.audit.base.errors import ConfigurationError
from byline.audit.checkpoint import VerifierKey
from byline.provenance import certs, signers

DJANGO_SECRET = "django_secret.txt"  # noqa: S105
_RECEIPTS = ["receipt", "receipt_vkey"]  # a home made before receipts existed gets its pair later
_RANDOM_BYTES = {"watermark": 32, "id": 32, "data": 32}


def vkey_line(origin: str, public: bytes) -> str:
    """C2SP signed-note verifier key `name+hash+base64`: 8 hex digits identify name and key.

    `public` is the raw 32-byte Ed25519 key. ConfigurationError for an origin that the format forbids.
    """
    if not origin or "+" in origin or any(c.isspace() for c in origin):
        raise ConfigurationError(
            "LOG_ORIGIN must be one word without a plus sign", help="Set BYLINE_LOG_ORIGIN=example.org/log"
        )
    return str(VerifierKey(origin, public))


def create(home: Path) -> list[str]:
    """Make the keys of a home that has none; returns the purposes made, none the second time.

    The set is made aside and renamed into place, so an interruption leaves all keys or none.
    ConfigurationError for a set of which a part is lost: a new part would not fit what the old one
    marked and signed, and would hide the loss.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(home / "keys.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands may start at once in a fresh home
        with as_home(home):
            lost = missing()
            begun = any(keyring.path(purpose).exists() for purpose in keyring.FILES)
        if not lost:
            return []
        if lost == _RECEIPTS:
            with as_home(home):
                _create_receipt_key()
            return lost
        if begun:
            raise ConfigurationError(
                f"keys are missing in {home / 'keys'}: {', '.join(lost)}",
                help="Restore them from your backup. With nothing published yet, remove the rest too.",
            )
        scratch = Path(tempfile.mkdtemp(prefix=".keys-", dir=home))
        try:
            with as_home(scratch):
                _create_all()
            (scratch / "keys").rename(home / "keys")
        finally:
            shutil.rmtree(scratch)
        return lost


def missing() -> list[str]:
    """Purposes without a file in this installation, but for those that it does without."""
    needless = set()
    if not signers.uses_key_ring():
        needless.add("c2pa_leaf")  # the key stays on its token or with its service
    if keyring.path("c2pa_ca_cert").exists() and not _is_for_development(keyring.read("c2pa_ca_cert")):
        needless.add("c2pa_ca")  # an outside authority keeps it
    if conf.get("C2PA_TSA_URL"):
        needless |= {"tsa", "tsa_cert"}
    wanted = set(keyring.FILES) - needless
    return sorted(purpose for purpose in wanted if not keyring.path(purpose).exists())


def for_development() -> list[str]:
    """Purposes whose certificate is of our own development authorities, or cannot be read as one."""
    return [
        purpose
        for purpose in ("c2pa_ca_cert", "c2pa_chain", "tsa_ca_cert", "tsa_cert")
        if (purpose != "tsa_cert" or not conf.get("C2PA_TSA_URL"))
        and keyring.path(purpose).exists()
        and _is_for_development(keyring.read(purpose))
    ]


def _is_for_development(pem: bytes) -> bool:
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return True
    names = [name for one in certificates for name in (one.subject, one.issuer)]
    return any("development" in name.rfc4514_string().lower() for name in names)


def _create_all() -> None:
    certs.create_authorities()
    for purpose, size in _RANDOM_BYTES.items():
        keyring.write(purpose, secrets.token_bytes(size))
    _create_log_key()
    _create_receipt_key()
    descriptor = os.open(keyring.directory() / DJANGO_SECRET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(secrets.token_urlsafe(48).encode())


def _create_log_key() -> None:
    _create_ed25519("log", conf.get("LOG_ORIGIN"))


def _create_receipt_key() -> None:
    """The web process may read this key: it signs what this site answered, and no media and no log."""
    _create_ed25519("receipt", f"{conf.get('LOG_ORIGIN')}/receipts")


def _create_ed25519(purpose: str, name: str) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    line = vkey_line(name, public) + "\n"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keyring.write(f"{purpose}_vkey", line.encode())
    keyring.write(purpose, private)


@contextmanager
def as_home(home: Path) -> Iterator[None]:
    """Work with the keys of another home: the keyring follows the HOME setting, so let it mean `home`."""
    if conf.home() == home:
        yield
        return
    before = getattr(settings, "BYLINE", {})  # a host project may have none
    settings.BYLINE = {**before, "HOME": home}
    try:
        yield
    finally:
        settings.BYLINE = before
