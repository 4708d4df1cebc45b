"""Versions of a finished clip that keep its provenance: crop, size, poster frame, social format, transcode.

Promises: only a file that we signed and that is the record's own becomes a rendition; the picture mark
is read again from the rendition's bytes, and where it cannot be, it is written again with the same id
and read once more; the rendition is signed with the original as its parentOf ingredient and an action
for each thing that was done; it counts only after all that was read back. Sound is copied, so a mark
in it stays. IPTC fields stand in every rendition. The visible "AI-generated" label is pixels: a crop
may cut it off, so a caller gives `draw` to draw it anew, or is warned. `log_and_prove` gives the
rendition its own entry in the audit log. Left out: cutting in time; a record of its own (the mark
leads to the clip's record).
"""

import functools
import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from byline.audit.base.errors import BylineError, InvalidInput
from byline.provenance import aigc, decode, manifest, metadata, profiles, reading, signing, transcode
from byline.provenance.actions import Operation
from byline.provenance.digest import Digest, content_digest
from byline.provenance.ingredients import Ingredient
from byline.provenance.lookup import frames_of_one_size
from byline.provenance.marks import markers
from byline.provenance.marks.algorithms import ALGORITHMS, payload_of
from byline.provenance.marks.base import UnmarkableInput
from byline.provenance.records import StoredRecord
from byline.provenance.transcode import Frame, Geometry
from byline.provenance.trust import TrustBundle

KIND = "provenance.rendition"
SHAPES = {"vertical": (9, 16), "portrait": (4, 5), "square": (1, 1), "landscape": (16, 9)}
SUFFIXES = {".mp4", ".png", ".jpg", ".jpeg"}
# PSNR of textured and of smooth pictures in dB. A single picture holds less evidence than a clip: it may
# carry a stronger mark before we give up.
_VIDEO_STRENGTHS = ((42.7, 47.5), (41.0, 45.0))
_POSTER_STRENGTHS = (*_VIDEO_STRENGTHS, (38.0, 41.0))
Prove = Callable[[str, Digest, str], dict[str, Any]]  # (asset id, digest, parent's record) -> audit proof


class RenditionRefused(InvalidInput):
    """The source, or what is asked for, cannot become a rendition. The message says why."""

    code = "rendition_refused"
    status = 422
    help = "Give the stored file of a ready clip, and a size and crop that fit it."


class RenditionFailed(BylineError):
    """A rendition was made and did not hold its provenance. Nothing was left behind."""

    code = "rendition_failed"
    help = "Take a larger size, a longer clip or a higher quality, or use the original."


@dataclass(frozen=True)
class RenditionSpec:
    """What to make. `size` is (width, height) of the result, `crop` (left, top, width, height) in pixels
    of the source; `shape` one of SHAPES, cut from the middle or, with `bars`, fitted between bars.
    `at` is the poster's moment in seconds, `crf` x264's quality."""

    size: tuple[int, int] | None = None
    crop: tuple[int, int, int, int] | None = None
    shape: str = ""
    bars: bool = False
    at: float = 0.0
    crf: int = 20


@dataclass(frozen=True)
class _Mark:
    """The original's picture mark: as its manifest declares it, the id, and the keys that find it."""

    alg: str
    value: str
    payload: int
    keys: Sequence[bytes]

    def marker(self, keys: Sequence[bytes], **tuning: float) -> Any:
        found = markers.of_alg(self.alg, "video", keys, **tuning)
        if found is None:
            raise RenditionRefused(f"the original carries {self.alg}, which is not configured here")
        return found


@dataclass(frozen=True)
class RenditionResult:
    """`mark` says whether the original's mark was found again or had to be written again; `blind` whether
    a stranger finds it without being told the id; `warnings` are sentences for the editor."""

    path: Path
    sha256: str
    digest: Digest
    asset_id: str
    size: tuple[int, int]
    mark: Literal["intact", "written again"]
    blind: bool
    actions: tuple[str, ...]
    manifest: bytes
    warnings: tuple[str, ...] = ()


