"""Records of finished clips, from this installation's database or from an operator's export.

Promises: the verifier asks a RecordSource and never learns which kind; `DirectoryRecords` needs no
Django, so what was published stays recoverable when the site is gone. `DatabaseRecords` answers
for published clips only and everything else looks like an unknown id. `write_directory` writes detection
keys: whoever holds them can look for our marks, and could also write or remove them, so an
export is as private as the key ring. Left out: search of sounds in the database (their index is made
in memory, which is right for tens of thousands of clips).
"""

import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from byline.audit.base.errors import InvalidInput
from byline.provenance import index_shortlist, reading
from byline.provenance.fingerprints import FrameHash, Similarity, compare
from byline.provenance.index_directory import DirectoryFrames
from byline.provenance.index_shortlist import FrameLookup
from byline.provenance.marks import detectors
from byline.provenance.marks.algorithms import Media
from byline.provenance.sound_fingerprints import SoundIndex, SoundPrint, SoundSimilarity
from byline.provenance.trust import TrustBundle

if TYPE_CHECKING:
    from byline.provenance.models import Record

INDEX, KEYS, MANIFESTS, README = "records.jsonl", "keys.json", "manifests", "README.md"
_VERSION, _READABLE = 2, (1, 2)  # version 1 has whole frames only and no sound
SIMILAR_BITS = 10  # of phash64: what a lookup finds exactly and fast
LOOSE_BITS = 14  # for the shortlist
_COMPARED = 20  # records compared as a whole
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
    sound: SoundPrint | None = None
    published: bool = True


class RecordSource(Protocol):
    """What the verifier may ask. Keys are 32 bytes; the first of each is the newest."""

    mark_keys: Sequence[bytes]
    id_keys: Sequence[bytes]

    def detectors(self, medium: Media) -> Sequence[Any]:
        """Markers that find these records' marks, our own first; what they need may be missing."""

    def by_mark(self, mark_id: int) -> StoredRecord | None: ...

    def by_audio(self, audio_id: int) -> StoredRecord | None: ...

    def similar(self, query: list[FrameHash]) -> tuple[StoredRecord, Similarity] | None:
        """The record that looks most alike, also mirrored or cropped; None if none is similar."""

    def shortlist(self, query: list[FrameHash], limit: int = 100) -> list[StoredRecord]:
        """Records with any frame that is not too far from the query's, nearest first. No evidence."""

    def similar_sound(self, query: SoundPrint) -> tuple[StoredRecord, SoundSimilarity] | None:
        """The record with the longest passage that sounds alike; None if none is similar."""


