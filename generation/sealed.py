"""Files of editors and speakers, encrypted at rest: AES-256-GCM under the installation's data key.

Promises: a file appears whole or not at all, 0600 in a directory 0700; it is bound to the label it was
sealed under, so that one cannot be put in the place of another; a changed one does not open. Who may
read or remove one is the caller's affair.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from byline.audit.base import keyring
from byline.audit.base.errors import BylineError

_NONCE = 12


class SealBroken(BylineError):
    """The file is not kept here, or is not the one that was sealed."""

    code = "seal_broken"
    status = 409
    help = "Upload the file again."


def write(place: Path, data: bytes, label: bytes) -> None:
    """Seal `data` at `place`, replacing what stood there."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    nonce = os.urandom(_NONCE)
    descriptor, name = tempfile.mkstemp(prefix=".sealing-", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(nonce + _cipher().encrypt(nonce, data, label))
            target.flush()
            os.fsync(target.fileno())
        Path(name).replace(place)
    finally:
        Path(name).unlink(missing_ok=True)


def read(place: Path, label: bytes) -> bytes:
    """What was sealed at `place` under this label. SealBroken when it is gone or was changed."""
    from cryptography.exceptions import InvalidTag

    try:
        sealed = place.read_bytes()
    except FileNotFoundError as error:
        raise SealBroken("the file is not kept here any more") from error
    try:
        data: bytes = _cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], label)
    except InvalidTag as error:
        raise SealBroken("the stored file was changed") from error
    return data


def forget(place: Path) -> bool:
    """Remove it for good; whether there was one."""
    kept = place.is_file()
    with contextlib.suppress(FileNotFoundError):
        place.unlink()
    return kept


def _cipher() -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(keyring.read("data"))
