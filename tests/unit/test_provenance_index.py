"""Both indices of frames: nothing within the radius is missed, also where hashes crowd."""

from importlib import import_module
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from django.apps import apps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byline.provenance import fingerprint_index, index_shortlist
from byline.provenance.fingerprint_index import DatabaseFrames
from byline.provenance.fingerprints import FrameHash
from byline.provenance.hash_index import HashIndex, chunk_radii, flips
from byline.provenance.index_directory import DirectoryFrames
from byline.provenance.index_shortlist import Hit, Hits, ranked
from byline.provenance.models import IndexedFrame, Record


def hashes(count: int, words: int, clusters: int, seed: int) -> np.ndarray:
    """Around `clusters` centres, up to a third of the bits away; 0 for random ones."""
    rng = np.random.default_rng(seed)
    if not clusters:
        return rng.integers(0, 2**64, (count, words), np.uint64, endpoint=False)
    centres = rng.integers(0, 2**64, (clusters, words), np.uint64, endpoint=False)
    turned = rng.random((count, 64 * words)) < rng.uniform(0, 0.33, (count, 1))
    return centres[rng.integers(0, clusters, count)] ^ np.packbits(turned, axis=1).view(np.uint64)


def brute(stored: np.ndarray, query: np.ndarray, radius: int) -> dict[int, int]:
    bits = np.bitwise_count(stored ^ query).sum(axis=1)
    return {int(row): int(bits[row]) for row in np.flatnonzero(bits <= radius)}


