"""The door for files that others made: kept byte for byte, read once, and named as an ingredient.

Promises: a file that is brought in is copied whole under its SHA-256 and made read-only; nothing here
or later writes into it, because one changed byte would turn valid credentials into "tampered"; its
credentials become the ingredient's, a broken one is kept and warned about; what it says about AI (C2PA
actions and disclosures, IPTC fields, a GB 45438 label) is surfaced as what it is: its own statement.
A side-car manifest beside the file is read. Left out: whether the statements are true; marks and
likeness (the verifier); who may bring files in, size limits and decoding (platform).
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput
from byline.provenance import aigc, embedding, formats, metadata, reading
from byline.provenance.actions import AI_SOURCE_TYPES, IPTC
from byline.provenance.aigc import AigcLabel
from byline.provenance.ingredients import UNKNOWN_LICENCE, Ingredient, Relationship, Status, status_of
from byline.provenance.trust import TrustBundle

_MAX_SIDECAR = 64 << 20


class NotIngestible(InvalidInput):
    """A file of a format that we do not know. Nothing was kept."""

    code = "not_ingestible"
    status = 415
    help = "Bring an MP4, MOV, WebM, WAV, MP3, FLAC, Ogg, PNG, JPEG, WebP, TIFF, AVIF or HEIC file."


@dataclass(frozen=True)
class Declaration:
    """One statement of the file about AI: where it stands, what it says, what it amounts to (`by_ai`)."""

    place: str
    says: str
    by_ai: bool


@dataclass(frozen=True)
class IngestedFile:
    """A file that was brought in. `path` is the kept copy, `status` that of its credentials, `warnings`
    sentences for the editor, `declarations` what it says about AI, `label` its GB 45438 label."""

    path: Path
    sha256: str
    mime: str
    status: Status
    reading: reading.ManifestReading
    credentials: bytes | None = None
    label: AigcLabel | None = None
    declarations: tuple[Declaration, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def says_ai(self) -> bool:
        """Whether anything in the file says that a model made it or part of it."""
        return any(declaration.by_ai for declaration in self.declarations)

    def ingredient(
        self, relationship: Relationship, licence: str = UNKNOWN_LICENCE, title: str = ""
    ) -> Ingredient:
        """This file as an ingredient of what is made with it."""
        facts: tuple[tuple[str, str], ...] = ()
        if self.credentials is not None:
            facts = (("org.byline.sidecar", f"{self.status}: {self.reading.label or 'no manifest'}"),)
        shown = title or self.reading.title or self.sha256[:16]
        return Ingredient(_printable(shown), relationship, licence, self.path, facts=facts)


def ingest(path: Path, trust: TrustBundle, *, store: Path | None = None) -> IngestedFile:
    """Keep a file as it is and say what it brings along. NotIngestible; OSError as the system gives it.

    `store` is where copies go, `$BYLINE_HOME/ingested` by default.
    """
    found = formats.sniff(path)
    if found is None:
        raise NotIngestible("the file is of no format that we know")
    kept, sha256 = _keep(path, store or conf.home() / "ingested")
    sidecar = _sidecar(path)
    held = reading.read(kept, trust, manifest=sidecar)
    if sidecar is not None and held.presence != "read":
        held = reading.ManifestReading("damaged", detail="the side-car manifest cannot be read")
    status, failures = status_of(held)
    label = aigc.read(kept)
    return IngestedFile(
        path=kept,
        sha256=sha256,
        mime=found.mime,
        status=status,
        reading=held,
        credentials=sidecar,
        label=label,
        declarations=(*_manifest_says(held), *_metadata_says(kept), *_label_says(label)),
        warnings=_warnings(status, failures, held),
    )


def _keep(path: Path, store: Path) -> tuple[Path, str]:
    """Copy under the SHA-256 of the bytes; the same bytes again are the same file."""
    import hashlib

    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor, name = tempfile.mkstemp(prefix=".ingest-", dir=store)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target, path.open("rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
            os.fchmod(target.fileno(), 0o400)
        place = store / digest.hexdigest()[:2] / f"{digest.hexdigest()}{path.suffix.lower()[:8]}"
        place.parent.mkdir(mode=0o700, exist_ok=True)
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
    sidecar = formats.sidecar_of(path)
    if sidecar != path and sidecar.is_file() and sidecar.stat().st_size <= _MAX_SIDECAR:
        beside = place.with_suffix(".c2pa")
        beside.unlink(missing_ok=True)
        shutil.copyfile(sidecar, beside)
    return place, digest.hexdigest()


def _sidecar(path: Path) -> bytes | None:
    beside = formats.sidecar_of(path)
    if beside == path or not beside.is_file() or beside.stat().st_size > _MAX_SIDECAR:
        return None
    return beside.read_bytes()


def _manifest_says(held: reading.ManifestReading) -> list[Declaration]:
    """Source types of the active manifest's actions, and its disclosures."""
    found = []
    for assertion in held.assertions:
        data, label = assertion.get("data"), str(assertion.get("label"))
        if not isinstance(data, dict):
            continue
        if label.startswith("c2pa.actions"):
            for action in data.get("actions") or ():
                source = str(action.get("digitalSourceType") or "") if isinstance(action, dict) else ""
                if source:
                    kind = source.rpartition("/")[2]
                    found.append(
                        Declaration("C2PA action", f"{action.get('action')}: {kind}", _is_ai(source))
                    )
        elif label.startswith("c2pa.ai-disclosure"):
            found.append(
                Declaration("C2PA AI disclosure", str(data.get("modelName") or "a model")[:200], True)
            )
    return list(dict.fromkeys(found))


def _metadata_says(path: Path) -> list[Declaration]:
    said = metadata.read_xmp(embedding.read(path).xmp).iptc
    found = []
    if source := said.get("DigitalSourceType"):
        found.append(
            Declaration("IPTC metadata", f"digital source type {source.rpartition('/')[2]}", _is_ai(source))
        )
    if system := said.get("AISystemUsed"):
        found.append(Declaration("IPTC metadata", f"AI system used: {system}"[:200], True))
    return found


def _label_says(label: AigcLabel | None) -> list[Declaration]:
    if label is None:
        return []
    meaning = aigc.MEANINGS.get(label.label, "a label of unknown meaning")
    producer = f", by {label.producer}"[:120] if label.producer else ""
    return [Declaration("GB 45438 label", f"{meaning}{producer}", True)]


def _is_ai(source: str) -> bool:
    named = source.startswith((IPTC, "http://c2pa.org/digitalsourcetype/"))
    return named and source.rpartition("/")[2] in AI_SOURCE_TYPES | {
        "algorithmicMedia",
        "trainedAlgorithmicData",
    }


def _warnings(status: Status, failures: tuple[str, ...], held: reading.ManifestReading) -> tuple[str, ...]:
    codes = ", ".join(failures[:5])
    said: dict[str, Any] = {
        "broken": f"Its credentials do not hold ({codes or held.detail}).",
        "broken ancestor": f"The credentials of something that went into it do not hold ({codes}).",
        "signer unknown": "Its credentials hold, but their signer is not among this installation's roots.",
        "elsewhere": "It names credentials kept elsewhere, which were not fetched.",
    }
    return (said[status],) if status in said else ()


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:200].strip() or "file"
