"""Wakes requests that nobody works on: a worker died, or the message that should have woken one
was lost. Also removes files of ended requests that a killed worker left.

It changes no state: it sends ids again and lets the claim decide. A request that waits long is
woken after SWEEP_S, then twice, four times... as long, so a full queue is not flooded. Several
sweepers share the work (SKIP LOCKED).
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection

from byline.audit.base import conf
from byline.generation import states, store
from byline.generation.films import kept
from byline.generation.films.rows import Film
from byline.generation.inputs import service as uploads
from byline.generation.models import GenerationRequest
from byline.generation.renditions import kept as shots_kept
from byline.generation.runner import Wake
from byline.generation.wake import wake

logger = logging.getLogger(__name__)

MAX_BACKOFF = 6  # at most 2**6 sweeps between two messages about a waiting request
ORPHAN_AGE_S = 3600.0  # longer than any worker needs between storing a file and committing its row
ORPHAN_SPAN_S = 7 * 86400.0  # older files have been looked at often enough

_DUE = """
update byline_generation_generationrequest set woken_at = clock_timestamp(), wakes = wakes + 1
where id in (
    select id from byline_generation_generationrequest
    where state = any(%(states)s) and (
        lease_until < clock_timestamp()
        or (lease_until is null
            and greatest(updated_at, woken_at)
                < clock_timestamp() - make_interval(secs => %(sweep)s * power(2, least(wakes, %(backoff)s))))
    )
    and (woken_at is null or woken_at < clock_timestamp() - make_interval(secs => %(sweep)s))
    for update skip locked
)
returning id, state
"""


def sweep(wake_worker: Wake = wake) -> int:
    """Wake what needs waking, once. Returns how many messages were sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DUE,
            {
                "states": [state.value for state in states.ACTIVE],
                "sweep": float(conf.get("SWEEP_S")),
                "backoff": MAX_BACKOFF,
            },
        )
        due: list[tuple[uuid.UUID, str]] = cursor.fetchall()
    for request_id, state in due:
        wake_worker(request_id, states.queue_of(state) or "light")
    return len(due)


def tidy() -> int:
    """Remove work directories of requests that are ready, ended or gone, stored files that no row
    names, and kept shots of films that nobody used for long. Returns how many were removed."""
    removed = 0
    for request_id in store.work_ids():
        state = GenerationRequest.objects.filter(pk=request_id).values_list("state", flat=True).first()
        if state is None or state in states.TERMINAL | {states.State.READY}:
            store.discard_work(request_id)
            removed += 1
    now = time.time()
    for sha256, path in store.written_between(now - ORPHAN_SPAN_S, now - ORPHAN_AGE_S):
        if not GenerationRequest.objects.filter(file_sha256=sha256).exclude(file_sha256="").exists():
            path.unlink(missing_ok=True)
            removed += 1
    return removed + kept.tidy(lambda film: Film.objects.filter(pk=film).exists())


_chores: list[Callable[[], object]] = [sweep, tidy, uploads.expire, shots_kept.tidy]
_stop = threading.Event()
_thread: threading.Thread | None = None


def also(chore: Callable[[], object]) -> None:
    """Run `chore` in every round, after the sweeper's own; it should be short. Idempotent."""
    if chore not in _chores:
        _chores.append(chore)


def start() -> None:
    """Sweep every SWEEP_S seconds in a thread of this process, from now on. Idempotent."""
    global _thread
    if _thread is None or not _thread.is_alive():
        _stop.clear()
        _thread = threading.Thread(target=_run, name="byline-sweeper", daemon=True)
        _thread.start()


def stop() -> None:
    """Stop the thread and wait for its current round."""
    _stop.set()
    if _thread is not None:
        _thread.join(timeout=10)


def _run() -> None:
    while not _stop.is_set():
        try:
            for chore in _chores:
                chore()
        except (OperationalError, InterfaceError, OSError) as error:
            logger.warning("sweep failed (%s), trying again", type(error).__name__)
        finally:
            connection.close()
        _stop.wait(float(conf.get("SWEEP_S")))