@pytest.mark.parametrize("chunks", [3, 4, 16])
@pytest.mark.parametrize("radius", range(0, 18))
def test_the_pigeons_have_fewer_holes(chunks: int, radius: int) -> None:
    """A hash that escapes every chunk is further away than the radius; with less reach it would not be."""
    radii = chunk_radii(chunks, radius)
    assert sum(reach + 1 for reach in radii) == radius + 1
    assert len(flips(6, 2)) == len(set(flips(6, 2))) == 1 + 6 + 15


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([(1, 4, 10), (1, 4, 14), (1, 3, 7), (4, 16, 31), (4, 13, 40), (4, 0, 31)]),
)
def test_in_memory_exact_within_the_radius(seed: int, clusters: int, shape: tuple[int, int, int]) -> None:
    words, chunks, radius = shape
    stored = hashes(400, words, clusters, seed)
    index = HashIndex(stored, radius, chunks=chunks)
    rng = np.random.default_rng(seed)
    for row in rng.integers(0, len(stored), 5):
        query = stored[row].copy()
        for bit in rng.choice(64 * words, int(rng.integers(0, radius + 2)), replace=False):
            query[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        # Whole, and with every bucket looked at however crowded: both ways must agree with brute force.
        for crowded in (8, 10**-9):
            with mock.patch("byline.provenance.hash_index._CROWDED", crowded):
                found = index.near(query)
            assert dict(zip(found.rows.tolist(), found.bits.tolist(), strict=True)) == brute(
                stored, query, radius
            )
            assert found.complete
            assert found.bits.tolist() == sorted(found.bits.tolist())


def test_a_cut_answer_says_so_and_keeps_the_nearest() -> None:
    black = np.zeros((5000, 4), np.uint64)
    black[7, 0] = 1
    index = HashIndex(black, 31)
    found = index.near(black[7], limit=3)
    assert not found.complete
    assert found.rows[0] == 7
    assert found.bits.tolist() == [0, 1, 1]


def test_tables_can_live_in_files(tmp_path: Path) -> None:
    stored = hashes(3000, 4, 2, 1)
    mapped, plain = HashIndex(stored, 31, directory=tmp_path), HashIndex(stored, 31)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 4 * len(stored)
    for row in range(20):
        assert mapped.near(stored[row]).rows.tolist() == plain.near(stored[row]).rows.tolist()


@pytest.mark.parametrize("array", [np.zeros((0, 4), np.uint64), np.zeros(4, np.uint64), np.zeros((2, 4))])
def test_misshapen_hashes_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint64"):
        HashIndex(array, 31)


# ---------------------------------------------------------------- in the database


def _records(keys: np.ndarray, *, published: bool = True, each: int = 20) -> list[Record]:
    """Records whose frames have these phash64; phash256 tells the row."""
    rows = []
    for start in range(0, len(keys), each):
        items = [
            {
                "t": n / 4,
                "phash64": f"{int(key[0]):016x}",
                "phash256": f"{start + n:064x}",
                "variant": f"v{n}",
            }
            for n, key in enumerate(keys[start : start + each])
        ]
        number = Record.objects.count()
        rows.append(
            Record.objects.create(
                mark_id=number, sha256="ab" * 32, content_digest="", manifest=b"", proof={},
                fingerprints=items, published=published,
            )
        )  # fmt: skip
    return rows


def _numbers(found: Hits) -> list[int]:
    return sorted(int.from_bytes(hit.phash256, "big") for hit in found.hits)


@pytest.mark.django_db
@pytest.mark.parametrize("clusters", [0, 2])
def test_the_database_is_exact_within_the_radius_and_agrees_with_an_export(clusters: int) -> None:
    keys = hashes(400, 1, clusters, 5)
    keys[3] = 2**64 - 1  # a negative number in the column
    records = _records(keys)
    exported = DirectoryFrames(
        {str(r.pk): [FrameHash.from_json(item) for item in r.fingerprints] for r in records}
    )
    rng = np.random.default_rng(1)
    for radius in (10, 11, 14, 2):
        for row in [3, *rng.integers(0, len(keys), 6)]:
            query = int(keys[row, 0])
            for bit in rng.choice(64, int(rng.integers(0, radius + 2)), replace=False):
                query ^= 1 << int(bit)
            found = DatabaseFrames().near(query, radius=radius)
            expected = brute(keys, np.array([query], np.uint64), radius)
            assert found.complete
            assert _numbers(found) == sorted(expected)
            assert _numbers(exported.near(query, radius=radius)) == sorted(expected)


@pytest.mark.django_db
def test_only_published_frames_answer_and_a_repeated_frame_is_one_row() -> None:
    keys = np.full((20, 1), 5, np.uint64)
    shown = _records(keys)[0]
    hidden = _records(keys, published=False)[0]
    assert {hit.record for hit in DatabaseFrames().near(5).hits} == {str(shown.pk)}
    both = DatabaseFrames(published_only=False).near(5).hits
    assert {hit.record for hit in both} == {str(shown.pk), str(hidden.pk)}
    still = [{"t": n / 4, "phash64": "07" * 8, "phash256": "07" * 32} for n in range(20)]
    record = Record.objects.create(
        mark_id=99, sha256="ab" * 32, content_digest="", manifest=b"", proof={}, fingerprints=still
    )
    assert record.frames.count() == 1
    record.delete()
    assert IndexedFrame.objects.count() == 40


@pytest.mark.django_db
def test_a_crowd_in_the_database_is_cut_and_says_so() -> None:
    _records(np.full((60, 1), 2**63, np.uint64))
    with mock.patch.object(fingerprint_index, "MOST_CANDIDATES", 59):
        assert not DatabaseFrames().near(2**63).complete
    with mock.patch.object(fingerprint_index, "MOST_CANDIDATES", 60):
        assert DatabaseFrames().near(2**63).complete
    with mock.patch.object(fingerprint_index, "MOST_HITS", 59):
        found = DatabaseFrames().near(2**63)
    assert not found.complete
    assert len(found.hits) == 59


@pytest.mark.django_db
def test_a_record_without_frames_needs_no_index() -> None:
    _records(np.zeros((0, 1), np.uint64))
    record = Record.objects.create(mark_id=1, sha256="ab" * 32, content_digest="", manifest=b"", proof={})
    record.save()
    assert record.frames.count() == 0
    assert DatabaseFrames().near(0) == Hits([], True)
    assert DirectoryFrames({}).near(0, radius=10) == Hits((), True)


@pytest.mark.django_db
def test_records_from_before_the_index_are_indexed_by_the_migration() -> None:
    item = {"t": 0.125, "phash64": f"{2**63 + 9:016x}", "phash256": "0a" * 32}
    old = Record(
        mark_id=7, sha256="ab" * 32, content_digest="", manifest=b"", proof={},
        fingerprints=[item, item | {"t": 0.375}], published=True,
    )  # fmt: skip
    Record.objects.bulk_create([old])  # as it was before saving indexed anything
    assert DatabaseFrames().near(2**63 + 9).hits == []
    import_module("byline.provenance.migrations.0003_index_records").index(apps, None)
    assert DatabaseFrames().near(2**63 + 9).hits == [Hit(str(old.pk), b"\x0a" * 32)]
    assert IndexedFrame.objects.get().t == 0.125


# ---------------------------------------------------------------- who is worth comparing


class Table:
    """A lookup from a list of (record, phash64, phash256)."""

    def __init__(self, rows: list[tuple[str, int, int]]) -> None:
        self.rows, self.asked = rows, 0

    def near(self, key: int, *, radius: int) -> Hits:
        self.asked += 1
        near = [row for row in self.rows if (row[1] ^ key).bit_count() <= radius]
        return Hits([Hit(name, wide.to_bytes(32, "big")) for name, _, wide in near], True)


def frame(n: int, narrow: int, wide: int) -> FrameHash:
    return FrameHash(n / 4, f"{wide:064x}", f"{narrow:016x}")


def test_a_frame_that_many_records_show_decides_nothing() -> None:
    """Thirty-one clips end with the same card; only one of them has the query's pictures."""
    card, picture = (0xFFFF << 40, 0xFFFF << 200), (0xFFFF, (1 << 90) - 1)
    rows = [(f"clip {n}", *card) for n in range(index_shortlist.COMMON + 1)]
    table = Table([*rows, ("clip 20", *picture)])
    query = [frame(0, *picture), frame(1, *card), frame(2, card[0], card[1] ^ 0b111)]
    found = ranked(table, query, radius=10, limit=5)
    assert found.records[0] == "clip 20"
    assert found.telling == query[:1]
    assert ranked(Table(rows[1:]), query, radius=10, limit=5).telling == query


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 200))
def test_long_queries_ask_no_more_than_short_ones(count: int) -> None:
    table = Table([])
    found = ranked(table, [frame(n, n, n) for n in range(count)], radius=10, limit=5)
    assert found.records == []
    assert table.asked <= 2 * index_shortlist.PROBES
