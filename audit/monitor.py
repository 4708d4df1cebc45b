"""Follow a log from outside: does each new checkpoint extend the last one that we saw?

Promise: `follow` needs only the log's verifier key, the last checkpoint and a way to fetch
addresses (HTTP, a directory, anything), and names what went wrong: a smaller tree (rollback),
another tree of the same or a larger size (split view), hashes or entries that the log cannot
produce (truncation). With `deep` every entry is fetched and hashed again. `prove` makes the
inclusion proof of a leaf from tiles alone. No Django, no network of its own.
Left out: asking others what they saw; `compare` judges a checkpoint that they give you.
"""

from collections.abc import Callable, Iterator

from byline.audit import merkle, tiles
from byline.audit.checkpoint import Checkpoint, CheckpointInvalid, open_checkpoint

Fetch = Callable[[str], bytes]  # "checkpoint" or "tile/..." -> bytes; LookupError where there is nothing


class MonitorAlarm(Exception):
    """The log is not what it claims to be. `what` is one word for machines, str(error) a sentence."""

    what = "alarm"


class RolledBack(MonitorAlarm):
    what = "rollback"


class SplitView(MonitorAlarm):
    what = "split-view"


class Truncated(MonitorAlarm):
    what = "truncated"


class BadSignature(MonitorAlarm):
    what = "signature"


def follow(known: str | None, fetch: Fetch, vkey: str, *, deep: bool = False) -> str:
    """The log's newest checkpoint, once it is shown to extend `known` (None: the first look).

    Keep the result and pass it the next time. Raises MonitorAlarm; keep the old checkpoint then, and
    both notes: two signed notes that contradict each other are the evidence.
    """
    note = _text(fetch, "checkpoint")
    now = _opened(note, vkey, "the log's checkpoint")
    before = _opened(known, vkey, "the checkpoint you kept") if known else None
    if before and now.size < before.size:
        raise RolledBack(f"the log has {now.size} entries; it had {before.size} when you looked last")
    _same_tree(before or Checkpoint(now.origin, 0, merkle.EMPTY_ROOT), now, fetch)
    if deep:
        tree = merkle.CompactRange(merkle.leaf_hash(data) for data in replay(fetch, now.size))
        if tree.root() != now.root:
            raise SplitView("the entries that the log shows are not those that it signed")
    return note


def compare(theirs: str, ours: str, fetch: Fetch, vkey: str) -> None:
    """MonitorAlarm unless two checkpoints of one log, `ours` its newest, belong to one history."""
    other, newest = _opened(theirs, vkey, "the other checkpoint"), _opened(ours, vkey, "the log's checkpoint")
    if other.size > newest.size:
        raise RolledBack(f"somebody else was shown {other.size} entries, the log shows {newest.size}")
    _same_tree(other, newest, fetch)


def replay(fetch: Fetch, size: int, first: int = 0) -> Iterator[bytes]:
    """Canonical bytes of the leaves from `first` (a multiple of 256) on. Truncated where one is missing."""
    for index in range(first // tiles.WIDTH, -(-size // tiles.WIDTH)):
        width = min(tiles.WIDTH, size - index * tiles.WIDTH)
        bundle = tiles.unpack(tile(fetch, tiles.ENTRIES, index, width))
        if len(bundle) < width:
            raise Truncated(f"the bundle of entries from {index * tiles.WIDTH} on is too short")
        yield from bundle[:width]


def prove(index: int, fetch: Fetch, vkey: str) -> tuple[list[bytes], Checkpoint, str]:
    """(inclusion path, checkpoint, its note) of a leaf, from tiles. The path is proven by its user."""
    note = _text(fetch, "checkpoint")
    head = _opened(note, vkey, "the log's checkpoint")
    return merkle.inclusion_path(index, head.size, _nodes(fetch, head.size)), head, note


def _same_tree(old: Checkpoint, new: Checkpoint, fetch: Fetch) -> None:
    if old.size == new.size:
        if old.root != new.root:
            raise SplitView(f"two signed trees of {new.size} entries have different roots")
        return
    try:
        nodes = _nodes(fetch, new.size)
        if merkle.root(new.size, nodes) != new.root:
            raise SplitView("the log's tiles do not lead to the root that it signed")
        path = merkle.consistency_path(old.size, new.size, nodes)
        merkle.verify_consistency(old.size, new.size, old.root, new.root, path)
    except merkle.MerkleError as error:
        raise SplitView(f"the tree of {new.size} does not extend that of {old.size}: {error}") from error


def _nodes(fetch: Fetch, size: int) -> tiles.TileNodes:
    return tiles.TileNodes(size, lambda level, index, width: tile(fetch, level, index, width))


def tile(fetch: Fetch, level: int | str, index: int, width: int) -> bytes:
    """A tile, or the beginning of the full one where the partial one is gone (C2SP tlog-tiles)."""
    keep = None if level == tiles.ENTRIES else width * merkle.HASH_SIZE
    for offered in dict.fromkeys((width, tiles.WIDTH)):
        try:
            return fetch(tiles.path(level, index, offered))[:keep]
        except LookupError:
            continue
    raise Truncated(
        f"the log signed a tree that needs {tiles.path(level, index, width)} and does not have it"
    )


def _text(fetch: Fetch, address: str) -> str:
    try:
        return fetch(address).decode("utf-8", errors="replace")
    except LookupError as error:
        raise Truncated("the log shows no checkpoint") from error


def _opened(note: str, vkey: str, which: str) -> Checkpoint:
    try:
        return open_checkpoint(note, vkey)
    except CheckpointInvalid as error:
        raise BadSignature(f"{which} does not hold: {error}") from error
