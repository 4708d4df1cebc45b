"""Re-derive the whole log from its entries and compare everything that is stored and signed.

Promise: in one consistent snapshot, every leaf is computed anew from its entry's canonical bytes,
indices are dense, every tile, tree head and checkpoint follows from the leaves, every signature
verifies; the first thing that does not fit is named. With `known`, a checkpoint you kept elsewhere,
the log must extend it: this alone detects a history that was rewritten and signed again with the
log's own key, or cut off at the end. Entries that were retired are compared with the archive when
one is given, and said to be unchecked otherwise. A clock that went back is reported, not refused:
the order is the tree's, the times are only the database's word.
Left out: whether what was logged is true.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Max

from byline.audit import leaves, merkle, mirror, monitor, rederive, tiles
from byline.audit.base import keyring
from byline.audit.base.errors import BylineError, InvalidInput
from byline.audit.checkpoint import Checkpoint as Head
from byline.audit.checkpoint import CheckpointInvalid, open_checkpoint
from byline.audit.models import Checkpoint, Entry, SealedLeaf, Tile, TreeHead
from byline.audit.tiles import WIDTH

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
    retired: int = 0
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        scope = (
            "internal consistency only: supply a checkpoint that you kept elsewhere to detect a rewritten log"
            if self.known is None
            else f"extends the checkpoint you supplied ({self.known} entries)"
        )
        return (
            f"log {self.origin}: {self.size} entries sealed, {self.waiting} waiting, {self.tiles} tiles and"
            f" {self.checkpoints} checkpoints agree, root {self.root}\n{scope}"
            + "".join(f"\nwarning: {warning}" for warning in self.warnings)
        )


def fsck(known: str | None = None, archive: monitor.Fetch | None = None, jobs: int = 1) -> FsckReport:
    """Check everything. `known` is the text of a signed checkpoint of this log, `archive` where the
    bundles of retired entries are, `jobs` how many processes may derive leaves (with more
    than one, the caller's main module must be importable without effects, as multiprocessing says).

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
        run = _Run(vkey, marks, _Retired(archive))
        last = SealedLeaf.objects.aggregate(last=Max("index"))["last"]
        for derived in rederive.everything(connection, 0 if last is None else last + 1, jobs):
            run.take(derived)
        run.finish()
        return FsckReport(
            origin=vkey.partition("+")[0],
            size=run.tree.size,
            root=run.tree.root().hex(),
            waiting=Entry.objects.count() + run.retired.seen - run.tree.size,
            tiles=run.tiles,
            checkpoints=run.checkpoints,
            known=marks[0][0].size if known is not None else None,
            retired=run.retired.seen,
            warnings=tuple(run.warnings()),
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


class _Retired:
    """Which leaves' entries may be gone, by the log's own word, and what the archive has of them."""

    def __init__(self, archive: monitor.Fetch | None) -> None:
        payloads = Entry.objects.filter(kind="audit.retired").values_list("payload", flat=True)
        self._ranges = [(first, last) for payload in payloads for first, last in payload["ranges"]]
        self._archive = archive
        self._bundle: tuple[int, list[bytes]] = (-1, [])
        self.seen = 0

    def check(self, index: int, entry: int, stored: bytes) -> None:
        """FsckFailed unless the entry may be gone and the archive, if there is one, has it as sealed."""
        if not any(first <= index <= last for first, last in self._ranges):
            raise FsckFailed(f"entry {entry} (leaf {index}) was deleted", index=index, entry=entry)
        self.seen += 1
        if self._archive is None:
            return
        number, at = divmod(index, WIDTH)
        try:
            if self._bundle[0] != number:
                self._bundle = number, tiles.unpack(self._archive(tiles.path(tiles.ENTRIES, number)))
            if merkle.leaf_hash(self._bundle[1][at]) == stored:
                return
        except (LookupError, merkle.MerkleError):
            pass
        raise FsckFailed(
            f"retired entry {entry} (leaf {index}) is not in the archive as it was sealed",
            index=index,
            entry=entry,
        )

    def warning(self) -> str:
        if self._archive is None and self.seen:
            return f"{self.seen} retired entries were not checked: their bundles are in the archive"
        return ""


@dataclass
class _Clock:
    """Whether the entries' times go with their order, within what open transactions explain."""

    newest: str = ""
    back: tuple[str, int] | None = None  # the first only

    def take(self, derived: leaves.Derived) -> None:
        if derived.oldest is None or derived.newest is None:
            return
        if self.back is None:
            slack = leaves.CLOCK_SLACK
            behind = self.newest and leaves.moment(self.newest) - leaves.moment(derived.oldest[0]) > slack
            self.back = derived.oldest if behind else derived.back
        self.newest = max(self.newest, derived.newest[0])

    def warning(self) -> str:
        if self.back is None:
            return ""
        created, index = self.back
        return f"the clock went back: leaf {index} says {created[:19].replace('T', ' ')} after a later time"


class _Run:
    """The walk through the leaves, with everything that has to agree at certain sizes."""

    def __init__(self, vkey: str, marks: list[tuple[Head, str]], retired: _Retired) -> None:
        self.tree = merkle.CompactRange()
        self.retired = retired
        self._clock = _Clock()
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

    def warnings(self) -> list[str]:
        """What somebody should look at, though the log holds."""
        return [text for text in (self._clock.warning(), self.retired.warning()) if text]

    def take(self, derived: leaves.Derived) -> None:
        """Take the next leaves, then what is wrong with the one after them."""
        for leaf in derived.gone:
            self.retired.check(*leaf)
        self._clock.take(derived)
        row = tiles.split(derived.hashes)
        for at in range(0, len(row), WIDTH):
            part = row[at : at + WIDTH]
            if (
                len(part) == WIDTH
                and self.tree.size % WIDTH == 0
                and self._next_root() >= self.tree.size + WIDTH
            ):
                root = merkle.complete_root(part)
                self.tree.append(root, tiles.HEIGHT)
                self._full(0, part, root)
                self._roots()
            else:
                for digest in part:
                    self.tree.append(digest)
                    self._tile(0, digest)
                    self._roots()
        if derived.bad is None:
            return
        index, entry = derived.bad
        if entry is None:
            raise FsckFailed(f"leaf {index} is missing", index=index)
        raise FsckFailed(
            f"entry {entry} (leaf {index}) is not what was sealed: one of them was changed",
            index=index,
            entry=entry,
        )

    def _tile(self, level: int, digest: bytes) -> None:
        """Add a hash to its tile."""
        if level == len(self._rows):
            self._rows.append([])
        row = self._rows[level]
        row.append(digest)
        if len(row) == WIDTH:
            self._full(level, row, merkle.complete_root(row))
            row.clear()

    def _full(self, level: int, row: list[bytes], root: bytes) -> None:
        """A full tile must be stored exactly so, and its root goes one level up."""
        index = (self.tree.size >> (tiles.HEIGHT * (level + 1))) - 1
        stored = Tile.objects.filter(level=level, index=index).values_list("hashes", "root").first()
        if stored is None:
            raise FsckFailed(f"tile {level}/{index} is missing")
        for at, (ours, theirs) in enumerate(zip(row, tiles.split(bytes(stored[0])), strict=False)):
            if ours != theirs:
                first = (index * WIDTH + at) << (tiles.HEIGHT * level)
                raise FsckFailed(f"tile {level}/{index} differs from the leaves at {first}", index=first)
        if len(stored[0]) != WIDTH * merkle.HASH_SIZE or bytes(stored[1]) != root:
            raise FsckFailed(f"tile {level}/{index} has another length or root than its hashes")
        self.tiles += 1
        self._tile(level + 1, root)

    def _next_root(self) -> float:
        """The smallest size at which some root is claimed."""
        claims = [claim.size for claim in (self._head, self._checkpoint) if claim]
        claims += [head.size for head, _ in self._marks[:1]]
        return min(claims, default=math.inf)

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
