"""From a stored entry to the bytes of its leaf: the one way, for sealing, serving and checking alike.

Promise: the bytes are the canonical JSON of the entry's columns, whatever PostgreSQL's text of them
looks like; an entry that has no such form is sealed all the same, and pinned. `derive` compares a
range of leaves with their entries and needs no Django, so that several processes can share the work.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from byline.audit import canonical, merkle

# Where PostgreSQL's text of a jsonb value may differ from its canonical form by more than blanks and
# order: escapes, DEL, non-ASCII, long numbers, fractions. The general way is taken for these.
_UNUSUAL = re.compile(r"[\\\x7f-\U0010ffff]|(?:^|[:,\[] ?)-?[0-9]+(?:[.eE]|(?<=[0-9]{16}))")
# What a leaf is made of, in the order of `leaf`; the time as canonical.timestamp writes it.
COLUMNS = (
    "e.id, e.kind, e.subject, e.actor, e.payload::text,"
    """ to_char(e.created AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
)
_LEAVES = """
    SELECT index, entry_id, leaf_hash FROM byline_audit_sealedleaf
    WHERE index >= %s AND index < %s ORDER BY index
"""
# The bounds let every partition's index be read in one go; without them, planners scan whole tables.
_ENTRIES = f"""
    SELECT {COLUMNS} FROM byline_audit_entry e
    WHERE e.id BETWEEN %s AND %s AND e.id = ANY(%s)
"""  # noqa: S608  constants only
CLOCK_SLACK = timedelta(minutes=15)  # entries are sealed as they commit; transactions are shorter than this


def leaf_data(pk: int, kind: str, subject: str, actor: str, payload: str, created: str) -> bytes:
    """Canonical bytes of an entry's columns, `payload` as PostgreSQL's JSON text.

    A payload that `log.append` would have refused (a row written past it) must not stop the log: it
    is sealed as the hash of that text, which still pins it. No proof is given for such an entry.
    """
    entry = canonical.entry(pk=pk, kind=kind, subject=subject, actor=actor, payload=None, created=created)
    try:
        if not _UNUSUAL.search(payload) and payload.count("{") + payload.count("[") < canonical.MAX_DEPTH:
            # Six times as fast; tests/unit/test_audit_leaves.py holds it against the general way.
            entry["payload"] = orjson.loads(payload)
            data = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
        else:
            entry["payload"] = json.loads(payload)
            data = canonical.encode(entry)
        if len(data) <= canonical.MAX_ENTRY_BYTES:
            return data
    except (ValueError, RecursionError):  # CanonicalError, or digits and depths that Python declines
        pass
    entry["payload"] = {"uncanonical_sha256": hashlib.sha256(payload.encode()).hexdigest()}
    return canonical.encode(entry)


def leaf(pk: int, kind: str, subject: str, actor: str, payload: str, created: str) -> bytes:
    """Leaf hash of an entry's columns."""
    return merkle.leaf_hash(leaf_data(pk, kind, subject, actor, payload, created))


def moment(created: str) -> datetime:
    """The time of an entry; the beginning of time for what is none."""
    try:
        return datetime.fromisoformat(created)
    except (ValueError, TypeError):
        return datetime.min.replace(tzinfo=UTC)


def sealed(cursor: Any, first: int, end: int) -> Iterator[tuple[int, int, bytes, tuple[Any, ...] | None]]:
    """(index, entry id, leaf hash, COLUMNS or None where the entry is gone) of leaves in [first, end).

    `cursor` is any DB-API cursor of PostgreSQL.
    """
    cursor.execute(_LEAVES, [first, end])
    rows = cursor.fetchall()
    ids = [entry for _, entry, _ in rows]
    cursor.execute(_ENTRIES, [min(ids, default=0), max(ids, default=0), ids])
    entries = {row[0]: row for row in cursor.fetchall()}
    for index, entry, stored in rows:
        yield index, entry, bytes(stored), entries.get(entry)


@dataclass
class Derived:
    """Leaves from `first` on, up to the first that does not fit: `hashes` of 32 bytes each.

    `gone` are (index, entry id, stored hash) of leaves without an entry, which somebody has to judge.
    `bad` is (index, entry id or None if the leaf itself is missing). Times are (time, index):
    `oldest` and `newest` of the range, `back` the first that lies behind an earlier leaf's.
    """

    first: int
    hashes: bytes = b""
    gone: list[tuple[int, int, bytes]] = field(default_factory=list)
    bad: tuple[int, int | None] | None = None
    oldest: tuple[str, int] | None = None
    newest: tuple[str, int] | None = None
    back: tuple[str, int] | None = None


def derive(cursor: Any, first: int, end: int) -> Derived:
    """Make the leaves in [first, end) anew from their entries and compare them with what was sealed."""
    found, hashes, wanted = Derived(first), [], first
    for index, entry, stored, columns in sealed(cursor, first, end):
        if index != wanted:
            break
        if columns is None:
            digest = stored
            found.gone.append((index, entry, digest))
        else:
            digest = leaf(*columns)
            if digest != stored:
                found.bad = index, entry
                break
            _tick(found, columns[-1], index)
        hashes.append(digest)
        wanted += 1
    if found.bad is None and wanted != end:
        found.bad = wanted, None
    found.hashes = b"".join(hashes)
    return found


def _tick(found: Derived, created: str, index: int) -> None:
    """Texts of one form sort as the times do."""
    if found.newest is None or found.oldest is None:
        found.oldest = found.newest = created, index
    elif created >= found.newest[0]:
        found.newest = created, index
    else:
        found.oldest = min(found.oldest, (created, index))
        if not found.back and moment(found.newest[0]) - moment(created) > CLOCK_SLACK:
            found.back = created, index
