"""Key files of one installation, one per purpose, under `$BYLINE_HOME/keys` (0700, files 0600).

`read` gives the key in use. Rotation (byline.platform.keys) keeps what it replaces beside it, as
NAME.1.EXT, NAME.2.EXT and so on, the highest number replaced last; `read_all` gives all of them,
newest first, because what an old key marked or an old root vouched for is still out there.

The web process may check but never sign: it runs with BYLINE_PROCESS=web, and `read` then
refuses the signing purposes. Making keys is `byline.platform.keys.create`; nothing here logs
or returns key material in an error.
"""

import os
import re
import stat
from pathlib import Path

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError

# purpose -> file name. Private unless listed in PUBLIC.
FILES = {
    "c2pa_ca": "c2pa_ca.key.pem",
    "c2pa_ca_cert": "c2pa_ca.cert.pem",
    "c2pa_leaf": "c2pa_leaf.key.pem",
    "c2pa_chain": "c2pa_leaf.chain.pem",  # leaf first, then intermediates, without the root
    "tsa_ca_cert": "tsa_ca.cert.pem",
    "tsa": "tsa.key.pem",
    "tsa_cert": "tsa.cert.pem",
    "log": "log.key.pem",  # Ed25519, PKCS#8
    "log_vkey": "log.vkey.txt",  # C2SP signed-note verifier key
    "receipt": "receipt.key.pem",  # Ed25519, PKCS#8: signs receipts and status lists, nothing else
    "receipt_vkey": "receipt.vkey.txt",  # its public half, in the same form as the log's
    "watermark": "watermark.key",  # 32 raw bytes
    "id": "id.key",  # 32 raw bytes: authenticates mark ids
    "data": "data.key",  # 32 raw bytes, for encryption at rest: made now, used by nothing yet
}
# Files that an installation may do without.
OPTIONAL = {
    "c2pa_next": "c2pa_next.key.pem",  # made by `byline keys csr`, waits for its certificate
    "c2pa_crls": "c2pa_crls.pem",  # revocation lists under our signing roots
    "c2pa_issuers": "c2pa_issuers.pem",  # authorities between our roots and our leaves
}
PUBLIC = {
    "c2pa_crls",
    "c2pa_issuers",
    "c2pa_ca_cert",
    "c2pa_chain",
    "tsa_ca_cert",
    "tsa_cert",
    "log_vkey",
    "receipt_vkey",
}
SIGNING = {"c2pa_ca", "c2pa_leaf", "c2pa_next", "tsa", "log"}


class KeyUnavailable(ConfigurationError):
    code = "key_unavailable"
    help = "Run `byline setup` to make this installation's keys, or restore them from your backup."


class KeyRefused(ConfigurationError):
    code = "key_refused"
    help = "Signing happens in the workers and the sealer; the web process holds no signing key."


def directory() -> Path:
    return conf.home() / "keys"


def path(purpose: str) -> Path:
    return directory() / (FILES.get(purpose) or OPTIONAL[purpose])


def read(purpose: str) -> bytes:
    """The key in use. KeyRefused in the web process if it signs, KeyUnavailable if absent or exposed."""
    return _read(purpose, path(purpose))


def _read(purpose: str, file: Path) -> bytes:
    if purpose in SIGNING and os.environ.get("BYLINE_PROCESS") == "web":
        raise KeyRefused(f"the web process asked for the signing key {purpose!r}")
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if purpose not in PUBLIC and mode & 0o077:
            raise KeyUnavailable(
                f"{file} is readable by others (mode {mode:o})",
                help=f"Run `chmod 600 {file}` and rotate the key.",
            )
        return file.read_bytes()
    except FileNotFoundError as error:
        raise KeyUnavailable(f"no key for {purpose!r} at {file}") from error


def paths(purpose: str) -> list[Path]:
    """The file in use, then those it replaced, newest first. Only the first may be missing."""
    current = path(purpose)
    return [current, *(_numbered(current, number) for number in _numbers(current))]


def replaced(current: Path) -> Path:
    """The name under which the file in use is kept when another takes its place."""
    return _numbered(current, max(_numbers(current), default=0) + 1)


def _numbered(current: Path, number: int) -> Path:
    return current.with_name(f"{current.stem}.{number}{current.suffix}")


def _numbers(current: Path) -> list[int]:
    pattern = re.compile(rf"{re.escape(current.stem)}\.([1-9][0-9]*){re.escape(current.suffix)}")
    found = (
        [pattern.fullmatch(name) for name in os.listdir(current.parent)] if current.parent.is_dir() else []
    )
    return sorted((int(match[1]) for match in found if match), reverse=True)


def read_all(purpose: str) -> list[bytes]:
    """Every key of a purpose that is still to be recognised, the one in use first, each once.

    Raises as `read` does, for any of the files: an unreadable old key must not silently become
    "no mark found".
    """
    return list(dict.fromkeys(_read(purpose, file) for file in paths(purpose)))


def write(purpose: str, data: bytes) -> Path:
    """Create one key file, never overwriting; the directory is made 0700 and the file 0600."""
    file = path(purpose)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    _write(file, data)
    return file


def replace(purpose: str, data: bytes, *, keep: bool) -> Path:
    """Put a new file in the place of the one in use, at once; with `keep`, `read_all` still gives the old.

    Interrupted, it leaves the old one in use. Without an old one it only writes.
    """
    current = path(purpose)
    fresh = current.with_name(f".{current.name}.new")
    fresh.unlink(missing_ok=True)
    _write(fresh, data)
    if keep and current.exists():
        os.link(current, replaced(current))
    os.replace(fresh, current)
    descriptor = os.open(current.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return current


def _write(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
