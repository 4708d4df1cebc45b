"""Records of finished clips, from this installation's database or from an operator's export.

Promises: the verifier asks a RecordSource and never learns which kind; `DirectoryRecords` needs no
Django, so what was published stays recoverable when the site is gone. `DatabaseRecords` answers
for published clips only and everything else looks like an unknown id. `export` writes detection
keys: whoever holds them can look for our marks, and could also write or remove them, so an
export is as private as the key ring. Left out: search in the database (the shortlist is made in
memory, which is right for tens of thousands of clips).
"""

import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.provenance import reading
from byline.provenance.fingerprints import FrameHash, Similarity, compare
from byline.provenance.trust import TrustBundle

if TYPE_CHECKING:
    from byline.provenance.models import Record

INDEX, KEYS, MANIFESTS, README = "records.jsonl", "keys.json", "manifests", "README.md"
_VERSION = 1
_SHORTLIST_BITS = 14  # of phash64; compare() decides on 64 of 256 bits, which is about 16 of 64
_SHORTLIST_SIZE = 20
_MAX_LINE = 4 << 20


class BadRecords(InvalidInput):
    """A directory of records that is none, or is damaged. The message names the file."""

    code = "bad_records"
    help = "Get records made by `byline provenance export` from the operator."


@dataclass(frozen=True)
class StoredRecord:
    """One clip on record. `id` is its public id, `manifest` the C2PA store as it was signed."""

    id: str
    mark_id: int
    audio_id: int | None
    sha256: str
    content_digest: str
    manifest: bytes
    proof: Mapping[str, Any]
    fingerprints: tuple[FrameHash, ...]
    created: str


class RecordSource(Protocol):
    """What the verifier may ask. Keys are 32 bytes; the first of each is the newest."""

    mark_keys: Sequence[bytes]
    id_keys: Sequence[bytes]

    def by_mark(self, mark_id: int) -> StoredRecord | None: ...

    def by_audio(self, audio_id: int) -> StoredRecord | None: ...

    def similar(self, query: list[FrameHash]) -> tuple[StoredRecord, Similarity] | None: ...


class DirectoryRecords:
    """An operator's export, read without Django. BadRecords when it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        keys = _json(path / KEYS)
        try:
            if keys["v"] != _VERSION:
                raise BadRecords(f"{KEYS} is of another version")
            self.mark_keys: Sequence[bytes] = [bytes.fromhex(key) for key in keys["watermark"]]
            self.id_keys: Sequence[bytes] = [bytes.fromhex(key) for key in keys["id"]]
        except (KeyError, TypeError, ValueError) as error:
            raise BadRecords(f"{KEYS} is damaged") from error
        if not self.mark_keys or any(len(key) != 32 for key in (*self.mark_keys, *self.id_keys)):
            raise BadRecords(f"{KEYS} holds no usable keys")
        self._rows = {row["id"]: row for row in self._read_rows()}
        self._marks = {row["mark_id"]: row["id"] for row in self._rows.values()}
        self._sounds = {row["audio_id"]: row["id"] for row in self._rows.values() if row["audio_id"]}
        self._shortlist: _Shortlist | None = None

    def _read_rows(self) -> Iterable[dict[str, Any]]:
        try:
            with (self._path / INDEX).open("rb") as lines:
                for line in lines:
                    if len(line) > _MAX_LINE:
                        raise BadRecords(f"{INDEX} is damaged")
                    row = json.loads(line)
                    row["fingerprints"] = tuple(_frame_hash(item) for item in row["fingerprints"])
                    row["mark_id"] = int(row["mark_id"], 16)
                    row["id"] = str(uuid.UUID(row["id"]))  # it becomes a file name
                    row["audio_id"] = int(row["audio_id"], 16) if row["audio_id"] else None
                    yield row
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRecords(f"{INDEX} is missing or damaged") from error

    def by_mark(self, mark_id: int) -> StoredRecord | None:
        return self._load(self._marks.get(mark_id))

    def by_audio(self, audio_id: int) -> StoredRecord | None:
        return self._load(self._sounds.get(audio_id))

    def similar(self, query: list[FrameHash]) -> tuple[StoredRecord, Similarity] | None:
        if self._shortlist is None:
            self._shortlist = _Shortlist({key: row["fingerprints"] for key, row in self._rows.items()})
        found = self._shortlist.best(query)
        record = self._load(found[0]) if found else None
        return (record, found[1]) if found and record else None

    def _load(self, key: str | None) -> StoredRecord | None:
        if key is None:
            return None
        row = self._rows[key]
        try:
            manifest = (self._path / MANIFESTS / f"{key}.c2pa").read_bytes()
            return StoredRecord(manifest=manifest, **{name: row[name] for name in _PLAIN})
        except (OSError, KeyError) as error:
            raise BadRecords("a record's manifest is missing") from error


_PLAIN = ("id", "mark_id", "audio_id", "sha256", "content_digest", "proof", "fingerprints", "created")


class DatabaseRecords:
    """This installation's records. By default only what was published: the answer is for strangers."""

    def __init__(self, *, published_only: bool = True) -> None:
        from byline.audit.base import keyring
        from byline.provenance.models import Record

        rows = Record.objects.all()
        self._query = rows.filter(published=True) if published_only else rows
        self.mark_keys: Sequence[bytes] = [keyring.read("watermark")]
        self.id_keys: Sequence[bytes] = [keyring.read("id")]

    def all(self) -> Iterable[StoredRecord]:
        """Every record, oldest first."""
        return (_stored(row) for row in self._query.order_by("created", "pk").iterator(chunk_size=500))

    def by_mark(self, mark_id: int) -> StoredRecord | None:
        row = self._query.filter(mark_id=mark_id).first()
        return _stored(row) if row else None

    def by_audio(self, audio_id: int) -> StoredRecord | None:
        row = self._query.filter(audio_id=audio_id).first()
        return _stored(row) if row else None

    def similar(self, query: list[FrameHash]) -> tuple[StoredRecord, Similarity] | None:
        rows = self._query.values_list("pk", "fingerprints").iterator(chunk_size=500)
        found = _Shortlist({str(pk): tuple(_frame_hash(i) for i in items) for pk, items in rows}).best(query)
        row = self._query.filter(pk=found[0]).first() if found else None
        return (_stored(row), found[1]) if found and row else None


