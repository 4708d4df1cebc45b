"""`make bench-audit`: appending, sealing, proving and checking, on a PostgreSQL that syncs every commit.

Appends run through pgbench (32 clients, one entry per transaction) with the very SQL of `log.append`,
against a row-locked hash chain in the same server and run. The server is Byline's own, in a
temporary home on this machine's disk, with fsync on. `--quick` shortens every part and says so.
"""

import argparse
import json
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.results_file import Results

PAYLOAD = json.dumps({"stage": "moderate", "sha256": "0" * 64, "decision": "allow", "n": 7})
# No colon in the values: pgbench would take :bench for a variable.
APPEND = f"""
INSERT INTO byline_audit_entry (kind, subject, actor, payload)
    VALUES ('bench.note', 'request-bench', 'system-bench', '{PAYLOAD}'::jsonb) RETURNING id, created, txid;
"""
# What "append only, each row holds the hash of the one before" costs when writers must not fork it.
CHAIN_TABLES = """
CREATE TABLE chain_head (one boolean PRIMARY KEY, hash bytea NOT NULL);
INSERT INTO chain_head VALUES (true, sha256(''));
CREATE TABLE chain (
    id bigserial PRIMARY KEY, prev bytea NOT NULL, hash bytea NOT NULL, payload jsonb NOT NULL);
"""
CHAIN = f"""
BEGIN;
SELECT hash FROM chain_head WHERE one FOR UPDATE;
WITH new AS (
    INSERT INTO chain (prev, hash, payload)
        SELECT hash, sha256(hash || '{PAYLOAD}'::bytea), '{PAYLOAD}'::jsonb FROM chain_head WHERE one
        RETURNING hash)
UPDATE chain_head SET hash = new.hash FROM new;
COMMIT;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    results = Results("audit", quick=quick)
    with tempfile.TemporaryDirectory(prefix="byline-bench-") as scratch:
        os.environ["BYLINE_HOME"] = f"{scratch}/home"
        os.environ["DJANGO_SETTINGS_MODULE"] = "byline.platform.settings"
        subprocess.run([sys.executable, "-m", "byline.platform.cli", "setup"], check=True)
        import django

        django.setup()
        from byline.audit import kinds
        from byline.audit.base import conf
        from byline.platform.database import cluster

        kinds.register("bench.note", required={"stage": str, "sha256": str, "decision": str, "n": int})
        with cluster.running(conf.home()):
            _append(results, quick, Path(scratch))
            _python(results, quick)
            _sealing(results, quick, Path(scratch))
            _fsck(results, quick)
            _proofs(results, quick)
    results.show()


# ---------------------------------------------------------------- pgbench


def _connection() -> dict[str, str]:
    from django.db import connections

    values = connections["default"].settings_dict
    return {"host": values["HOST"], "port": str(values["PORT"] or ""), "name": values["NAME"]}


def _pgbench(script: Path, seconds: int, *, role: str, clients: int = 32, rate: int = 0) -> float:
    """Transactions per second. RuntimeError if any failed."""
    where = _connection()
    command = ["pgbench", "-n", "-f", script, "-c", str(clients), "-j", "2", "-T", str(seconds)]
    command += ["-M", "prepared", "-h", where["host"], "-U", role, *(["-R", str(rate)] if rate else [])]
    command += [*(["-p", where["port"]] if where["port"] else []), where["name"]]
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pgbench: {done.stderr[-500:]}")
    failed = re.search(r"failed transactions: (\d+)", done.stdout)
    if failed and int(failed[1]):
        raise RuntimeError(f"pgbench: {failed[0]}")
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])  # type: ignore[index]


def _append(results: Results, quick: bool, scratch: Path) -> None:
    metrics = ("append_per_s", "append_vs_chain")
    if not shutil.which("pgbench"):
        for name in metrics:
            results.add(name, None, note="pgbench is not installed (Debian: postgresql-contrib)")
        return
    from django.db import connection

    from byline.platform.database import location
    from byline.platform.database.roles import acting_as

    with acting_as("owner"), connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        synced = cursor.fetchone()[0]
        cursor.execute(CHAIN_TABLES)
    ours, chain = scratch / "append.sql", scratch / "chain.sql"
    ours.write_text(APPEND)
    chain.write_text(CHAIN)
    rounds, seconds = (1, 3) if quick else (3, 15)
    log, chained = [], []
    for _ in range(rounds):  # in turns, so that a noisy minute meets both
        log.append(_pgbench(ours, seconds, role=location.ROLES["app"]))
        chained.append(_pgbench(chain, seconds, role=location.ROLES["owner"]))
    ratios = [a / b for a, b in zip(log, chained, strict=True)]
    note = f"32 clients, {seconds} s a round, fsync {synced}"
    spread = {"n": rounds, "low": min(log), "high": max(log)}
    results.add(
        "append_per_s", statistics.median(log), baseline=statistics.median(chained), note=note, **spread
    )
    results.add(
        "append_vs_chain", statistics.median(ratios), n=rounds, low=min(ratios), high=max(ratios), note=note
    )


# ---------------------------------------------------------------- from Python


def _python(results: Results, quick: bool) -> None:
    from django.db import connection, transaction

    from byline.audit import log

    payload = json.loads(PAYLOAD)

    def append() -> None:
        log.append("bench.note", subject="request:bench", actor="system:bench", payload=payload)

    def busy() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")  # a transaction of the caller's own, which commits

    added, count = [], 200 if quick else 2000
    for _ in range(count):
        times = []
        for extra in (False, True):
            start = time.perf_counter()
            with transaction.atomic():
                busy()
                if extra:
                    append()
            times.append(time.perf_counter() - start)
        added.append((times[1] - times[0]) * 1000)
    cuts = statistics.quantiles(added, n=20)
    results.add(
        "append_added_ms_p95", cuts[18], n=count, low=cuts[0], high=max(added), note="to a transaction"
    )
    for batch in (1, 10, 100):
        total = max(batch, (300 if quick else 3000) // batch * batch)
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(total // batch):
            with transaction.atomic():
                for _ in range(batch):
                    append()
        seconds = time.perf_counter() - start
        spent = (time.process_time() - cpu) / total * 1e6
        note = f"one process, {spent:.0f} us CPU an entry in Python"
        results.add(
            f"python_append_per_s.batch{batch}",
            total / seconds,
            unit="entries/s",
            better="higher",
            n=total,
            note=note,
        )


# ---------------------------------------------------------------- the sealer


_LATENCY = """
    SELECT extract(epoch FROM (
        SELECT min(c.created) FROM byline_audit_checkpoint c WHERE c.size > s.index) - e.created)
    FROM byline_audit_entry e JOIN byline_audit_sealedleaf s ON s.entry_id = e.id
    WHERE e.id > %s AND e.id %% 7 = 0
