"""Re-derive the whole log from its entries and compare everything that is stored and signed.

Promise: in one consistent snapshot, every leaf is computed anew from its entry's canonical bytes,
indices are dense, every tile, tree head and checkpoint follows from the leaves, every signature
verifies; the first thing that does not fit is named. With `known`, a checkpoint you kept elsewhere,
the log must extend it: this alone detects a history that was rewritten and signed again with the
log's own key, or cut off at the end. Left out: whether what was logged is true.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from byline.audit import merkle, mirror, store
from byline.audit.base import keyring
from byline.audit.base.errors import BylineError, InvalidInput
from byline.audit.checkpoint import Checkpoint as Head
from byline.audit.checkpoint import CheckpointInvalid, open_checkpoint
from byline.audit.models import Checkpoint, Entry, Tile, TreeHead
from byline.audit.tiles import WIDTH, split

_LEAVES = """
    SELECT s.index, s.entry_id, s.leaf_hash, e.id, e.kind, e.subject, e.actor, e.payload::text, e.created
    FROM byline_audit_sealedleaf s LEFT JOIN byline_audit_entry e ON e.id = s.entry_id
    ORDER BY s.index
"""
# What the last frontier vouches for; a frontier from another server (a loaded dump) says nothing here.
_SKIPPED = """
    SELECT min(e.id) FROM byline_audit_entry e
    WHERE e.txid < (SELECT frontier FROM byline_audit_treehead ORDER BY size DESC LIMIT 1)
      AND (SELECT frontier FROM byline_audit_treehead ORDER BY size DESC LIMIT 1)
          <= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      AND NOT EXISTS (SELECT 1 FROM byline_audit_sealedleaf s WHERE s.entry_id = e.id)
"""


class FsckFailed(BylineError):
    """The log is not what was sealed or signed. `index` and `entry` are the first bad ones, if one can
    be named: a changed root only tells between which checkpoints the change lies."""

    code = "audit_log_damaged"
    help = "Stop writing, keep the database as it is, and compare with a backup and your kept checkpoints."

    def __init__(self, message: str, *, index: int | None = None, entry: int | None = None) -> None:
        super().__init__(message)
        self.index = index
        self.entry = entry


@dataclass(frozen=True)
class FsckReport:
    """What was checked. `known` is the size of the checkpoint that was supplied, None without one."""

    origin: str
    size: int
    root: str
    waiting: int
    tiles: int
    checkpoints: int
    known: int | None

    def __str__(self) -> str:
        scope = (
            "internal consistency only: supply a checkpoint that you kept elsewhere to detect a rewritten log"
            if self.known is None
            else f"extends the checkpoint you supplied ({self.known} entries)"
        )
        return (
            f"log {self.origin}: {self.size} entries sealed, {self.waiting} waiting, {self.tiles} tiles and"
            f" {self.checkpoints} checkpoints agree, root {self.root}\n{scope}"
        )


def fsck(known: str | None = None) -> FsckReport:
    """Check everything. `known` is the text of a signed checkpoint of this log.

    FsckFailed for the first thing that does not fit; InvalidInput if `known` is no checkpoint of
    this log. Memory is bounded; time is linear in the log.
    """
    vkey = keyring.read("log_vkey").decode().strip()
    marks: list[tuple[Head, str]] = []
    if known is not None:
        try:
            marks.append((open_checkpoint(known, vkey), "the checkpoint you supplied"))
        except CheckpointInvalid as error:
            raise InvalidInput(f"the known checkpoint does not hold: {error}") from error
    if (kept := mirror.read()) is not None:
        marks.append((_opened(kept, vkey, str(mirror.path())), f"the checkpoint in {mirror.path()}"))
    with _snapshot():
        run = _Run(vkey, marks)
        for row in _rows():
            run.leaf(*row)
        run.finish()
        return FsckReport(
            origin=vkey.partition("+")[0],
            size=run.tree.size,
            root=run.tree.root().hex(),
            waiting=Entry.objects.count() - run.tree.size,
            tiles=run.tiles,
            checkpoints=run.checkpoints,
            known=marks[0][0].size if known is not None else None,
        )


def _opened(note: str, vkey: str, where: str) -> Head:
    try:
        return open_checkpoint(note, vkey)
    except CheckpointInvalid as error:
        raise FsckFailed(f"{where}: {error}") from error


@contextmanager
def _snapshot() -> Iterator[None]:
    """One view of all tables, while the sealer goes on. Inside a caller's transaction: theirs."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _rows() -> Iterator[tuple[Any, ...]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_LEAVES)
        while rows := cursor.fetchmany(2000):
            yield from rows


