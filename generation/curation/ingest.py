"""One recording into a dataset: divide, look, filter, caption, keep, and say so in the log.

The order is the rule. A recording without source, licence and consent is not opened. One whose credentials
forbid training, that carries our own mark or a stranger's, is refused whole. What is left is divided at its
cuts (clipping.py), and every clip passes or is counted under the filter that left it out. Every ingest,
refused ones too, ends in one entry of the log; manifest and entry change together. All parsing is done by
jailed children; this process sees arrays.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from django.db import transaction

from byline.audit import log
from byline.audit.base import keyring
from byline.audit.base.errors import InvalidInput
from byline.generation.curation import captions, clipping, dataset, filters, overlays
from byline.generation.curation.clipping import Clip, SourceRefused
from byline.generation.curation.dataset import NO_PEOPLE, Declaration
from byline.generation.curation.filters import NOT_CHECKED, Limits, Measures
from byline.provenance import decode, fingerprints, reading
from byline.provenance.marks import markers
from byline.provenance.marks.base import UnmarkableInput
from byline.provenance.trust import TrustBundle
from byline.safety.screen import faces

_SHOWN = 6  # frames of a clip that are kept for captions and faces
_SHOWN_SIDE = 512
_MARKED_CLIPS = 4  # how many clips of a recording are searched for our own mark
_FORBIDDING = ("cawg.training-mining", "c2pa.training-mining")
_GROUP = "ungrouped"


class ForbidsTraining(SourceRefused):
    """Credentials in the file say that it must not be used for training."""

    code = "training_not_allowed"
    help = "Ask the rights holder; a contract does not lift what the file itself says."


class Watermarked(SourceRefused):
    """The pictures carry a mark: ours, or somebody's who has not given them away."""

    code = "watermarked"
    help = "Bring the original without a burned-in mark, under a licence that covers it."


class NoConsent(SourceRefused):
    """A consent that was named does not cover training on this recording."""

    code = "no_consent"
    help = "Record a consent with the use 'training' that names this file, then ingest again."


@dataclass(frozen=True)
class Ingested:
    """What came of one recording. `kept` are the clips' SHA-256, `left_out` counts by filter, `not_checked`
    counts of checks that could not be made."""

    dataset: str
    source_sha256: str
    group: str
    shots: int
    cuts: tuple[tuple[float, float, str], ...]
    kept: tuple[str, ...]
    left_out: Mapping[str, int]
    not_checked: Mapping[str, int]
    manifest_sha256: str


@dataclass
class _Candidate:
    clip: Clip
    measures: Measures
    shown: list[np.ndarray]
    hashes: list[fingerprints.FrameHash]
    text: list[str] | None
    failed: str = ""
    not_checked: list[str] = field(default_factory=list)


def ingest(
    path: Path,
    name: str,
    declaration: Declaration,
    *,
    actor: str,
    caption: str = "",
    group: str = _GROUP,
    limits: Limits | None = None,
    shortest: float = 1.0,
    longest: float = 10.0,
    progress: Callable[[float], None] = lambda share: None,
) -> Ingested:
    """Take one recording into the dataset `name`. NotDeclared, SourceRefused and what stands below it."""
    declaration.check()
    dataset.folder(name)
    if not path.is_file():
        raise InvalidInput("there is no such file", help="Give the path of one recording.")
    if not 0 < shortest <= longest <= 60:
        raise InvalidInput("clips are at least 0 and at most 60 seconds long")
    group = captions.clean(group)[:60] or _GROUP
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    with dataset.locked(name) as place:
        rows, report = dataset.entries(place), dataset.read_report(place)
        try:
            divided, candidates, declared_ai = _look(
                path, sha256, declaration, rows, limits or Limits(), shortest, longest, progress
            )
        except (SourceRefused, decode.Unreadable) as error:
            _refused(place, name, sha256, group, rows, report, declaration, error.code, actor)
            raise
        models = captions.load()
        kept = [c for c in candidates if not c.failed]
        common = {
            "source_sha256": sha256,
            "group": group,
            "declared_ai": declared_ai,
            **declaration.as_dict(),
        }
        for number, candidate in enumerate(kept):
            row = _row(candidate, divided, captions.write(candidate.shown, caption, models)) | common
            dataset.replace(place / dataset.CLIPS / f"{row['sha256']}.mp4", candidate.clip.data)
            rows.append(row)
            progress(0.8 + 0.2 * (number + 1) / len(kept))
        left_out = Counter(c.failed for c in candidates if c.failed)
        left_out |= {
            k: v for k, v in (("no keyframe", divided.without_keyframe), ("short", divided.too_short)) if v
        }
        done: dict[str, Any] = {
            "source_sha256": sha256,
            "group": group,
            "shots": divided.shots,
            "kept": len(kept),
            "left_out": dict(sorted(left_out.items())),
            "not_checked": dict(sorted(Counter(what for c in kept for what in c.not_checked).items())),
        }
        manifest = _commit(place, name, rows, report, done, declaration, actor)
    return Ingested(
        name, sha256, group, divided.shots, divided.cuts,
        tuple(hashlib.sha256(c.clip.data).hexdigest() for c in kept),
        done["left_out"], done["not_checked"], manifest,
    )  # fmt: skip


