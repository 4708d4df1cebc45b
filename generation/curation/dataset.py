"""Datasets on disk: clips, a manifest with one line per clip, and a report with counts per group.

$BYLINE_HOME/datasets/NAME/ holds clips/SHA256.mp4, manifest.jsonl and report.json, readable by the owner
alone. The manifest is canonical JSON, sorted by clip; its SHA-256 is the dataset's name in the log and in
every model card. Promises: it changes as a whole or not at all, under a lock, and only together with an entry
in the log (ingest.py); `verified` reads a dataset back only if every clip has its hash, every field that says
where it comes from is filled, and the log knows this very manifest.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.audit.models import Entry

MANIFEST, REPORT, CLIPS = "manifest.jsonl", "report.json", "clips"
NO_PEOPLE = "no people"
TRAINING = "training"  # the use that a consent must name
# Licences under which a recording may be learned from and what comes out may be used commercially; the
# last two need a text that says which. Others are refused: their terms must be read by somebody first.
LICENCES = ("CC0-1.0", "PDM-1.0", "CC-BY-3.0", "CC-BY-4.0", "own work", "contract")
_NEEDS_TERMS = ("contract",)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_MAX_TEXT = 500


class DatasetRefused(InvalidInput):
    """A dataset that is not whole, not licensed or not in the log. Nothing is learned from it."""

    code = "dataset_refused"
    status = 409
    help = "Run `byline curate check NAME`, and ingest again what is missing."


class NotDeclared(InvalidInput):
    """Source, licence or consent is missing or unusable. Nothing was read."""

    code = "not_declared"
    help = f"Give source, licence ({', '.join(LICENCES)}) and consent ('{NO_PEOPLE}' or ids of consents)."


@dataclass(frozen=True)
class Declaration:
    """Where a recording comes from and why it may be used. `terms` names the contract, or says more;
    `consent` is "no people" or the ids of consents of everybody who is seen."""

    source: str
    licence: str
    consent: tuple[str, ...]
    terms: str = ""

    def check(self) -> None:
        """NotDeclared names every field that is empty or not usable."""
        wrong = []
        if not self.source.strip() or len(self.source) > _MAX_TEXT:
            wrong.append("source")
        if self.licence not in LICENCES:
            wrong.append("licence")
        if (self.licence in _NEEDS_TERMS and not self.terms.strip()) or len(self.terms) > _MAX_TEXT:
            wrong.append("terms")
        if not self.consent or not (self.consent == (NO_PEOPLE,) or all(map(_is_uuid, self.consent))):
            wrong.append("consent")
        if wrong:
            raise NotDeclared(f"empty or not usable: {', '.join(wrong)}")

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.source.strip(),
            "licence": self.licence,
            "terms": self.terms.strip(),
            "consent": list(self.consent),
        }


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def folder(name: str) -> Path:
    """Where a dataset lies. InvalidInput for a name that is none."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"no dataset can be called {name!r}"[:120],
            help="Names have up to 60 small letters, digits, - and _.",
        )
    return conf.home() / "datasets" / name