def make_rendition(
    source: Path,
    spec: RenditionSpec,
    destination: Path,
    *,
    mark_keys: Sequence[bytes],
    record: StoredRecord,
    draw: Callable[[Frame], Frame] | None = None,
    prove: Prove | None = None,
    brand: str = "",
    licence: str = "same as the original",
) -> RenditionResult:
    """Make, mark, sign and read back one rendition; its kind follows the suffix of `destination`.

    `draw` puts the visible label on each frame; `prove` logs the rendition and gives its audit proof
    (`log_and_prove` in a process with the database), without it the manifest names only the parent's.
    Raises RenditionRefused, RenditionFailed, transcode.TranscodeFailed, signing.SigningFailed; then
    `destination` does not exist.
    """
    suffix = destination.suffix.lower()
    if suffix not in SUFFIXES:
        raise RenditionRefused(f"a rendition is one of {sorted(SUFFIXES)}")
    held = _own(source, record)
    mark = _mark_of(held, record, mark_keys)
    geometry = plan(spec, transcode.dimensions(source), even=suffix == ".mp4")
    destination.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".rendition-", dir=destination.parent) as scratch:
        bare = Path(scratch) / f"bare{suffix}"
        kind, blind = _marked(source, bare, spec, geometry, mark, draw)
        digest = content_digest(bare)
        asset_id = f"urn:uuid:{uuid.uuid4()}"
        proof = prove(asset_id, digest, record.id) if prove else {}
        described = Path(scratch) / f"described{suffix}"
        _describe(bare, described, asset_id, digest, brand)
        parent = Ingredient(held.title or "original", "parentOf", licence, source)
        facts = manifest.ManifestFacts(
            title=held.title or "rendition",
            asset_id=asset_id,
            software_version=version("byline"),
            proof=proof,
            models=(),
            operations=_operations(spec, geometry, transcode.dimensions(source), suffix, draw is not None),
            bindings=(
                manifest.SoftBinding(mark.alg, mark.value, "picture", written=kind == "written again"),
                *_sound_bindings(held, suffix),
            ),
        )
        built = manifest.build(facts, ingredients=[parent], choices=profiles.for_brand(brand))
        store = signing.sign_file(described, destination, built, [parent])
    try:
        _read_back(destination, digest, mark, blind=blind)
    except BylineError:
        destination.unlink(missing_ok=True)
        raise
    return RenditionResult(
        path=destination,
        sha256=hashlib.sha256(destination.read_bytes()).hexdigest(),
        digest=digest,
        asset_id=asset_id,
        size=geometry.canvas,
        mark=kind,
        blind=blind,
        actions=tuple(action["action"] for action in built["assertions"][0]["data"]["actions"]),
        manifest=store,
        warnings=_warnings(geometry, transcode.dimensions(source), draw is not None, blind),
    )


def plan(spec: RenditionSpec, source: tuple[int, int], *, even: bool) -> Geometry:
    """The crop and sizes that `spec` means for pictures of this size. RenditionRefused outside of them."""
    crop = spec.crop or (0, 0, *source)
    left, top, width, height = crop
    if min(left, top) < 0 or min(width, height) < 16 or left + width > source[0] or top + height > source[1]:
        raise RenditionRefused("the crop lies outside the pictures")
    if spec.shape and spec.shape not in SHAPES:
        raise RenditionRefused(f"shape is one of {sorted(SHAPES)}")
    aspect = SHAPES[spec.shape][0] / SHAPES[spec.shape][1] if spec.shape else width / height
    if spec.shape and not spec.bars:
        inner = min(width, round(height * aspect)), min(height, round(width / aspect))
        crop = left + (width - inner[0]) // 2, top + (height - inner[1]) // 2, *inner
    if even and not spec.size:  # one pixel less is a crop; scaling it away would be a second change
        crop = *crop[:2], *_even(crop[2:])
    cut = crop[2], crop[3]
    if spec.bars and spec.shape:
        long = max(cut)
        natural = (long, round(long / aspect)) if aspect >= 1 else (round(long * aspect), long)
        canvas = spec.size or natural
        scale = min(canvas[0] / cut[0], canvas[1] / cut[1])
        size = round(cut[0] * scale), round(cut[1] * scale)
    else:
        size = canvas = spec.size or cut
    if even:
        size, canvas = _even(size), _even(canvas)
    if min(size) < 16 or max(canvas) > transcode.MAX_SIDE:
        raise RenditionRefused(f"the result's sides lie between 16 and {transcode.MAX_SIDE} pixels")
    return Geometry(crop, size, canvas)