class _Run:
    """The walk through the leaves, with everything that has to agree at certain sizes."""

    def __init__(self, vkey: str, marks: list[tuple[Head, str]]) -> None:
        self.tree = merkle.CompactRange()
        self.tiles = self.checkpoints = 0
        self._vkey = vkey
        self._marks = sorted(marks, key=lambda mark: mark[0].size)
        self._agreed = 0  # the last size at which a root agreed
        self._sealed = 0  # the last size with a tree head: where the sealer goes on
        self._rows: list[list[bytes]] = [[]]  # the partial tile of each level
        self._heads = TreeHead.objects.order_by("size").iterator()
        self._signed = Checkpoint.objects.order_by("size").iterator()
        self._head = next(self._heads, None)
        self._checkpoint = next(self._signed, None)
        self._roots()

    def leaf(self, index: int, sealed: int, stored: bytes, pk: int | None, *columns: Any) -> None:
        """Take the next leaf: its place, the entry it names and its hash, then the entry as it is now."""
        if index != self.tree.size:
            raise FsckFailed(f"leaf {self.tree.size} is missing: next is {index}", index=self.tree.size)
        if pk is None:
            raise FsckFailed(f"entry {sealed} (leaf {index}) was deleted", index=index, entry=sealed)
        digest = store.leaf(pk, *columns)
        if digest != bytes(stored):
            raise FsckFailed(
                f"entry {pk} (leaf {index}) is not what was sealed: one of them was changed",
                index=index,
                entry=pk,
            )
        self.tree.append(digest)
        self._tile(0, digest)
        self._roots()

    def _tile(self, level: int, digest: bytes) -> None:
        """Add a hash to its tile; a full tile must be stored exactly so, and its root goes one level up."""
        if level == len(self._rows):
            self._rows.append([])
        row = self._rows[level]
        row.append(digest)
        if len(row) < WIDTH:
            return
        index = (self.tree.size >> (8 * (level + 1))) - 1
        stored = Tile.objects.filter(level=level, index=index).values_list("hashes", "root").first()
        if stored is None:
            raise FsckFailed(f"tile {level}/{index} is missing")
        for at, (ours, theirs) in enumerate(zip(row, split(bytes(stored[0])), strict=False)):
            if ours != theirs:
                first = (index * WIDTH + at) << (8 * level)
                raise FsckFailed(f"tile {level}/{index} differs from the leaves at {first}", index=first)
        root = merkle.root_of(row)
        if len(stored[0]) != WIDTH * merkle.HASH_SIZE or bytes(stored[1]) != root:
            raise FsckFailed(f"tile {level}/{index} has another length or root than its hashes")
        self.tiles += 1
        row.clear()
        self._tile(level + 1, root)

    def _roots(self) -> None:
        """Compare all that claims to know the root of the tree as large as it is now."""
        size = self.tree.size
        while self._head and self._head.size <= size:
            self._agree(self._head.size, bytes(self._head.root), f"the tree head of size {self._head.size}")
            self._sealed = self._head.size
            self._head = next(self._heads, None)
        while self._checkpoint and self._checkpoint.size <= size:
            row, label = self._checkpoint, f"the checkpoint of size {self._checkpoint.size}"
            body = _opened(row.note, self._vkey, label)
            if (body.size, body.root) != (row.size, bytes(row.root)):
                raise FsckFailed(f"{label} is stored beside another size or root than was signed")
            self._agree(row.size, body.root, label)
            self.checkpoints += 1
            self._checkpoint = next(self._signed, None)
        while self._marks and self._marks[0][0].size <= size:
            head, label = self._marks.pop(0)
            self._agree(head.size, head.root, label)

    def _agree(self, size: int, root: bytes, label: str) -> None:
        if size != self.tree.size or root != self.tree.root():
            raise FsckFailed(
                f"{label} has another root: entries from leaf {self._agreed} on were changed, added,"
                " dropped or reordered",
                index=self._agreed,
            )
        self._agreed = size

    def finish(self) -> None:
        """After the last leaf: nothing may claim more than there is, nothing may be left over."""
        size = self.tree.size
        beyond = [(head.size, label) for head, label in self._marks]
        beyond += [(self._checkpoint.size, "a checkpoint")] if self._checkpoint else []
        beyond += [(self._head.size, "a tree head")] if self._head else []
        if beyond:
            claimed, label = beyond[0]
            raise FsckFailed(
                f"the log ends after {size} entries, but {label} covers {claimed}: the end was cut off",
                index=size,
            )
        if self._sealed != size:
            raise FsckFailed(f"leaves from {self._sealed} on belong to no tree head", index=self._sealed)
        if Tile.objects.count() != self.tiles:
            raise FsckFailed("there are tiles that no leaves lead to")
        with connection.cursor() as cursor:
            cursor.execute(_SKIPPED)
            (skipped,) = cursor.fetchone()
        if skipped is not None:
            raise FsckFailed(
                f"entry {skipped} has lost its leaf, or was inserted past the log", entry=skipped
            )
