"""The two indices of `make bench-fingerprint`: PostgreSQL at a million frames, in memory at ten million.

Each is asked on random hashes and on clustered ones: hashes of real frames, copied with some bits
turned, and one frame in fifty nearly the same picture, as the end card of a house is.
"""

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from byline.provenance.hash_index import HashIndex

Words = NDArray[np.uint64]


@dataclass
class Timings:
    """Milliseconds of single look-ups; `missed` counts neighbours that brute force found and we did not."""

    milliseconds: list[float]
    missed: int = 0
    incomplete: int = 0  # answers that said so
    scans: int = 0  # look-ups in memory that compared with everything
    cpu_ms: float = 0.0  # of the database server, mean per look-up

    def at(self, percent: float) -> float:
        return float(np.percentile(self.milliseconds, percent))


def random_hashes(count: int, words: int, seed: int = 1) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, (count, words), np.uint64, endpoint=False)


def clustered_hashes(real: Words, count: int, seed: int = 2) -> Words:
    """`count` hashes like those of an archive, from `real` (N, W) ones.

    A clip's hash is a real one with 10 to 50 % of its bits turned; it gives a hundred frames with up to
    12 % of the bits turned, one in five none. One frame in fifty is one and the same picture, with up to
    2 bits turned, as the end card of a house is.
    """
    rng = np.random.default_rng(seed)
    bits = 64 * real.shape[1]
    out = np.empty((-(-count // 100) * 100, real.shape[1]), np.uint64)
    for start in range(0, len(out), 100_000):
        part = out[start : start + 100_000]
        clips = real[rng.integers(0, len(real), len(part) // 100)]
        clips = clips ^ _turn(rng, rng.uniform(0.1, 0.5, len(clips)), bits)
        share = rng.uniform(0, 0.12, len(part)) * (rng.random(len(part)) > 0.2)
        part[:] = np.repeat(clips, 100, axis=0) ^ _turn(rng, share, bits)
        end_card = rng.random(len(part)) < 0.02
        part[end_card] = real[0] ^ _turn(rng, np.full(int(end_card.sum()), 1 / bits), bits)
    return out[:count]


def _turn(rng: np.random.Generator, share: NDArray[np.floating], bits: int) -> Words:
    """One mask for each share of bits."""
    return np.packbits(rng.random((len(share), bits), np.float32) < share[:, None], axis=1).view(np.uint64)


def near(hashes: Words, count: int, most: int, seed: int = 3) -> Words:
    """Queries: stored hashes with up to `most` bits turned."""
    rng = np.random.default_rng(seed)
    queries = hashes[rng.integers(0, len(hashes), count)].copy()
    for query in queries:
        for bit in rng.choice(64 * hashes.shape[1], int(rng.integers(0, most + 1)), replace=False):
            query[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return queries


def distances(hashes: Words, query: Words) -> NDArray[np.integer]:
    return np.bitwise_count(hashes ^ query).sum(axis=1, dtype=np.int32)


# ---------------------------------------------------------------- PostgreSQL


@contextmanager
def database() -> Iterator[Any]:
    """A PostgreSQL server of its own with the tables of provenance; Django is connected to it."""
    from byline.platform.database.cluster import Cluster

    with tempfile.TemporaryDirectory(prefix="byline-bench-", dir="/var/tmp") as scratch:
        Path(scratch).chmod(0o755)
        server = Cluster(Path(scratch), durable=False)
        server.start()
        try:
            os.environ["DATABASE_URL"] = server.url("app")
            os.environ["DATABASE_OWNER_URL"] = server.url("owner")
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
            import django

            django.setup()
            from django.core.management import call_command
            from django.db import connections

            from byline.platform.database.roles import acting_as

            with acting_as("owner"):
                call_command("migrate", "byline_provenance", verbosity=0)
            yield server
            connections.close_all()
        finally:
            server.stop()


def fill(server: Any, keys: Words, frames_per_record: int = 100) -> None:
    """Replace all rows: one published record for every hundred frames."""
    from byline.platform.database.location import NAME

    table = "byline_provenance_indexedframe"
    ids = [uuid.UUID(int=n + 1) for n in range(-(-len(keys) // frames_per_record))]
    with server.connect(NAME) as connection:
        connection.execute(f"truncate byline_provenance_record, {table} restart identity")
        with connection.cursor().copy(
            "copy byline_provenance_record (id, mark_id, sha256, content_digest, manifest, proof,"
            " fingerprints, published, created, sound) from stdin"
        ) as copy:
            for n, key in enumerate(ids):
                copy.write_row([key, n, "0" * 64, "", b"", "{}", "[]", True, "2026-01-01", ""])
        with connection.cursor().copy(
            f"copy {table} (record_id, t, variant, phash64, phash256) from stdin"
        ) as copy:
            for n, key in enumerate(keys[:, 0].view(np.int64).tolist()):
                copy.write_row([ids[n // frames_per_record], 0.0, "as stored", key, bytes(32)])
        for name in (table, "byline_provenance_record"):
            _settle(connection, name)


def _settle(connection: Any, table: str) -> None:
    """As autovacuum leaves a table that rests: again while some transaction still hides rows from it."""
    for _ in range(20):
        connection.execute(f"vacuum (analyze) {table}")
        pages, visible = connection.execute(
            "select relpages, relallvisible from pg_class where relname = %s", [table]
        ).fetchone()
        if visible >= 0.98 * pages:
            return
        time.sleep(1.0)
    raise RuntimeError(f"{table} did not come to rest")


def ask_database(keys: Words, queries: Words, radius: int) -> Timings:
    """Look-ups one after the other, each checked against brute force."""
    from django.db import connection

    from byline.provenance.fingerprint_index import MOST_HITS, DatabaseFrames

    frames = DatabaseFrames()
    timings = Timings([])
    connection.ensure_connection()
    backend = psutil.Process(connection.connection.info.backend_pid)
    before = sum(backend.cpu_times()[:2])
    for query in queries:
        started = time.perf_counter()
        found = frames.near(int(query[0]), radius=radius)
        timings.milliseconds.append(1e3 * (time.perf_counter() - started))
        expected = int((distances(keys, query) <= radius).sum())
        if found.complete:
            timings.missed += expected - len(found.hits)
        else:
            timings.incomplete += 1
            assert len(found.hits) <= MOST_HITS
    timings.cpu_ms = 1e3 * (sum(backend.cpu_times()[:2]) - before) / len(queries)
    return timings


# ---------------------------------------------------------------- in memory


def ask_memory(hashes: Words, queries: Words, radius: int, directory: Path) -> tuple[Timings, float]:
    """Look-ups in a mapped HashIndex, each checked against brute force; and the seconds to build it."""
    started = time.perf_counter()
    index = HashIndex(hashes, radius, directory=directory)
    built = time.perf_counter() - started
    timings = Timings([])
    for query in queries:
        started = time.perf_counter()
        found = index.near(query, limit=len(hashes))
        timings.milliseconds.append(1e3 * (time.perf_counter() - started))
        expected = int((distances(hashes, query) <= radius).sum())
        timings.missed += expected - len(found.rows)
        timings.scans += found.scanned
    return timings, built


def ask_faiss(hashes: Words, queries: Words) -> Timings | None:
    """The ten nearest by faiss IndexBinaryFlat, one thread; None without faiss (pip install faiss-cpu)."""
    try:
        import faiss
    except ImportError:
        return None
    faiss.omp_set_num_threads(1)
    index = faiss.IndexBinaryFlat(64 * hashes.shape[1])
    index.add(hashes.view(np.uint8))
    timings = Timings([])
    for query in queries:
        started = time.perf_counter()
        index.search(query[None].view(np.uint8), 10)
        timings.milliseconds.append(1e3 * (time.perf_counter() - started))
    return timings
