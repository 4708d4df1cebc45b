"""Sign a finished file with C2PA, stamp it, and believe it only after reading it back.

Promises: the signer (signers.py: key ring, HSM or KMS) is made for one signature, in the process that
signs, and is given to the library as a callback; the signature is time-stamped; the
signed file is read again from disk under this installation's own roots and must be trusted,
stamped and free of failures, else SigningFailed and no file. The destination appears whole and
synced or not at all. MP4, M4A, WAV, MP3, PNG and JPEG hold their manifest; for WebM, Ogg and others it
stands beside the file (`sign_sidecar`). `add_receipt` adds what became known after signing as an
update manifest, which leaves the signed content as it is. The hash of an MP4 covers its `free` and
`skip` boxes too, which the library would leave out.
Left out: remote manifests; we never supply a hash assertion (the library accepts a wrong one without
a word).
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from byline.audit.base.errors import BylineError
from byline.provenance import formats, reading, signers, timestamps
from byline.provenance.ingredients import Ingredient, add_to, entries, examine
from byline.provenance.manifest import receipt
from byline.provenance.trust import TrustBundle

SIGNABLE = {"video/mp4", "audio/mp4", "audio/wav", "audio/mpeg", "image/png", "image/jpeg"}


class SigningFailed(BylineError):
    """No signed file was left behind; `str(error)` says which step failed."""

    code = "signing_failed"
    status = 500
    help = "Nothing was published. Check the signing keys with `byline check`, then try again."


def sign_file(
    source: Path, destination: Path, manifest: dict[str, Any], ingredients: Sequence[Ingredient] = ()
) -> bytes:
    """Write `source` with `manifest` (from `manifest.build`) to `destination`; returns the manifest store.

    `ingredients` are those given to `manifest.build`. Raises SigningFailed, SignerUnavailable,
    KeyUnavailable or KeyRefused; `destination` then does not exist.
    """
    found = formats.sniff(source)
    if found is None or found.mime not in SIGNABLE:
        destination.unlink(missing_ok=True)
        raise SigningFailed("the file is of no format that we sign")

    def sign(media: BinaryIO, target: BinaryIO) -> bytes:
        return _sign(manifest, found.mime, media, target, ingredients)

    return _write(source, destination, sign, _check)


def sign_sidecar(
    source: Path, destination: Path, manifest: dict[str, Any], ingredients: Sequence[Ingredient] = ()
) -> bytes:
    """Write a manifest for `source`, which stays as it is, to the side-car file `destination`.

    For formats that hold no manifest. `formats.sidecar_of` says where readers look for it. Raises as
    `sign_file` does.
    """
    found = formats.sniff(source)
    if found is None:
        destination.unlink(missing_ok=True)
        raise SigningFailed("the file is of no format that we know")

    def sign(media: BinaryIO, target: BinaryIO) -> bytes:
        with tempfile.TemporaryFile() as unchanged:  # the library writes the content out again
            store = _sign(manifest, found.mime, media, unchanged, ingredients, embed=False)
        target.write(store)
        return store

    return _write(source, destination, sign, lambda path: _check(source, path.read_bytes()))


def add_receipt(source: Path, destination: Path, data: dict[str, Any]) -> bytes:
    """Copy a signed file with an update manifest that adds `c2pa.repository-receipt`; returns its store.

    The first manifest stays inside as the parent, and its hash of the content still counts. The bytes
    change: whoever stored the file's SHA-256 stores the new one. Raises as `sign_file` does, and when
    `source` is not signed by us.
    """
    found = formats.sniff(source)
    held = reading.read(source, TrustBundle.from_installation())
    if found is None or held.presence != "read":
        destination.unlink(missing_ok=True)
        raise SigningFailed("only a signed file takes a receipt")
    _check(source)
    update = receipt(version("byline"), held.title or "receipt", data, held.assertions)

    def sign(media: BinaryIO, target: BinaryIO) -> bytes:
        return _sign(update, found.mime, media, target, update=True)

    return _write(source, destination, sign, _check)


def _write(
    source: Path,
    destination: Path,
    sign: Callable[[BinaryIO, BinaryIO], bytes],
    check: Callable[[Path], None],
) -> bytes:
    """Sign to a private file, read that back, then give it its name."""
    destination.unlink(missing_ok=True)  # a failure must not leave an older file that looks signed
    descriptor, name = tempfile.mkstemp(prefix=".signing-", suffix=destination.suffix, dir=destination.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as target, source.open("rb") as media:
            store = sign(media, target)
            target.flush()
            os.fsync(target.fileno())
        check(temporary)
        temporary.replace(destination)
        _sync_directory(destination.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return store


def _sign(
    manifest: dict[str, Any],
    mime: str,
    media: BinaryIO,
    target: BinaryIO,
    ingredients: Sequence[Ingredient] = (),
    *,
    embed: bool = True,
    update: bool = False,
) -> bytes:
    import c2pa

    problems: list[Exception] = []  # the library swallows what a callback raises
    trust = TrustBundle.from_installation()
    settings = reading.context_settings(trust)
    settings["core"]["allowed_network_hosts"] = ["127.0.0.1"]  # the time stamper below, nobody else
    settings["builder"]["bmff_hash_exclude_free_and_skip_boxes"] = False
    examined = [examine(ingredient, trust) for ingredient in ingredients]
    listed = [*manifest.get("ingredients", ()), *entries(examined)]
    source = signers.load()
    signature = signers.callback(source, problems)
    with timestamps.authority() as stamper:
        try:
            context = c2pa.Context.from_dict(settings)
            signer = c2pa.Signer.from_callback(
                signature, c2pa.C2paSigningAlg.ES256, source.chain_pem, stamper
            )
            builder = c2pa.Builder({**manifest, "format": mime, "ingredients": listed}, context)
            if not embed:
                builder.set_no_embed()
            if update:
                builder.set_intent(c2pa.C2paBuilderIntent.UPDATE)
            add_to(builder, ingredients, examined)
            store = builder.sign(signer, mime, media, target)
        except c2pa.C2paError as error:
            cause = problems[0] if problems else error
            if isinstance(cause, BylineError):
                raise cause from error
            raise SigningFailed(f"the C2PA library refused ({type(cause).__name__})") from cause
    return bytes(store)


def _check(path: Path, manifest: bytes | None = None) -> None:
    """Read the signed file again; anything but trusted, stamped and faultless raises SigningFailed."""
    result = reading.read(path, TrustBundle.from_installation(), manifest=manifest)
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
