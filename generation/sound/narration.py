"""A narration that a person recorded and an editor uploaded, instead of a synthetic voice.

A recording of a voice is a biometric: it is kept encrypted (AES-256-GCM under the installation's data key)
below `$BYLINE_HOME/narrations`, named by the SHA-256 of its bytes, and `forget` removes it. A request uses
it by that digest and only together with a voice reference to the same digest, which the consent stage has
checked. The file is anybody's: it is decoded in the verifier's jail, never in this process.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput
from byline.generation import sealed
from byline.generation.voices.base import Speech
from byline.provenance.decode import decode_untrusted

MAX_BYTES = 64 << 20
MAX_SECONDS = 90.0  # a clip is never longer; what the decoder keeps of a sound is
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
    sealed.write(_place(digest), data, _LABEL + digest.encode())
    return digest, speech


def read(digest: str) -> Speech:
    """The recording's sound, without word times. NarrationRefused when it is not kept here or was changed."""
    try:
        data = sealed.read(_place(digest), _LABEL + digest.encode())
    except sealed.SealBroken as error:
        raise NarrationRefused("this recording is not kept here, or was changed", help=error.help) from error
    return _decoded(data)


def forget(digest: str) -> bool:
    """Remove a recording for good; whether there was one."""
    return sealed.forget(_place(digest))


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