def _even(size: Sequence[int]) -> tuple[int, int]:
    return size[0] - size[0] % 2, size[1] - size[1] % 2


def _own(source: Path, record: StoredRecord) -> reading.ManifestReading:
    """The reading of a file that we signed and that is this record's. RenditionRefused."""
    held = reading.read(source, TrustBundle.from_installation())
    if held.presence != "read" or held.state != "Trusted" or not held.signer_known or held.failures:
        raise RenditionRefused("the original is not a file whose credentials we signed and that hold")
    if content_digest(source).hex != record.content_digest:
        raise RenditionRefused("the file is not the one on record")
    return held


def _mark_of(held: reading.ManifestReading, record: StoredRecord, keys: Sequence[bytes]) -> _Mark:
    for alg, value in manifest.soft_bindings(held.assertions).items():
        if ALGORITHMS[alg].media == "video" and payload_of(alg, value) == record.mark_id:
            return _Mark(alg, value, record.mark_id, keys)
    raise RenditionRefused("the original does not declare the mark of its record")


def _marked(
    source: Path,
    bare: Path,
    spec: RenditionSpec,
    geometry: Geometry,
    mark: _Mark,
    draw: Callable[[Frame], Frame] | None,
) -> tuple[Literal["intact", "written again"], bool]:
    """Write the unsigned rendition. Its mark as it came, else again, a little stronger at each try."""
    _write(source, bare, spec, geometry, draw, None)
    if _finds(bare, mark, blind=True):
        return "intact", True
    known = False
    for textured, smooth in _VIDEO_STRENGTHS if bare.suffix == ".mp4" else _POSTER_STRENGTHS:
        marker = mark.marker(mark.keys[:1], psnr_db=textured, flat_psnr_db=smooth)
        _write(source, bare, spec, geometry, draw, functools.partial(marker.embed, payload=mark.payload))
        if _finds(bare, mark, blind=True):
            return "written again", True
        known = _finds(bare, mark, blind=False)
    if known:
        return "written again", False
    raise RenditionFailed("the mark cannot be read from the rendition, not even when it is written again")


def _write(
    source: Path,
    bare: Path,
    spec: RenditionSpec,
    geometry: Geometry,
    draw: Callable[[Frame], Frame] | None,
    embed: Callable[[Iterator[Frame]], Iterator[Frame]] | None,
) -> None:
    def seen() -> Iterator[Frame]:
        if bare.suffix == ".mp4":
            found = transcode.frames(source, geometry)
        else:
            found = iter([transcode.frame_at(source, spec.at, geometry)])
        return map(draw, found) if draw else found

    try:
        pictures = embed(seen()) if embed else seen()
        if bare.suffix == ".mp4":
            transcode.write_video(source, bare, pictures, geometry.canvas, spec.crf)
        else:
            transcode.write_picture(bare, next(pictures))
    except UnmarkableInput as error:
        raise RenditionRefused(f"the result cannot be marked: {error}") from error


def _finds(path: Path, mark: _Mark, *, blind: bool) -> bool:
    """Whether the mark decodes to this id, without being told it or, if not `blind`, as its record's."""
    try:
        media = decode.decode(path)
        candidates = None if blind else [mark.payload]
        found = mark.marker(mark.keys).detect(
            frames_of_one_size(media), candidates=candidates, fps=media.fps or 1.0
        )
    except (UnmarkableInput, decode.Unreadable):
        return False
    return found is not None and found.payload == mark.payload


