"""Who may work on a request: an atomic claim, a heartbeat that keeps it, a fence that ends it.

One UPDATE claims; the heartbeat thread renews the lease, writes progress at most twice a second
and learns of a cancellation. `attempt` is the fencing token: `lock` finds the row only for the
attempt that still holds it, so a worker that slept through its lease writes nothing. All times
are the database's clock, so workers need not agree on theirs.
"""

import contextlib
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError, connection

from byline.audit.base import conf
from byline.audit.base.errors import BylineError
from byline.generation.models import GenerationRequest
from byline.generation.states import CLAIM

logger = logging.getLogger(__name__)

TICK_S = 0.5  # progress is written at most this often

_CLAIM = """
update byline_generation_generationrequest set
    state = %(moves)s::jsonb ->> state,
    lease_owner = %(owner)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
    heartbeat_at = clock_timestamp(),
    updated_at = clock_timestamp(),
    attempt = attempt + 1,
    retries = retries + (lease_until is not null)::int,
    wakes = 0
where id = %(id)s and %(moves)s::jsonb ? state
    and (lease_until is null or lease_until < clock_timestamp())
returning attempt
"""
_RENEW = """
update byline_generation_generationrequest set
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
    heartbeat_at = clock_timestamp(),
    progress = coalesce(%(progress)s, progress),
    stage = coalesce(%(stage)s, stage),
    message = coalesce(%(message)s, message)
where id = %(id)s and attempt = %(attempt)s and lease_owner = %(owner)s
returning cancel_requested_at is not null
"""


class LeaseLost(BylineError):
    """Another worker has the request, or nobody: this one must stop and write nothing."""

    code = "lease_lost"


class Cancelled(BylineError):
    """Somebody asked for the request to stop."""

    code = "cancelled"


def claim(request_id: uuid.UUID, queue: str) -> "Lease | None":
    """Claim the request for a worker of this queue. None when it is held by a living lease, waits
    for the other queue or is at rest."""
    owner = f"{socket.gethostname()[:60]}/{uuid.uuid4().hex[:12]}"
    moves = "{" + ", ".join(f'"{a}": "{b}"' for a, b in CLAIM[queue].items()) + "}"
    asked_at = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM, {"moves": moves, "owner": owner, "lease": conf.get("LEASE_S"), "id": request_id}
        )
        found = cursor.fetchone()
    return Lease(request_id, owner, found[0], asked_at) if found else None


class Lease:
    """A claimed request, held by this process while `kept()` is open."""

    def __init__(self, request_id: uuid.UUID, owner: str, attempt: int, renewed_at: float) -> None:
        self.request_id, self.owner, self.attempt = request_id, owner, attempt
        self._lease_s = float(conf.get("LEASE_S"))
        self._heartbeat_s = float(conf.get("HEARTBEAT_S"))
        self._renewed_at = renewed_at  # our clock, before the claim was sent: never too late
        self._lost = self._cancelled = False
        self._note: tuple[float, str, str] | None = None
        self._stop = threading.Event()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lease in the background until the block ends."""
        thread = threading.Thread(target=self._beat_until_stopped, name="byline-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def note(self, progress: float, stage: str, message: str) -> None:
        """Remember progress for the next heartbeat; costs nothing, call it as often as you like."""
        self._note = (min(max(progress, 0.0), 1.0), stage[:32], message[:200])

    def check(self) -> None:
        """Raise Cancelled or LeaseLost. No query: the heartbeat keeps the answer."""
        if self._lost or time.monotonic() > self._renewed_at + self._lease_s:
            raise LeaseLost("this worker no longer holds the request")
        if self._cancelled:
            raise Cancelled("the request was cancelled")

    def lock(self) -> GenerationRequest:
        """The row, locked until the transaction ends. LeaseLost when this attempt no longer holds it."""
        row = (
            GenerationRequest.objects.select_for_update()
            .filter(pk=self.request_id, attempt=self.attempt, lease_owner=self.owner)
            .first()
        )
        if row is None:
            self._lost = True
            raise LeaseLost("another worker has taken the request over")
        return row

    def _beat_until_stopped(self) -> None:
        tick = min(TICK_S, self._heartbeat_s)
        try:
            while not self._stop.wait(tick) and not self._lost:
                due = time.monotonic() >= self._renewed_at + self._heartbeat_s
                if self._note or due:
                    self._beat()
        finally:
            connection.close()  # this thread's own

    def _beat(self) -> None:
        note, self._note = self._note, None
        progress, stage, message = note or (None, None, None)
        sent_at = time.monotonic()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    _RENEW,
                    {
                        "lease": self._lease_s,
                        "progress": progress,
                        "stage": stage,
                        "message": message,
                        "id": self.request_id,
                        "attempt": self.attempt,
                        "owner": self.owner,
                    },
                )
                found = cursor.fetchone()
        except (OperationalError, InterfaceError) as error:
            # The lease runs on; `check` ends the work when it has run out.
            logger.warning("heartbeat of %s failed: %s", self.request_id, type(error).__name__)
            connection.close()
            return
        if found is None:
            self._lost = True
            return
        self._renewed_at = sent_at
        self._cancelled = self._cancelled or found[0]