def _look(
    path: Path, sha256: str, declaration: Declaration, rows: Sequence[Mapping[str, Any]], limits: Limits,
    shortest: float, longest: float, progress: Callable[[float], None],
) -> tuple[clipping.Divided, list[_Candidate], bool]:  # fmt: skip
    """The recording's clips, each with what is wrong with it. Raises for what refuses the whole."""
    if any(row["source_sha256"] == sha256 for row in rows):
        raise SourceRefused("this recording is in the dataset already")
    if not dataset.consent_holds(declaration.consent, sha256):
        raise NoConsent("a consent does not cover training on this recording")
    declared_ai = _credentials(path)
    divided = clipping.divide(path, shortest=shortest, longest=longest)
    progress(0.4)
    marks = markers.detectors("video", keyring.read_all("watermark"))
    searched = set(np.linspace(0, max(0, len(divided.clips) - 1), _MARKED_CLIPS).round().astype(int))
    candidates: list[_Candidate] = []
    for number, clip in enumerate(divided.clips):
        candidates.append(_measured(clip, marks if number in searched else [], limits))
        progress(0.4 + 0.4 * (number + 1) / len(divided.clips))
    readable = [c for c in candidates if c.shown]
    overlay = overlays.find([frame for c in readable for frame in c.shown])
    if overlay.result == "found":
        raise Watermarked("a mark stands in the picture of every shot")
    if any(filters.names_an_agency(c.text or ()) for c in readable):
        raise Watermarked("the picture names an agency or an account")
    stored = [[fingerprints.FrameHash.from_json(item) for item in row["fingerprint"]] for row in rows]
    packets = {row["packets_sha256"] for row in rows}
    for candidate in readable:
        if overlay.result == NOT_CHECKED:
            candidate.not_checked.append("overlay")
        if not candidate.failed:
            candidate.failed = _again_or_people(candidate, stored, packets, declaration)
            packets.add(candidate.clip.packets_sha256)
    return divided, candidates, declared_ai


def _credentials(path: Path) -> bool:
    """Whether the file says that a model made it. ForbidsTraining where it forbids training."""
    held = reading.read(path, TrustBundle.from_installation())
    for assertion in held.assertions:
        if str(assertion.get("label", "")).startswith(_FORBIDDING):
            uses = (assertion.get("data") or {}).get("entries") or {}
            for use, said in uses.items():
                if "training" in use and isinstance(said, Mapping) and said.get("use") != "allowed":
                    raise ForbidsTraining("its credentials do not allow training")
    return "algorithmicmedia" in str(held.assertions).lower()