def _describe(bare: Path, described: Path, asset_id: str, digest: Digest, brand: str) -> None:
    """IPTC fields, and the label under profile CN: the original's metadata does not come along by itself."""
    choices = profiles.for_brand(brand)
    label = None
    if choices.profile == "CN":
        statement = f"{digest.rule}:{digest.hex}"
        label = aigc.AigcLabel("1", choices.producer, asset_id, reserved1=statement)
    aigc.write(bare, described, metadata.fields("compositeWithTrainedAlgorithmicMedia", []), label)


def _operations(
    spec: RenditionSpec, geometry: Geometry, source: tuple[int, int], suffix: str, drawn: bool
) -> tuple[Operation, ...]:
    """What was done, in order."""
    left, top, width, height = geometry.crop
    done = []
    if suffix != ".mp4":
        text = f"the frame at {spec.at:g} s"
        done.append(Operation("c2pa.converted", f"{text} as a still picture", "algorithmicallyEnhanced"))
    if (width, height) != source:
        done.append(Operation("c2pa.cropped", f"{width}x{height} at {left},{top} of {source[0]}x{source[1]}"))
    if geometry.size != (width, height):
        keeps = abs(geometry.size[0] * height / (geometry.size[1] * width) - 1) < 0.01
        name = "c2pa.resized.proportional" if keeps else "c2pa.resized"
        done.append(Operation(name, f"to {geometry.size[0]}x{geometry.size[1]}"))
    if geometry.canvas != geometry.size:
        text = f"centred between bars in {geometry.canvas[0]}x{geometry.canvas[1]}"
        done.append(Operation("c2pa.edited", text, "algorithmicallyEnhanced"))
    if drawn:
        done.append(Operation("c2pa.addedText", "the AI label was drawn anew"))
    if suffix == ".mp4":
        done.append(Operation("c2pa.transcoded", f"H.264 at CRF {spec.crf}; sound and captions copied"))
    return tuple(done)


def _sound_bindings(held: reading.ManifestReading, suffix: str) -> tuple[manifest.SoftBinding, ...]:
    """The mark in the sound that was copied, as the original declares it."""
    if suffix != ".mp4":
        return ()
    return tuple(
        manifest.SoftBinding(alg, value, "speech", written=False)
        for alg, value in manifest.soft_bindings(held.assertions).items()
        if ALGORITHMS[alg].media == "audio"
    )


def _read_back(path: Path, digest: Digest, mark: _Mark, *, blind: bool) -> None:
    held = reading.read(path, TrustBundle.from_installation())
    if manifest.soft_bindings(held.assertions).get(mark.alg) != mark.value:
        raise RenditionFailed("the manifest does not declare the mark that is in the rendition")
    if content_digest(path) != digest:
        raise RenditionFailed("signing changed what is seen")
    if not _finds(path, mark, blind=blind):
        raise RenditionFailed("the mark is not in the signed file")


def _warnings(geometry: Geometry, source: tuple[int, int], drawn: bool, blind: bool) -> tuple[str, ...]:
    found = []
    if geometry.crop != (0, 0, *source) and not drawn:
        found.append("The crop may have cut off the visible AI label. Look at it, or draw the label anew.")
    if not blind:
        found.append("The mark is found only by comparing with the record, not by a blind search.")
    return tuple(found)


def log_and_prove(actor: str, timeout_s: float) -> Prove:
    """A `prove` for a process with the database: one entry per rendition, and its inclusion proof.

    audit.log.ProofTimeout when no checkpoint covers the entry in time.
    """

    def prove(asset_id: str, digest: Digest, parent: str) -> dict[str, Any]:
        from django.db import transaction

        from byline.audit import log

        payload = {"digest_rule": digest.rule, "digest": digest.hex, "parent": parent}
        with transaction.atomic():
            entry = log.append(KIND, subject=asset_id, actor=actor, payload=payload)
        return log.wait(entry.pk, timeout_s)

    return prove
