"""Believe a finished clip only after reading everything back from the bytes of the signed file.

Promises: `read_back` returns evidence only if the manifest verifies under the given roots and declares
the expected ids, the mark that it names decodes to the same id from the pictures and, where there is
speech, from the sound, and its proof holds for exactly these bytes. Anything else raises
ReadBackFailed, naming the layer, and the clip is not published. For our own files: decoding is not jailed.
"""

from pathlib import Path
from typing import Any

from byline.audit.base import keyring
from byline.audit.base.errors import BylineError
from byline.provenance import decode, formats, ids, manifest, proofs, reading
from byline.provenance.lookup import frames_of_one_size
from byline.provenance.marks import markers
from byline.provenance.marks.algorithms import ALGORITHMS, Media, alg_of, payload_of
from byline.provenance.marks.base import UnmarkableInput
from byline.provenance.trust import TrustBundle


class ReadBackFailed(BylineError):
    """`layer` is "decode", "picture mark", "speech mark", "manifest" or "audit proof"."""

    code = "read_back_failed"
    status = 500
    help = "The clip was not published. Generate it again; if it fails again, report it with the request id."

    def __init__(self, layer: str, reason: str) -> None:
        super().__init__(f"{layer}: {reason}")
        self.layer = layer


def read_back(path: Path, *, mark_id: int, audio_id: int | None, trust: TrustBundle) -> dict[str, Any]:
    """Evidence (JSON-able) that all layers read back from the file. Raises ReadBackFailed, KeyUnavailable."""
    held = _manifest(path, trust)
    keys = keyring.read_all("watermark")  # a clip may have been marked just before a rotation
    picture, speech = _declared(held, "video", mark_id, keys), _declared(held, "audio", audio_id, keys)
    proof = proofs.check_file(held, path, trust)
    if proof.outcome != "held":
        raise ReadBackFailed("audit proof", proof.text)
    try:
        media = decode.decode(path)
    except decode.Unreadable as error:
        raise ReadBackFailed("decode", str(error)) from error
    evidence: dict[str, Any] = {"picture_mark": _picture(media, picture, mark_id)}
    if audio_id is not None:
        evidence["speech_mark"] = _speech(media, speech, audio_id)
    evidence["manifest"] = {
        "state": held.state,
        "label": held.label,
        "signer": held.signer,
        "signed_at": held.signed_at,
        "failures": [],
    }
    evidence["audit_proof"] = proof.details
    return evidence


def _manifest(path: Path, trust: TrustBundle) -> reading.ManifestReading:
    beside = formats.sidecar_of(path)  # of a format that holds no manifest itself
    store = beside.read_bytes() if beside.is_file() else None
    held = reading.read(path, trust, manifest=store)
    if held.presence != "read":
        raise ReadBackFailed("manifest", held.detail)
    if held.failures or held.state != "Trusted" or not held.signer_known:
        raise ReadBackFailed("manifest", ", ".join(held.failures) or f"state is {held.state}")
    if held.revoked:
        raise ReadBackFailed("manifest", f"the signing certificate was revoked: {held.revoked}")
    if not held.stamped:
        raise ReadBackFailed("manifest", "no valid time stamp")
    return held


def _declared(
    held: reading.ManifestReading, medium: Media, payload: int | None, keys: list[bytes]
) -> list[Any]:
    """Markers of the one mark that the manifest declares for this medium; none where there is to be none.

    By what the manifest says and not by the setting: a stored clip may carry the mark of an earlier one,
    and two markers of one `alg` may have different weights.
    """
    declared = {
        alg: payload_of(alg, value)
        for alg, value in manifest.soft_bindings(held.assertions).items()
        if ALGORITHMS[alg].media == medium
    }
    if payload is None and not declared:
        return []
    known = [m for m in markers.detectors(medium, keys) if alg_of(m).alg in declared]
    if known and list(declared.values()) == [payload]:
        return known
    raise ReadBackFailed("manifest", "it does not declare the marks that are in the clip")


def _picture(media: decode.DecodedMedia, known: list[Any], mark_id: int) -> dict[str, Any]:
    try:
        frames = frames_of_one_size(media) if media.frames else []
        found = next(filter(None, (marker.detect(frames, fps=media.fps or 1.0) for marker in known)), None)
        if found is not None:
            ids.open_mark_id(found.payload, keyring.read_all("id"))
    except (UnmarkableInput, ids.ForgedMark, ids.BadMarkId) as error:
        raise ReadBackFailed("picture mark", str(error)) from error
    if found is None:
        raise ReadBackFailed("picture mark", "no mark decodes from the encoded pictures")
    if found.payload != mark_id:
        raise ReadBackFailed("picture mark", "it decodes to another id")
    return {
        "read": True,
        "alg": alg_of(known[0]).alg,
        "geometry": found.geometry,
        "confidence": found.confidence,
        "frames": len(media.frames),
    }


def _speech(media: decode.DecodedMedia, known: list[Any], audio_id: int) -> dict[str, Any]:
    if media.samples is None:
        raise ReadBackFailed("speech mark", "the file holds no sound")
    try:
        found = next(filter(None, (marker.detect(media.samples, media.rate) for marker in known)), None)
    except UnmarkableInput as error:
        raise ReadBackFailed("speech mark", str(error)) from error
    if found is None:
        raise ReadBackFailed("speech mark", "no mark decodes from the encoded sound")
    if found.payload != audio_id:
        raise ReadBackFailed("speech mark", "it decodes to another id")
    return {
        "read": True,
        "alg": alg_of(known[0]).alg,
        "geometry": found.geometry,
        "confidence": found.confidence,
    }