class DirectoryRecords:
    """An operator's export, read without Django. BadRecords when it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        keys = _json(path / KEYS)
        try:
            if keys["v"] not in _READABLE:
                raise BadRecords(f"{KEYS} is of another version")
            self.mark_keys: Sequence[bytes] = [bytes.fromhex(key) for key in keys["watermark"]]
            self.id_keys: Sequence[bytes] = [bytes.fromhex(key) for key in keys["id"]]
        except (KeyError, TypeError, ValueError) as error:
            raise BadRecords(f"{KEYS} is damaged") from error
        if not self.mark_keys or any(len(key) != 32 for key in (*self.mark_keys, *self.id_keys)):
            raise BadRecords(f"{KEYS} holds no usable keys")
        self._marks_of_others = keys.get("marks", [])
        self._rows = {row["id"]: row for row in self._read_rows()}
        self._marks = {row["mark_id"]: row["id"] for row in self._rows.values()}
        self._sounds = {row["audio_id"]: row["id"] for row in self._rows.values() if row["audio_id"]}
        self._frames: DirectoryFrames | None = None
        self._sound_index: SoundIndex | None = None

    def detectors(self, medium: Media) -> Sequence[Any]:
        try:
            others = detectors.unpack(medium, self._marks_of_others, self.mark_keys, self._path)
        except (KeyError, TypeError, ValueError) as error:
            raise BadRecords(f"{KEYS} names a mark that is unknown here") from error
        return [detectors.own(medium, self.mark_keys), *others]

    def _read_rows(self) -> Iterable[dict[str, Any]]:
        try:
            with (self._path / INDEX).open("rb") as lines:
                for line in lines:
                    if len(line) > _MAX_LINE:
                        raise BadRecords(f"{INDEX} is damaged")
                    row = json.loads(line)
                    row["fingerprints"] = tuple(map(FrameHash.from_json, row["fingerprints"]))
                    row["sound"] = SoundPrint.from_hex(row["sound"]) if row.get("sound") else None
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
        return _most_similar(self, self._lookup(), query)

    def shortlist(self, query: list[FrameHash], limit: int = 100) -> list[StoredRecord]:
        found = index_shortlist.ranked(self._lookup(), query, radius=LOOSE_BITS, limit=limit)
        return self.of_ids(found.records)

    def similar_sound(self, query: SoundPrint) -> tuple[StoredRecord, SoundSimilarity] | None:
        if self._sound_index is None:
            prints = {key: row["sound"] for key, row in self._rows.items() if row["sound"]}
            self._sound_index = SoundIndex(prints)
        return _most_alike_sound(self, self._sound_index, query)

    def of_ids(self, keys: Sequence[str]) -> list[StoredRecord]:
        """The records with these public ids, in this order; unknown ones are passed over."""
        return [record for record in map(self._load, keys) if record]

    def _lookup(self) -> FrameLookup:
        if self._frames is None:
            self._frames = DirectoryFrames({key: row["fingerprints"] for key, row in self._rows.items()})
        return self._frames

    def _load(self, key: str | None) -> StoredRecord | None:
        row = self._rows.get(key) if key is not None else None
        if row is None or key is None:
            return None
        try:
            manifest = (self._path / MANIFESTS / f"{key}.c2pa").read_bytes()
            return StoredRecord(manifest=manifest, **{name: row[name] for name in _PLAIN})
        except (OSError, KeyError) as error:
            raise BadRecords("a record's manifest is missing") from error


_PLAIN = (
    "id", "mark_id", "audio_id", "sha256", "content_digest", "proof", "fingerprints", "created", "sound",
)  # fmt: skip


class DatabaseRecords:
    """This installation's records. By default only what was published: the answer is for strangers."""

    def __init__(self, *, published_only: bool = True) -> None:
        from byline.audit.base import keyring
        from byline.provenance import fingerprint_index
        from byline.provenance.models import Record

        rows = Record.objects.all()
        self._query = rows.filter(published=True) if published_only else rows
        self._frames = fingerprint_index.DatabaseFrames(published_only=published_only)
        self.mark_keys: Sequence[bytes] = keyring.read_all("watermark")
        self.id_keys: Sequence[bytes] = keyring.read_all("id")

    def detectors(self, medium: Media) -> Sequence[Any]:
        from byline.provenance.marks import markers

        return markers.detectors(medium, self.mark_keys)

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
        return _most_similar(self, self._frames, query)

    def shortlist(self, query: list[FrameHash], limit: int = 100) -> list[StoredRecord]:
        found = index_shortlist.ranked(self._frames, query, radius=LOOSE_BITS, limit=limit)
        return self.of_ids(found.records)

    def similar_sound(self, query: SoundPrint) -> tuple[StoredRecord, SoundSimilarity] | None:
        rows = self._query.exclude(sound="").values_list("pk", "sound").iterator(chunk_size=500)
        index = SoundIndex({str(pk): SoundPrint.from_hex(sound) for pk, sound in rows})
        return _most_alike_sound(self, index, query)

    def of_ids(self, keys: Sequence[str]) -> list[StoredRecord]:
        """The records with these public ids, in this order; unknown ones are passed over."""
        rows = {str(row.pk): row for row in self._query.filter(pk__in=keys)}
        return [_stored(rows[key]) for key in keys if key in rows]


def _most_similar(
    source: "DirectoryRecords | DatabaseRecords", frames: FrameLookup, query: list[FrameHash]
) -> tuple[StoredRecord, Similarity] | None:
    found = index_shortlist.ranked(frames, query, radius=SIMILAR_BITS, limit=_COMPARED)
    records = source.of_ids(found.records)
    compared = [(record, compare(found.telling, record.fingerprints)) for record in records]
    similar = [item for item in compared if item[1].similar]
    return max(similar, key=lambda item: (item[1].matched, -item[1].mean_bits), default=None)


def _most_alike_sound(
    source: "DirectoryRecords | DatabaseRecords", index: SoundIndex, query: SoundPrint
) -> tuple[StoredRecord, SoundSimilarity] | None:
    found = index.best(query)
    records = source.of_ids([found[0]]) if found else []
    return (records[0], found[1]) if found and records else None


class Exportable(Protocol):
    """What `write_directory` needs: all records and the keys that find their marks."""

    mark_keys: Sequence[bytes]
    id_keys: Sequence[bytes]

    def all(self) -> Iterable[StoredRecord]: ...


def write_directory(directory: Path, source: Exportable, marks: Sequence[Mapping[str, Any]] = ()) -> int:
    """Write records into an empty directory in the form that DirectoryRecords reads; how many.

    `marks` are those of other makers, packed by marks/detectors.py into the same directory.
    """
    (directory / MANIFESTS).mkdir()
    count = 0
    with (directory / INDEX).open("w") as index:
        for record in source.all():
            row = {**asdict(record), "mark_id": f"{record.mark_id:016x}"}
            row["audio_id"] = f"{record.audio_id:08x}" if record.audio_id else None
            row["sound"] = record.sound.to_hex() if record.sound else None
            (directory / MANIFESTS / f"{record.id}.c2pa").write_bytes(row.pop("manifest"))
            index.write(json.dumps(row, separators=(",", ":")) + "\n")
            count += 1
    keys = {
        "v": _VERSION,
        "watermark": [k.hex() for k in source.mark_keys],
        "id": [k.hex() for k in source.id_keys],
        "marks": list(marks),
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
        fingerprints=tuple(map(FrameHash.from_json, row.fingerprints)),
        created=row.created.isoformat(),
        sound=SoundPrint.from_hex(row.sound) if row.sound else None,
        published=row.published,
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecords(f"{path.name} is missing or damaged") from error
