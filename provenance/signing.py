"""Sign a finished file with C2PA, stamp it, and believe it only after reading it back.

Promises: the key is read for one signature, in the process that signs, and is given to the
library as a callback, so an HSM or KMS fits the same hole; the signature is time-stamped; the
signed file is read again from disk under this installation's own roots and must be trusted,
stamped and free of failures, else SigningFailed and no file. The destination appears whole and
synced or not at all. MP4, M4A, WAV, PNG and JPEG.
Left out: remote and sidecar manifests; we never supply a hash assertion (the library accepts a
wrong one without a word).
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from byline.audit.base import keyring
from byline.audit.base.errors import BylineError
from byline.provenance import formats, reading, timestamps
from byline.provenance.trust import TrustBundle

SIGNABLE = {"video/mp4", "audio/mp4", "audio/wav", "image/png", "image/jpeg"}


class SigningFailed(BylineError):
    """No signed file was left behind; `str(error)` says which step failed."""

    code = "signing_failed"
    status = 500
    help = "Nothing was published. Check the signing keys with `byline check`, then try again."


def sign_file(source: Path, destination: Path, manifest: dict[str, Any]) -> bytes:
    """Write `source` with `manifest` (the C2PA builder's JSON) to `destination`; returns the manifest store.

    Raises SigningFailed, KeyUnavailable or KeyRefused; `destination` then does not exist.
    """
    destination.unlink(missing_ok=True)  # a failure must not leave an older file that looks signed
    found = formats.sniff(source)
    if found is None or found.mime not in SIGNABLE:
        raise SigningFailed("the file is of no format that we sign")
    descriptor, name = tempfile.mkstemp(prefix=".signing-", suffix=destination.suffix, dir=destination.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as target, source.open("rb") as media:
            store = _sign({**manifest, "format": found.mime}, found.mime, media, target)
            target.flush()
            os.fsync(target.fileno())
        _check(temporary)
        temporary.replace(destination)
        _sync_directory(destination.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return store


def _sign(manifest: dict[str, Any], mime: str, media: Any, target: Any) -> bytes:
    import c2pa

    problems: list[Exception] = []  # the library swallows what a callback raises
    settings = reading.context_settings(TrustBundle.from_installation())
    settings["core"]["allowed_network_hosts"] = ["127.0.0.1"]  # the time stamper below, nobody else
    signature = _callback(keyring.read("c2pa_leaf"), problems)
    chain = keyring.read("c2pa_chain").decode()
    with timestamps.authority() as stamper:
        try:
            context = c2pa.Context.from_dict(settings)
            signer = c2pa.Signer.from_callback(signature, c2pa.C2paSigningAlg.ES256, chain, stamper)
            store = c2pa.Builder(manifest, context).sign(signer, mime, media, target)
        except c2pa.C2paError as error:
            cause = problems[0] if problems else error
            raise SigningFailed(f"the C2PA library refused ({type(cause).__name__})") from cause
    return bytes(store)


def _callback(pem: bytes, problems: list[Exception]) -> Callable[[bytes], bytes]:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SigningFailed("the signing key is not a P-256 key")

    def sign(data: bytes) -> bytes:
        """COSE ES256: r and s, 32 bytes each (RFC 9053 section 2.1)."""
        try:
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        except (ValueError, TypeError) as error:
            problems.append(error)
            raise

    return sign


def _check(path: Path) -> None:
    """Read the signed file again; anything but trusted, stamped and faultless raises SigningFailed."""
    result = reading.read(path, TrustBundle.from_installation())
    if result.presence != "read":
        raise SigningFailed(f"the signed file does not read back: {result.detail}")
    if result.failures or result.state != "Trusted" or not result.signer_known:
        codes = ", ".join(result.failures) or result.state
        raise SigningFailed(f"the signed file does not verify under our own roots: {codes}")
    if not result.stamped:
        raise SigningFailed("the signature carries no valid time stamp")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
