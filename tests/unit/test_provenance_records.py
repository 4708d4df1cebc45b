"""Records in the database and in an export: same answers, and silence about what is not published."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from byline.provenance.exporting import export
from byline.provenance.fingerprints import FrameHash
from byline.provenance.models import Record
from byline.provenance.records import BadRecords, DatabaseRecords, DirectoryRecords, RecordSource
from byline.provenance.status import ClipStatus

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
_ALL_PUBLISHED = SimpleNamespace(status=lambda _: ClipStatus("published", "2026-01-02", ""))
HASHES = [
    {"t": i / 2, "phash256": f"{i * 7919:064x}", "phash64": f"{(i * 104729) ** 3 % 2**64:016x}"}
    for i in range(6)
]


def _record(**changes: Any) -> Record:
    fields: dict[str, Any] = {
        "mark_id": 2**63 + 12345,
        "audio_id": 2**31 + 7,
        "sha256": "ab" * 32,
        "content_digest": "cd" * 32,
        "manifest": b"store",
        "proof": {"index": 3},
        "fingerprints": HASHES,
        "published": True,
    }
    return Record.objects.create(**(fields | changes))


@pytest.mark.django_db
def test_ids_use_all_64_bits_and_are_found_again() -> None:
    row = _record()
    row.refresh_from_db()
    assert row.mark_id == 2**63 + 12345
    assert Record.objects.get(mark_id=2**63 + 12345) == row
    small = _record(mark_id=5, audio_id=None)
    assert Record.objects.get(mark_id=5) == small
    row.full_clean()
    with pytest.raises(ValidationError):
        Record.objects.filter(mark_id=2**64).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", [{"mark_id": 2**63 + 12345}, {"audio_id": 2**31 + 7}, {"audio_id": 0}, {"sha256": "x"}]
)
def test_the_database_refuses_second_ids_and_malformed_values(change: dict[str, Any]) -> None:
    _record()
    with pytest.raises(IntegrityError), transaction.atomic():
        _record(**({"mark_id": 1, "audio_id": None} | change))


@pytest.mark.django_db
def test_unpublished_records_look_like_unknown_ones() -> None:
    row = _record(published=False)
    public = DatabaseRecords()
    query = [FrameHash(**item) for item in HASHES]
    assert public.by_mark(row.mark_id) is None
    assert public.by_audio(2**31 + 7) is None
    assert public.similar(query) is None
    inside = DatabaseRecords(published_only=False)
    assert inside.by_mark(row.mark_id) is not None
    Record.objects.update(published=True)
    found = public.by_mark(row.mark_id)
    assert found is not None
    assert found.id == str(row.pk)


@pytest.mark.django_db
def test_public_ids_are_random() -> None:
    first, second = _record(), _record(mark_id=1, audio_id=None)
    assert first.pk.version == second.pk.version == 4
    assert first.pk != second.pk


@pytest.mark.django_db
def test_public_facts_come_from_the_signed_manifest(tmp_path: Path) -> None:
    clip = kit.make_clip(tmp_path, 4, serial=9)
    row = _record(manifest=clip.stored.manifest, proof=clip.proof)
    facts = row.public_facts()
    assert facts["title"] == "Clip 9"
    assert facts["model"] == "byline-starter test"
    assert "development" in facts["issuer"]
    assert facts["log_index"] == clip.proof["index"]


@pytest.mark.django_db
def test_export_answers_like_the_database_and_holds_published_clips_only(tmp_path: Path) -> None:
    shown = _record()
    _record(mark_id=1, audio_id=None, published=False, manifest=b"secret draft")
    target = tmp_path / "records"
    assert export(target, _ALL_PUBLISHED) == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "keys.json").stat().st_mode) == 0o600
    assert not any(b"secret draft" in path.read_bytes() for path in target.rglob("*") if path.is_file())
    sources: list[RecordSource] = [DatabaseRecords(), DirectoryRecords(target)]
    query = [FrameHash(**item) for item in HASHES[1:5]]
    for source in sources:
        record = source.by_mark(shown.mark_id)
        assert record is not None
        assert (record.id, record.manifest, record.audio_id) == (str(shown.pk), b"store", 2**31 + 7)
        assert source.by_audio(2**31 + 7) == record
        assert source.by_mark(1) is None
        found = source.similar(query)
        assert found is not None
        assert found[0] == record
        assert found[1].matched == 4
    assert sources[0].mark_keys == sources[1].mark_keys
    assert sources[0].id_keys == sources[1].id_keys


@pytest.mark.django_db
def test_export_replaces_an_export_and_nothing_else_and_is_logged(tmp_path: Path) -> None:
    from byline.audit.models import Entry

    _record()
    target = tmp_path / "records"
    export(target, _ALL_PUBLISHED)
    export(target, _ALL_PUBLISHED)
    assert [p.name for p in tmp_path.iterdir()] == ["records"]
    assert Entry.objects.filter(kind="provenance.exported").count() == 2
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(BadRecords):
        export(precious, _ALL_PUBLISHED)
    assert (precious / "thesis.txt").exists()


def test_records_load_without_django(tmp_path: Path) -> None:
    clip = kit.make_clip(tmp_path, 4, serial=9)
    kit.records_of(tmp_path / "records", clip)
    code = (
        "import sys; from pathlib import Path; from byline.provenance.records import DirectoryRecords\n"
        "found = DirectoryRecords(Path(sys.argv[1])).by_mark(int(sys.argv[2]))\n"
        "assert found.mark_id == int(sys.argv[2]) and 'django' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "records"), str(clip.mark_id)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("keys.json", "{}"),
        ("keys.json", '{"v": 1, "watermark": ["zz"], "id": []}'),
        ("keys.json", '{"v": 1, "watermark": [], "id": []}'),
        ("keys.json", '{"v": 2, "watermark": ["00"], "id": []}'),
        ("records.jsonl", "[]\n"),
        ("records.jsonl", '{"id": "a"}\n'),
    ],
)
def test_damaged_exports_are_refused(tmp_path: Path, name: str, content: str) -> None:
    keys = {"v": 1, "watermark": ["00" * 32], "id": ["00" * 32]}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    (tmp_path / "records.jsonl").write_text("")
    DirectoryRecords(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(BadRecords):
        DirectoryRecords(tmp_path)


def test_a_record_id_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    keys = {"v": 1, "watermark": ["00" * 32], "id": ["00" * 32]}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    row = {
        "id": "../../etc/passwd", "mark_id": "01", "audio_id": None, "sha256": "", "content_digest": "",
        "proof": {}, "fingerprints": [], "created": "",
    }  # fmt: skip
    (tmp_path / "records.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(BadRecords):
        DirectoryRecords(tmp_path)
