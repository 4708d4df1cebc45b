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

from byline.audit.base import keyring
from byline.provenance.exporting import export
from byline.provenance.fingerprints import FrameHash, mirrored
from byline.provenance.models import Record
from byline.provenance.records import BadRecords, DatabaseRecords, DirectoryRecords, RecordSource
from byline.provenance.sound_fingerprints import sound_fingerprint
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
        assert found[1].variant == "as stored"
        mirror_image = source.similar([mirrored(item) for item in query])
        assert mirror_image is not None
        assert mirror_image[0] == record
        assert mirror_image[1].variant == "mirrored"
        assert source.shortlist(query) == [record]
        assert source.shortlist(query, limit=0) == []
    assert sources[0].mark_keys == sources[1].mark_keys
    assert sources[0].id_keys == sources[1].id_keys


@pytest.mark.django_db
def test_the_shortlist_reaches_further_than_the_answer_and_only_published_records(tmp_path: Path) -> None:
    shown = _record()
    _record(mark_id=1, audio_id=None, published=False)
    export(tmp_path / "records", _ALL_PUBLISHED)
    sources: list[RecordSource] = [DatabaseRecords(), DirectoryRecords(tmp_path / "records")]
    # Twelve of 64 and ninety of 256 bits away: neighbours, not look-alikes.
    far = [
        FrameHash(
            item["t"],
            f"{int(item['phash256'], 16) ^ (1 << 90) - 1:064x}",
            f"{int(item['phash64'], 16) ^ 0x1111_1111_1111:016x}",
        )
        for item in HASHES
    ]
    for source in sources:
        assert source.similar(far) is None
        assert [record.id for record in source.shortlist(far)] == [str(shown.pk)]
        assert source.shortlist([]) == []


@pytest.mark.django_db
def test_sound_leads_to_its_record_in_both_sources(tmp_path: Path) -> None:
    sounds = [sound_fingerprint(kit.speech_like(8.0, seed), 48_000) for seed in (1, 2)]
    shown = _record(sound=sounds[0].to_hex())
    _record(mark_id=1, audio_id=None, published=False, sound=sounds[1].to_hex())
    _record(mark_id=2, audio_id=None)
    export(tmp_path / "records", _ALL_PUBLISHED)
    sources: list[RecordSource] = [DatabaseRecords(), DirectoryRecords(tmp_path / "records")]
    for source in sources:
        found = source.similar_sound(sounds[0])
        assert found is not None
        assert found[0].id == str(shown.pk)
        assert found[0].sound == sounds[0]
        assert found[0].published
        assert found[1].similar
    inside = DatabaseRecords(published_only=False).by_mark(1)
    assert inside is not None
    assert not inside.published


@pytest.mark.django_db
def test_an_export_of_the_first_version_is_still_read(tmp_path: Path) -> None:
    shown = _record()
    target = tmp_path / "records"
    export(target, _ALL_PUBLISHED)
    keys = json.loads((target / "keys.json").read_text())
    (target / "keys.json").write_text(json.dumps(keys | {"v": 1}))
    row = json.loads((target / "records.jsonl").read_text())
    del row["sound"], row["published"]
    for item in row["fingerprints"]:
        item.pop("variant", None)
    (target / "records.jsonl").write_text(json.dumps(row) + "\n")
    source = DirectoryRecords(target)
    found = source.similar([FrameHash(**item) for item in HASHES])
    assert found is not None
    assert (found[0].id, found[0].sound, found[0].published) == (str(shown.pk), None, True)


@pytest.mark.django_db
def test_every_key_that_was_ever_used_is_looked_for() -> None:
    source = DatabaseRecords()
    assert source.mark_keys == keyring.read_all("watermark")
    assert source.id_keys == keyring.read_all("id")


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
        ("keys.json", json.dumps({"v": 3, "watermark": ["00" * 32], "id": []})),
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