@contextlib.contextmanager
def locked(name: str) -> Iterator[Path]:
    """The dataset's folder, held against other processes."""
    place = folder(name)
    (place / CLIPS).mkdir(mode=0o700, parents=True, exist_ok=True)
    place.chmod(0o700)
    with (place / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield place


def entries(place: Path) -> list[dict[str, Any]]:
    """The manifest's lines, [] where there is none yet. ConfigurationError when it cannot be read."""
    file = place / MANIFEST
    if not file.is_file():
        return []
    try:
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the manifest of the dataset {place.name} cannot be read") from error


def text_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The manifest's bytes: one line per clip, keys and clips in order."""
    lines = [json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for row in rows]
    return "".join(f"{line}\n" for line in sorted(lines))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def replace(file: Path, data: str | bytes) -> None:
    """Write a file whole, 0600."""
    private = file.with_name(f".{file.name}.part")
    with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(data.encode() if isinstance(data, str) else data)
        handle.flush()
        os.fsync(handle.fileno())
    private.replace(file)


def report(rows: Sequence[Mapping[str, Any]], ingests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts per group: what was kept and what each filter left out, clips by licence, consent and model."""
    groups: dict[str, Counter[str]] = {}
    for done in ingests:
        counts = groups.setdefault(done["group"], Counter())
        counts["recordings"] += 1
        counts["refused"] += bool(done.get("refused"))
        counts["kept"] += done["kept"]
        for reason, count in done["left_out"].items():
            counts[f"left out: {reason}"] += count
        for check, count in done["not_checked"].items():
            counts[f"not checked: {check}"] += count
    captions = Counter(
        (entry["kind"], entry["model"] or entry["state"]) for row in rows for entry in row["captions"]
    )
    return {
        "manifest_sha256": digest(text_of(rows)),
        "clips": len(rows),
        "seconds": round(sum(row["end"] - row["start"] for row in rows), 2),
        "groups": {group: dict(sorted(counts.items())) for group, counts in sorted(groups.items())},
        "licences": dict(sorted(Counter(row["licence"] for row in rows).items())),
        "people": dict(
            sorted(
                Counter(NO_PEOPLE if row["consent"] == [NO_PEOPLE] else "consented" for row in rows).items()
            )
        ),
        "says it was made by a model": sum(row["declared_ai"] for row in rows),
        "captions": {f"{kind}: {who}": count for (kind, who), count in sorted(captions.items())},
        "ingests": list(ingests),
    }


def read_report(place: Path) -> dict[str, Any]:
    file = place / REPORT
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {"ingests": []}
    return found


def consent_holds(consents: Sequence[str], source_sha256: str) -> bool:
    """Whether every consent allows training on this recording now. True for "no people"."""
    from byline.safety import consent
    from byline.safety.models import Consent

    if list(consents) == [NO_PEOPLE]:
        return True
    rows = Consent.objects.in_bulk([uuid.UUID(pk) for pk in consents])
    references = [
        consent.Reference(
            "face", rows[uuid.UUID(pk)].subject if uuid.UUID(pk) in rows else "", source_sha256, pk
        )
        for pk in consents
    ]
    return bool(consents) and consent.check(references, purpose=TRAINING).action == "allow"


@dataclass(frozen=True)
class Dataset:
    """A dataset that was found whole. `sha256` is the manifest's, `rows` its lines."""

    name: str
    place: Path
    sha256: str
    rows: tuple[dict[str, Any], ...]

    def clip(self, row: Mapping[str, Any]) -> Path:
        return self.place / CLIPS / f"{row['sha256']}.mp4"


def verified(name: str) -> Dataset:
    """Read a dataset for training. DatasetRefused says what is wrong with it."""
    place = folder(name)
    rows = entries(place)
    if not rows:
        raise DatasetRefused(f"the dataset {name} holds no clips")
    sha256 = digest(text_of(rows))
    known = Entry.objects.filter(
        kind="curation.ingested", subject=f"dataset:{name}", payload__manifest=sha256
    ).exists()
    if not known:
        raise DatasetRefused(f"the log does not know the manifest of {name}: it was changed by hand")
    for row in rows:
        declared = Declaration(row["source"], row["licence"], tuple(row["consent"]), row["terms"])
        try:
            declared.check()
        except NotDeclared as error:
            raise DatasetRefused(f"a clip of {name} is not declared: {error}") from error
        file = place / CLIPS / f"{row['sha256']}.mp4"
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != row["sha256"]:
            raise DatasetRefused(f"a clip of {name} is gone or was changed")
        if not consent_holds(row["consent"], row["source_sha256"]):
            raise DatasetRefused(f"a consent for a clip of {name} does not hold any more")
    return Dataset(name, place, sha256, tuple(rows))
