"""How long entries stay in the database: at least as the law says, then only in the archive.

Promise: a quarter is dropped only if every regime of `BYLINE["RETENTION_REGIMES"]` allows it, if all
its entries are sealed, and if the archive holds each of them under its leaf hash; the same
transaction appends what was dropped. Hashes, tiles and checkpoints stay, so every proof stays
valid and fsck goes on working, with the archive beside it. Runs as the tables' owner.
Left out: deleting from the archive, which is the operator's own act; sending it to cold storage.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from django.db import connection, transaction
from django.db.models import QuerySet

from byline.audit import archive, log, merkle, tiles
from byline.audit.base import conf, keyring
from byline.audit.base.errors import BylineError, ConfigurationError, InvalidInput
from byline.audit.checkpoint import open_checkpoint
from byline.audit.models import Entry, SealedLeaf

_PARTITIONS = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'byline_audit_entry'::regclass AND c.relname ~ '_[0-9]{4}q[1-4]$'
    ORDER BY c.relname
"""


class RetentionRefused(BylineError):
    """A quarter may not be dropped. The message says which rule or which entry stands in the way."""

    code = "retention_refused"
    status = 409
    help = "Nothing was dropped. `byline audit retention` shows what may go and when."


@dataclass(frozen=True)
class Quarter:
    """Entries of one quarter in the database, the days [start, end) and when they may go at the earliest."""

    table: str
    start: date
    end: date
    entries: int
    free_from: date
    due_by: date | None


@cache
def rules() -> dict[str, dict[str, Any]]:
    """The regimes and their months, with their sources."""
    return dict(yaml.safe_load(files("byline.platform.ledger").joinpath("retention.yaml").read_text()))


def quarters() -> list[Quarter]:
    """What the database holds, oldest first. ConfigurationError for an unknown regime in the settings."""
    names = list(conf.get("RETENTION_REGIMES"))
    if unknown := sorted(set(names) - set(rules())):
        raise ConfigurationError(f"RETENTION_REGIMES names {', '.join(unknown)}, which nobody knows")
    minimum = max((rules()[name]["minimum"] or 0 for name in names), default=0)
    limits = [rules()[name]["maximum"] for name in names if rules()[name]["maximum"]]
    found = []
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS)
        for (table,) in cursor.fetchall():
            year, quarter = int(table[-6:-2]), int(table[-1])
            start, end = date(year, 3 * quarter - 2, 1), _later(date(year, 3 * quarter - 2, 1), 3)
            due = _later(start, min(limits)) if limits else None
            count = _inside(start, end).count()
            found.append(Quarter(table, start, end, count, _later(end, minimum), due))
    return found


def retire(before: date, directory: Path, *, today: date | None = None) -> int:
    """Drop the quarters that ended before `before` and whose entries the archive holds; how many entries.

    RetentionRefused if a regime's minimum, an unsealed entry or the archive stands in the way.
    """
    today = today or datetime.now(UTC).date()
    going = [item for item in quarters() if item.end <= before and item.entries]
    if young := [item for item in going if item.free_from > today]:
        kept = ", ".join(conf.get("RETENTION_REGIMES"))
        raise RetentionRefused(f"{young[0].table} must be kept until {young[0].free_from} ({kept})")
    vkey = keyring.read("log_vkey").decode().strip()
    note = archive.check(directory, vkey)
    size = open_checkpoint(note, vkey).size
    total = 0
    for quarter in going:
        with transaction.atomic():
            leaves = list(_leaves(quarter))
            if len(leaves) != quarter.entries:
                raise RetentionRefused(f"{quarter.table} holds entries that are not sealed yet")
            _compare(directory, leaves, size)
            payload = {
                "before": quarter.end.isoformat(),
                "entries": len(leaves),
                "ranges": _ranges(index for index, _ in leaves),
                "archive": hashlib.sha256(note.encode()).hexdigest(),
                "regime": ",".join(conf.get("RETENTION_REGIMES")),
            }
            log.append("audit.retired", subject=quarter.table, actor="system:retention", payload=payload)
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE {connection.ops.quote_name(quarter.table)}")
        total += len(leaves)
    return total


def _inside(start: date, end: date) -> QuerySet[Entry]:
    first, after = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (start, end))
    return Entry.objects.filter(created__gte=first, created__lt=after)


def _leaves(quarter: Quarter) -> Iterable[tuple[int, bytes]]:
    """(index, leaf hash) of the quarter's entries, by index."""
    inside = _inside(quarter.start, quarter.end)
    rows = SealedLeaf.objects.filter(entry_id__in=inside.values("id")).order_by("index")
    return ((index, bytes(stored)) for index, stored in rows.values_list("index", "leaf_hash"))


def _compare(directory: Path, leaves: list[tuple[int, bytes]], size: int) -> None:
    """RetentionRefused unless the archive has every one of these leaves, in a full bundle."""
    reader, number, bundle = archive.Archive(directory), -1, [b""]
    for index, stored in leaves:
        if index // tiles.WIDTH != number:
            number = index // tiles.WIDTH
            if (number + 1) * tiles.WIDTH > size:
                raise RetentionRefused("the last bundle of the archive is not full yet; write it again later")
            bundle = tiles.unpack(reader(tiles.path(tiles.ENTRIES, number)))
        if merkle.leaf_hash(bundle[index % tiles.WIDTH]) != stored:
            raise RetentionRefused(f"leaf {index} is not in the archive as it was sealed")


def _ranges(indices: Iterable[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for index in indices:
        if found and found[-1][1] == index - 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    return found


def _later(day: date, months: int) -> date:
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, 1)


def parse_day(text: str) -> date:
    """A day as YYYY-MM-DD. InvalidInput otherwise."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no day", help="Write it as 2026-01-31.") from error
