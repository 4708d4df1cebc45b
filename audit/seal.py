"""The sealer: gives committed entries their place in the tree and signs what is committed.

Promise: each entry is sealed once, at a dense index, however late its transaction commits; leaves,
tiles and tree head are committed before the head is signed; no checkpoint is signed that does not
extend the one before it, in the database or in the file beside it. Two steps, each one transaction
under one advisory lock, each safe to repeat: a kill -9 anywhere loses nothing and forks nothing,
and a second sealer only takes turns with the first.
Left out: witness cosignatures; waking on NOTIFY (it would serialise the writers' commits, so the
sealer polls every SEAL_INTERVAL_S instead).
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from byline.audit import leaves, merkle, mirror, store, tiles
from byline.audit.base import conf, keyring
from byline.audit.base.errors import ConfigurationError
from byline.audit.checkpoint import Checkpoint as Head
from byline.audit.checkpoint import CheckpointInvalid, open_checkpoint, sign, vkey_for
from byline.audit.log import LogDamaged
from byline.audit.models import Checkpoint, Tile, TreeHead

logger = logging.getLogger(__name__)

BATCH = 4096
LOCK = 0x62796C696E650001  # "byline" and 1: the advisory lock that makes sealers take turns
RETRY_S = 1.0

# An entry becomes visible when its transaction commits, perhaps long after later ones: so neither id
# nor txid is a watermark. All transactions before `frontier` had ended when it was recorded and what
# they wrote is sealed; from there on, whatever is visible and has no leaf yet is due.
_DUE = f"""
    SELECT {leaves.COLUMNS}, e.txid
    FROM byline_audit_entry e
    WHERE e.txid >= %s
      AND NOT EXISTS (SELECT 1 FROM byline_audit_sealedleaf s WHERE s.entry_id = e.id)
    ORDER BY e.txid, e.id LIMIT %s
"""  # noqa: S608  constants only
_HORIZON = """
    SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint
    FROM pg_current_snapshot() AS now
"""
_LEAVES = """
    INSERT INTO byline_audit_sealedleaf (index, entry_id, leaf_hash)
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bytea[])
"""


class LogRolledBack(LogDamaged):
    """The database is behind, or beside, what this installation has already signed."""

    code = "audit_log_rolled_back"
    help = (
        "The database was restored from an older backup. Restore a newer one; if the lost entries are"
        " gone for good, start a new log: a new LOG_ORIGIN and a new log key."
    )


def seal_pending(limit: int = BATCH, *, full_scan: bool = False) -> int:
    """Seal at most `limit` due entries and sign the new head. Returns how many were sealed; 0 also
    when another sealer has its turn.

    `full_scan` looks at all entries, not only recent ones: once per start, because transaction ids
    begin anew when a dump is loaded into another server. Needs the sealer's role and the log key;
    LogDamaged or LogRolledBack when signing would contradict what was signed.
    """
    sealed = _integrate(limit, full_scan)
    _publish()
    return sealed


def run(should_stop: Callable[[], bool]) -> None:
    """Seal until `should_stop()`, asked at least ten times a second. A lost database connection is
    retried; ConfigurationError, LogDamaged and LogRolledBack end it."""
    check_identity()
    interval = float(conf.get("SEAL_INTERVAL_S"))
    first = True
    while not should_stop():
        try:
            if first:
                _publish()  # signs what a crash left unsigned; refuses before a restored backup grows
            sealed = seal_pending(full_scan=first)
            first = first and sealed == BATCH
            pause = 0.0 if sealed == BATCH else interval
        except (OperationalError, InterfaceError) as error:
            logger.warning("The sealer lost its database, trying again: %s", type(error).__name__)
            connection.close()
            first, pause = True, RETRY_S  # it may come back as something else
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0 and not should_stop():
            time.sleep(min(left, 0.1))


def check_identity() -> str:
    """The log's verifier key. ConfigurationError if origin, signing key and published key disagree."""
    vkey = vkey_for(conf.get("LOG_ORIGIN"), keyring.read("log"))
    if keyring.read("log_vkey").decode().strip() != vkey:
        raise ConfigurationError(
            "the published log key is not that of LOG_ORIGIN and the signing key",
            help="A log keeps its name and key for life: undo the change of LOG_ORIGIN or of the keys.",
        )
    return vkey


def _locked(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
    return bool(cursor.fetchone()[0])


def _integrate(limit: int, full_scan: bool) -> int:
    """Step one: leaves, tiles and tree head of one batch, in one transaction."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        if not _locked(cursor):
            return 0
        # A signature must never outlive what it signs, whatever the session's default.
        cursor.execute("SET LOCAL synchronous_commit = on")
        head = TreeHead.objects.order_by("-size").first()
        size, frontier = (head.size, head.frontier) if head else (0, 0)
        cursor.execute(_HORIZON)  # before the entries are read: whatever ended by now will be seen
        oldest_running, next_txid = cursor.fetchone()
        if full_scan or frontier > next_txid:  # the latter: restored into a younger server
            frontier = 0
        cursor.execute(_DUE, [frontier, limit])
        rows = cursor.fetchall()
        if not rows:
            return 0
        hashes = [leaves.leaf(*row[:6]) for row in rows]
        cursor.execute(_LEAVES, [list(range(size, size + len(rows))), [row[0] for row in rows], hashes])
        grown = tiles.grow(size, hashes, store.fetch)
        Tile.objects.bulk_create(
            Tile(level=tile.level, index=tile.index, hashes=tile.hashes, root=tile.root) for tile in grown
        )
        size += len(rows)
        # A full batch may have left older entries behind it unread: go no further than its last one.
        seen = min(oldest_running, rows[-1][6]) if len(rows) == limit else oldest_running
        TreeHead.objects.create(size=size, root=store.root(size), frontier=max(seen, frontier))
        return len(rows)


def _publish() -> None:
    """Step two: sign the newest committed head, keep it in the file, then in the database."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        if not _locked(cursor):
            return
        head = TreeHead.objects.order_by("-size").first()
        last = Checkpoint.objects.order_by("-size").first()
        kept = mirror.read()
        size = head.size if head else 0
        if (last.size, last.note) == (size, kept) if last else not (head or kept):
            return
        private = keyring.read("log")
        origin = conf.get("LOG_ORIGIN")
        signed = {(last.size, bytes(last.root))} if last else set()
        if kept is not None:
            signed.add(_open_kept(kept, vkey_for(origin, private)))
        root = _extend(signed, size)
        if head and root != bytes(head.root):
            raise LogDamaged(f"the stored hashes do not lead to the tree head of size {size}")
        note = sign(Head(origin, size, root), private)
        mirror.write(note)
        if last is None or last.size != size:
            Checkpoint.objects.create(size=size, root=root, note=note)


def _open_kept(note: str, vkey: str) -> tuple[int, bytes]:
    """Size and root of the checkpoint in the file beside the database."""
    try:
        known = open_checkpoint(note, vkey)
    except CheckpointInvalid as error:
        raise LogRolledBack(f"{mirror.path()} is no checkpoint of this log: {error}") from error
    return known.size, known.root


def _extend(signed: set[tuple[int, bytes]], size: int) -> bytes:
    """The root at `size`. LogRolledBack unless that tree extends every signed (size, root)."""
    try:
        for old, old_root in signed:
            if old > size:
                raise LogRolledBack(f"{old} entries were signed, the database knows only {size}")
            if store.root(old) != old_root:
                raise LogRolledBack(f"the tree is not the one whose first {old} entries were signed")
        return store.root(size)
    except merkle.MerkleError as error:
        raise LogDamaged(f"the stored tree has gaps: {error}") from error