class _Shortlist:
    """All frame hashes of all records in one array: who has any frame near any frame of the query?"""

    def __init__(self, fingerprints: Mapping[str, tuple[FrameHash, ...]]) -> None:
        self._fingerprints = fingerprints
        self._owners = [key for key, hashes in fingerprints.items() for _ in hashes]
        self._keys = _bits([h.phash64 for hashes in fingerprints.values() for h in hashes])

    def best(self, query: list[FrameHash]) -> tuple[str, Similarity] | None:
        """The most similar record, None when none is similar."""
        if not query or not self._owners:
            return None
        votes: dict[str, int] = {}
        for wanted in _bits([h.phash64 for h in query]):
            distance = np.unpackbits(self._keys ^ wanted, axis=1).sum(axis=1)
            for owner in {self._owners[i] for i in np.flatnonzero(distance <= _SHORTLIST_BITS)}:
                votes[owner] = votes.get(owner, 0) + 1
        nearest = sorted(votes, key=lambda key: -votes[key])[:_SHORTLIST_SIZE]
        compared = [(key, compare(query, list(self._fingerprints[key]))) for key in nearest]
        similar = [(key, result) for key, result in compared if result.similar]
        return max(similar, key=lambda item: (item[1].matched, -item[1].mean_bits), default=None)


def export(directory: Path) -> int:
    """Write keys for detection, published records, their manifests and how to use them; how many.

    Replaces an earlier export whole, refuses to replace anything else. Logs that it was done.
    """
    from django.db import transaction

    from byline.audit import log

    if directory.exists() and any(directory.iterdir()) and not (directory / INDEX).is_file():
        raise BadRecords(f"{directory} holds something else", help="Give an empty or a new directory.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".records-", dir=directory.parent))  # 0700
    try:
        source = DatabaseRecords()
        count = write_directory(scratch, source)
        digest = hashlib.sha256((scratch / INDEX).read_bytes()).hexdigest()
        with transaction.atomic():
            log.append(
                "provenance.exported",
                subject="records",
                actor="system:export",
                payload={"records": count, "index": digest},
            )
        if directory.exists():
            shutil.rmtree(directory)
        scratch.rename(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return count


class Exportable(Protocol):
    """What `write_directory` needs: all records and the keys that find their marks."""

    mark_keys: Sequence[bytes]
    id_keys: Sequence[bytes]

    def all(self) -> Iterable[StoredRecord]: ...


def write_directory(directory: Path, source: Exportable) -> int:
    """Write records into an empty directory in the form that DirectoryRecords reads; how many."""
    (directory / MANIFESTS).mkdir()
    count = 0
    with (directory / INDEX).open("w") as index:
        for record in source.all():
            row = {**asdict(record), "mark_id": f"{record.mark_id:016x}"}
            row["audio_id"] = f"{record.audio_id:08x}" if record.audio_id else None
            (directory / MANIFESTS / f"{record.id}.c2pa").write_bytes(row.pop("manifest"))
            index.write(json.dumps(row, separators=(",", ":")) + "\n")
            count += 1
    keys = {
        "v": _VERSION,
        "watermark": [k.hex() for k in source.mark_keys],
        "id": [k.hex() for k in source.id_keys],
    }
    descriptor = os.open(directory / KEYS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(json.dumps(keys) + "\n")
    (directory / README).write_bytes((Path(__file__).parent / "records_readme.md").read_bytes())
    return count


def manifest_facts(store: bytes) -> dict[str, str]:
    """Title, signer, models and time of a stored manifest, for display. Empty text where it says nothing."""
    found = reading.read_store(store, TrustBundle.empty())
    models = [
        str(a["data"].get("modelName", ""))
        for a in found.assertions
        if a.get("label") == "c2pa.ai-disclosure" and isinstance(a.get("data"), dict)
    ]
    return {
        "title": found.title,
        "issuer": found.signer,
        "model": ", ".join(name for name in models if name),
        "signed_at": found.signed_at,
    }


def _stored(row: "Record") -> StoredRecord:
    return StoredRecord(
        id=str(row.pk),
        mark_id=row.mark_id,
        audio_id=row.audio_id,
        sha256=row.sha256,
        content_digest=row.content_digest,
        manifest=bytes(row.manifest),
        proof=row.proof,
        fingerprints=tuple(_frame_hash(item) for item in row.fingerprints),
        created=row.created.isoformat(),
    )


def _frame_hash(item: Mapping[str, Any]) -> FrameHash:
    """A stored hash, with the width that the comparison relies on. ValueError otherwise."""
    found = FrameHash(float(item["t"]), str(item["phash256"]), str(item["phash64"]))
    if len(bytes.fromhex(found.phash256)) != 32 or len(bytes.fromhex(found.phash64)) != 8:
        raise ValueError("a fingerprint has another width")
    return found


def _bits(hashes: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """(N, 8) bytes of N 64-bit hashes."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, 8)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecords(f"{path.name} is missing or damaged") from error