"""


def _sealing(results: Results, quick: bool, scratch: Path) -> None:
    from django.db import connection

    from byline.audit import log, seal
    from byline.audit.models import Entry, SealedLeaf
    from byline.platform.database import location
    from byline.platform.database.roles import acting_as

    with acting_as("sealer"):
        waiting = Entry.objects.count() - SealedLeaf.objects.count()
        start = time.perf_counter()
        sealed = 0
        while made := seal.seal_pending(full_scan=sealed == 0):
            sealed += made
        rate = sealed / (time.perf_counter() - start)
    note = f"a backlog of {waiting}, batches of {seal.BATCH}, nothing else running"
    results.add("seal_max_entries_per_s", rate, n=sealed, note=note)
    script = scratch / "append.sql"
    if not shutil.which("pgbench"):
        results.add("seal_p95_s", None, note="pgbench is not installed")
        return
    kept = 0
    sealer = subprocess.Popen(
        [sys.executable, "-m", "django", "byline_sealer"], env={**os.environ, "BYLINE_DB_ROLE": "sealer"}
    )
    try:
        first = log.append("bench.note", subject="start", actor="system:bench", payload=json.loads(PAYLOAD))
        log.wait(first.pk, 60)  # the sealer's process is up
        for rate_wanted in (2000,) if quick else (2000, 4000, 6000, 8000, 12000):
            before = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
            got = _pgbench(
                script, 4 if quick else 15, role=location.ROLES["app"], clients=16, rate=rate_wanted
            )
            time.sleep(1.5)
            behind = Entry.objects.count() - SealedLeaf.objects.count()
            with connection.cursor() as cursor:
                cursor.execute(_LATENCY, [before])
                waits = sorted(float(row[0]) for row in cursor.fetchall() if row[0] is not None)
            p95 = waits[math.ceil(len(waits) * 0.95) - 1]
            if rate_wanted == 2000:
                results.add(
                    "seal_p95_s", p95, n=len(waits), low=waits[0], high=waits[-1],
                    note=f"append to signed checkpoint at {got:.0f} entries/s",
                )  # fmt: skip
            if behind or p95 > 1:
                break
            kept = got
        results.add(
            "seal_kept_up_per_s", kept, unit="entries/s", better="higher", n=1,
            note="highest offered rate with p95 under 1 s and nothing left over, writers on the same cores",
        )  # fmt: skip
    finally:
        sealer.terminate()
        sealer.wait()


def _fsck(results: Results, quick: bool) -> None:
    from byline.audit.fsck import fsck

    jobs = os.cpu_count() or 1
    for wanted, metric in ((jobs, "fsck_entries_per_s"), (1, "fsck_entries_per_s.one_process")):
        start = time.perf_counter()
        report = fsck(jobs=wanted)
        seconds = time.perf_counter() - start
        note = f"leaves re-derived from payloads, processes: {wanted}, their start included"
        results.add(
            metric, report.size / seconds, unit="entries/s", better="higher", n=report.size, note=note
        )
    _sizes(results, report.size)


def _sizes(results: Results, count: int) -> None:
    """Bytes on disk an entry, indexes included: what docs/scale.md multiplies."""
    from django.db import connection

    tables = {
        "entry": "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
        " WHERE inhparent = 'byline_audit_entry'::regclass",
        "leaf": "SELECT pg_total_relation_size('byline_audit_sealedleaf')",
        "tile": "SELECT pg_total_relation_size('byline_audit_tile')",
    }
    with connection.cursor() as cursor:
        for name, query in tables.items():
            cursor.execute(query)
            size = int(cursor.fetchone()[0]) / count
            results.add(f"bytes_per_entry.{name}", size, unit="bytes", n=count, note="table and indexes")


# ---------------------------------------------------------------- proofs


def _proofs(results: Results, quick: bool) -> None:
    """A tree of 10^7: only its tiles are needed, made from random leaves in place of the log's own."""
    import hashlib

    from django.db import connection

    from byline.audit import merkle, store
    from byline.audit.models import Tile
    from byline.platform.database.roles import acting_as

    size = 300_000 if quick else 10_000_000
    with acting_as("owner"), connection.cursor() as cursor:
        cursor.execute("SET byline.maintenance = 'owner'")
        cursor.execute("TRUNCATE byline_audit_tile, byline_audit_sealedleaf")
        row = [hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(size)]
        tail = row[size // 256 * 256 :]
        cursor.executemany(
            "INSERT INTO byline_audit_sealedleaf (index, entry_id, leaf_hash) VALUES (%s, %s, %s)",
            [(size // 256 * 256 + at, -1 - at, leaf) for at, leaf in enumerate(tail)],
        )
        level = 0
        while len(row) >= 256:
            parts = [row[at : at + 256] for at in range(0, len(row) - 255, 256)]
            roots = [merkle.complete_root(part) for part in parts]
            Tile.objects.bulk_create(
                (
                    Tile(level=level, index=at, hashes=b"".join(part), root=roots[at])
                    for at, part in enumerate(parts)
                ),
                batch_size=2000,
            )
            row, level = roots, level + 1
    root = store.root(size)
    dice, made, checked = random.Random(1), [], []
    for number in range(200 if quick else 2000):
        index = dice.randrange(size)
        leaf = hashlib.sha256(index.to_bytes(8, "big")).digest()
        start = time.perf_counter()
        path = store.inclusion_path(index, size)
        built = time.perf_counter()
        merkle.verify_inclusion(leaf, index, size, path, root)
        if number:  # the first one fills the cache of upper tiles
            made.append((built - start) * 1000)
            checked.append((time.perf_counter() - built) * 1000)
    note = f"random leaves of {size}, one process" + ("; the goal is for 10^7" if quick else "")
    results.add(
        "proof_build_ms_10m", statistics.median(made), n=len(made), **_spread(made), note=f"median; {note}"
    )
    results.add("proof_verify_ms", statistics.median(checked), n=len(checked), **_spread(checked), note=note)


def _spread(values: list[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(values, n=20)
    return {"low": cuts[0], "high": cuts[18]}


if __name__ == "__main__":
    main()
