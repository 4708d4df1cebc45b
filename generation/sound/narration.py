"""A narration that a person recorded and an editor uploaded, instead of a synthetic voice.

A recording of a voice is a biometric: it is kept encrypted (AES-256-GCM under the installation's data key)
below `$BYLINE_HOME/narrations`, named by the SHA-256 of its bytes, and `forget` removes it. A request uses
it by that digest and only together with a voice reference to the same digest, which the consent stage has
checked. The file is anybody's: it is decoded in the verifier's jail, never in this process.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import conf, keyring
from byline.audit.base.errors import InvalidInput
from byline.generation.voices.base import Speech
from byline.provenance.decode import decode_untrusted

MAX_BYTES = 64 << 20
MAX_SECONDS = 90.0  # a clip is never longer; what the decoder keeps of a sound is
_NONCE = 12
_LABEL = b"byline narration v1 "


class NarrationRefused(InvalidInput):
    code = "narration_refused"
    status = 422
    help = f"Upload a WAV, MP3 or MP4 recording of up to {MAX_SECONDS:.0f} s with a voice in it."


def keep(source: Path) -> tuple[str, Speech]:
    """Store a recording; its SHA-256 and sound. NarrationRefused, Unreadable: nothing is kept then."""
    if source.stat().st_size > MAX_BYTES:
        raise NarrationRefused(f"the recording is larger than {MAX_BYTES >> 20} MiB")
    data = source.read_bytes()
    speech = _decoded(data)
    digest = hashlib.sha256(data).hexdigest()
    place = _place(digest)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    nonce = os.urandom(_NONCE)
    sealed = nonce + _cipher().encrypt(nonce, data, _LABEL + digest.encode())
    descriptor, name = tempfile.mkstemp(prefix=".narration-", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(sealed)
            target.flush()
            os.fsync(target.fileno())
        Path(name).replace(place)
    finally:
        Path(name).unlink(missing_ok=True)
    return digest, speech


def read(digest: str) -> Speech:
    """The recording's sound, without word times. NarrationRefused when it is not kept here or was changed."""
    from cryptography.exceptions import InvalidTag

    place = _place(digest)
    if not place.is_file():
        raise NarrationRefused("this recording is not kept here", help="Upload it again.")
    sealed = place.read_bytes()
    try:
        data = _cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], _LABEL + digest.encode())
    except InvalidTag as error:
        raise NarrationRefused("the stored recording was changed", help="Upload it again.") from error
    return _decoded(data)


def forget(digest: str) -> bool:
    """Remove a recording for good; whether there was one."""
    place = _place(digest)
    kept = place.is_file()
    with contextlib.suppress(FileNotFoundError):
        place.unlink()
    return kept


def _decoded(data: bytes) -> Speech:
    # The jail reads a file; this one is private and gone before the sound is used.
    with tempfile.TemporaryDirectory(prefix="byline-narration-") as folder:
        path = Path(folder) / "recording"
        path.touch(mode=0o600)
        path.write_bytes(data)
        media = decode_untrusted(path, max_bytes=MAX_BYTES)
    if media.samples is None or not media.samples.size:
        raise NarrationRefused("there is no sound in the file")
    seconds = len(media.samples) / media.rate
    if max(seconds, media.duration) > MAX_SECONDS:
        raise NarrationRefused(f"the recording is longer than {MAX_SECONDS:.0f} s")
    if seconds < 0.2 or float(np.abs(media.samples).max()) < 1e-3:
        raise NarrationRefused("the recording is silent or too short")
    return Speech(np.clip(media.samples, -1, 1), media.rate, ())


def _place(digest: str) -> Path:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise NarrationRefused("this is no SHA-256", help="Give the digest that the upload answered with.")
    return conf.home() / "narrations" / f"{digest}.sealed"


def _cipher() -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(keyring.read("data"))
