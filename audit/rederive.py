"""All leaves of the log, derived anew in order: by this process, or by several on one snapshot.

Promise: the result is the same however many processes work, since each reads the very snapshot of
the caller's transaction and ranges come back in order; at most a few ranges are held at a time.
Imports nothing of Django's, which the processes do without.
Left out: what the leaves add up to (fsck.py).
"""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import psycopg
from psycopg import sql

from byline.audit import leaves
from byline.audit.tiles import WIDTH

RANGE = 32 * WIDTH
WORTHWHILE = 16 * RANGE  # leaves; below, starting processes costs more than they save
_ADDRESS = ("dbname", "user", "password", "host", "port", "service", "passfile", "sslmode", "sslrootcert")

_session: psycopg.Connection[Any] | None = None  # of a worker process


def everything(connection: Any, size: int, jobs: int) -> Iterator[leaves.Derived]:
    """The first `size` leaves, in ranges. `connection` is Django's, inside a transaction that reads
    one snapshot. `jobs` processes share the work if the log is long enough for it.
    """
    ranges = [(first, min(first + RANGE, size)) for first in range(0, size, RANGE)]
    if jobs > 1 and size >= WORTHWHILE:
        yield from _shared(connection, ranges, jobs)
        return
    with connection.cursor() as cursor:
        for first, end in ranges:
            yield leaves.derive(cursor, first, end)


def _shared(connection: Any, ranges: list[tuple[int, int]], jobs: int) -> Iterator[leaves.Derived]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
    parameters = connection.get_connection_params()
    where = {name: parameters[name] for name in _ADDRESS if parameters.get(name)}
    # Spawned, not forked: a fork would share this process's connection and its threads' locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _attach, (where, snapshot)) as pool:
        ahead: deque[Future[leaves.Derived]] = deque()
        for first, end in ranges:
            ahead.append(pool.submit(_derive, first, end))
            if len(ahead) > 2 * jobs:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _attach(where: dict[str, Any], snapshot: str) -> None:
    global _session
    _session = psycopg.connect(**where)
    _session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    _session.read_only = True
    _session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))


def _derive(first: int, end: int) -> leaves.Derived:
    assert _session is not None
    with _session.cursor() as cursor:
        return leaves.derive(cursor, first, end)