def _measured(clip: Clip, marks: Sequence[Any], limits: Limits) -> _Candidate:
    """Decode a clip, as anybody's file, and measure it. Watermarked when it carries our own mark."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(clip.data)
        file.flush()
        try:
            media = decode.decode_untrusted(Path(file.name))
        except decode.Unreadable:
            return _Candidate(clip, Measures(0, 0, None), [], [], None, "unreadable")
    frames = [frame for frame in media.frames if frame.shape == media.frames[0].shape]
    for mark in marks:
        try:
            if mark.detect(frames, fps=media.fps) is not None:
                raise Watermarked("it was made here: our own mark is in the picture")
        except UnmarkableInput:
            pass  # too small to carry one
    text = filters.words(frames)
    letters = None if text is None else filters.letters(text)
    measures = Measures(filters.motion(frames, media.fps), filters.sharpness(frames), letters)
    picked = np.unique(np.linspace(0, len(frames) - 1, min(_SHOWN, len(frames))).round().astype(int))
    shown = [_small(frames[k]) for k in picked]
    found = _Candidate(clip, measures, shown, fingerprints.fingerprint(frames, media.fps), text)
    found.failed = filters.failed(measures, limits)
    if text is None:
        found.not_checked.append("text")
    return found


def _small(frame: np.ndarray) -> np.ndarray:
    scale = min(1.0, _SHOWN_SIDE / max(frame.shape[:2]))
    size = (max(2, round(frame.shape[1] * scale)), max(2, round(frame.shape[0] * scale)))
    return np.asarray(cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_AREA), np.uint8)


def _again_or_people(
    candidate: _Candidate,
    stored: Sequence[Sequence[fingerprints.FrameHash]],
    packets: set[str],
    declaration: Declaration,
) -> str:
    """ "duplicate" of what the dataset holds, "faces" where nobody was said to be seen, or ""."""
    if candidate.clip.packets_sha256 in packets or any(
        fingerprints.compare(candidate.hashes, other).similar for other in stored
    ):
        return "duplicate"
    if declaration.consent == (NO_PEOPLE,):
        seen = faces.faces(candidate.shown[::2], drawn_by_us=False, consented=0)
        if seen.action != "allow":
            return "faces"
    return ""


def _row(
    candidate: _Candidate, divided: clipping.Divided, texts: Sequence[captions.Caption]
) -> dict[str, Any]:
    """One line of the manifest, but for what the whole recording shares."""
    clip = candidate.clip
    return {
        "sha256": hashlib.sha256(clip.data).hexdigest(),
        "packets_sha256": clip.packets_sha256,
        "start": clip.start,
        "end": clip.end,
        "frames": clip.frames,
        "fps": round(divided.fps, 4),
        "width": divided.width,
        "height": divided.height,
        "codec": divided.codec,
        "measures": candidate.measures.as_dict(),
        "not_checked": sorted(candidate.not_checked),
        "captions": [text.as_dict() for text in texts],
        "fingerprint": [asdict(item) for item in candidate.hashes],
    }


def _refused(
    place: Path, name: str, sha256: str, group: str, rows: list[dict[str, Any]], report: dict[str, Any],
    declaration: Declaration, code: str, actor: str,
) -> None:  # fmt: skip
    done = {"source_sha256": sha256, "group": group, "shots": 0, "kept": 0, "left_out": {}, "not_checked": {}}
    _commit(place, name, rows, report, done | {"refused": code}, declaration, actor)


def _commit(
    place: Path, name: str, rows: list[dict[str, Any]], report: dict[str, Any], done: dict[str, Any],
    declaration: Declaration, actor: str,
) -> str:  # fmt: skip
    """Manifest, report and log entry together; the manifest's SHA-256."""
    text = dataset.text_of(rows)
    sha256 = dataset.digest(text)
    made = dataset.report(rows, [*report["ingests"], done])
    consent = NO_PEOPLE if declaration.consent == (NO_PEOPLE,) else f"{len(declaration.consent)} consents"
    with transaction.atomic():
        log.append(
            "curation.refused" if done.get("refused") else "curation.ingested",
            subject=f"dataset:{name}",
            actor=actor,
            payload={
                "source": done["source_sha256"],
                "licence": declaration.licence,
                "consent": consent,
                "shots": done["shots"],
                "kept": done["kept"],
                "left_out": done["left_out"],
                "not_checked": done["not_checked"],
                "code": done.get("refused", ""),
                "manifest": sha256,
            },
        )
        dataset.replace(place / dataset.MANIFEST, text)
        dataset.replace(
            place / dataset.REPORT, json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        )
    return sha256
