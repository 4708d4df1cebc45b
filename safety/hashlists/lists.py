"""The no-go lists of this installation: import, export, remove, add what was rejected, compare.

Promises: an import replaces the list of that name whole or leaves it as it was; every change is in the
audit log with the digest of what the list then held, and no hash; what the database holds is compared
with that digest each time it is loaded, and ListsDamaged is raised instead of comparing with less.
The number of hashes over all lists is bounded (HASHLIST_MAX_ENTRIES), as all of them are held in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import Sum

from byline.audit import log
from byline.audit.base import conf
from byline.audit.base.errors import BylineError, InvalidInput
from byline.safety.categories import CATEGORIES
from byline.safety.checks import Action
from byline.safety.hashlists import exchange, matching
from byline.safety.hashlists.models import HashEntry, HashList
from byline.safety.hashlists.signals import TYPES, BadSignal, Signal, signal

STAY_DOWN = "stay-down-"  # and a category: the lists of what was rejected here
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_BATCH = 5_000


class ListsDamaged(BylineError):
    code = "hash_lists_damaged"
    status = 503
    help = "Import the list again (`byline hashlist import`); the audit log has the digest it should have."


class NoSuchList(InvalidInput):
    code = "no_such_hash_list"
    status = 404
    help = "`byline hashlist list` shows the names."


@dataclass(frozen=True)
class Listed:
    """What is known of a list without its entries."""

    name: str
    source: str
    category: str
    action: Action
    entries: int
    digest: str
    imported_at: str


@dataclass(frozen=True)
class Snapshot:
    """All lists at one time, ready to compare with."""

    tables: Mapping[str, matching.Table]
    lists: Mapping[str, Listed]

    def find(self, hashes: Mapping[str, Sequence[Sequence[str]]]) -> list[matching.Match]:
        """See matching.find."""
        return matching.find(hashes, self.tables)


def import_file(
    path: Path, *, name: str, source: str, category: str, actor: str, action: str = "review", sha256: str = ""
) -> Listed:
    """Read a file (exchange.py) and make it the list `name`, replacing what that held.

    `sha256`, when given, must be the file's. InvalidInput and its kin name what is wrong; nothing is
    changed then.
    """
    if not _NAME.fullmatch(name) or name.startswith(STAY_DOWN):
        raise InvalidInput(
            f"a list's name has lower-case letters, digits and hyphens, and does not begin with {STAY_DOWN!r}"
        )
    if category not in CATEGORIES:
        raise InvalidInput(f"no category {category!r}", help=f"One of {', '.join(sorted(CATEGORIES))}.")
    if action not in ("review", "block"):
        raise InvalidInput(f"a match leads to review or block, not {action!r}")
    if not 0 < len(source) <= 200:
        raise InvalidInput("say whose list it is and its version, in at most 200 characters")
    limit = int(conf.get("HASHLIST_MAX_ENTRIES"))
    signals, found = exchange.read(path, at_most=limit)
    if sha256 and sha256.lower() != found:
        raise exchange.BadHashList(f"{path.name} has sha256 {found[:12]}…, not the one that was given")
    with transaction.atomic():
        _bounded(len(signals), besides=name)
        row, _ = HashList.objects.update_or_create(
            name=name,
            defaults={
                "source": source, "category": category, "action": action, "entries": len(signals),
                "digest": _digest(signals), "file_sha256": found,
            },
        )  # fmt: skip
        row.rows.all().delete()
        _insert(row, signals)
        payload = {
            "entries": row.entries,
            "digest": row.digest,
            "file": found,
            "category": category,
            "action": action,
        }
        log.append("safety.hashlist_imported", subject=f"hashlist:{name}", actor=actor, payload=payload)
    return _listed(row)


def remove(name: str, *, actor: str) -> None:
    """Remove a list with all its entries. NoSuchList."""
    with transaction.atomic():
        row = _row(name)
        payload = {"entries": row.entries, "digest": row.digest}
        row.delete()
        log.append("safety.hashlist_removed", subject=f"hashlist:{name}", actor=actor, payload=payload)


def listed() -> list[Listed]:
    """All lists, by name."""
    return [_listed(row) for row in HashList.objects.order_by("name")]


def export(name: str, form: str) -> str:
    """The list as the text of a file (exchange.FORMATS). NoSuchList, ListsDamaged, InvalidInput."""
    if form not in exchange.FORMATS:
        raise InvalidInput(f"no format {form!r}", help=f"One of {', '.join(exchange.FORMATS)}.")
    row = _row(name)
    return exchange.write(_entries(row), form, name)


def add_rejected(
    fingerprints: Iterable[Mapping[str, str]], *, reference: str, category: str, actor: str
) -> int:
    """Keep a rejected or taken-down clip down: its frames go on the stay-down list. Returns how many
    hashes were new.

    `fingerprints` are plain values, {"type": "pdq" | "phash" | "phash256", "value": hex}, as the
    screening stage keeps them (`produces["fingerprints"]`) or `of_record` gives them; `reference` is
    what was rejected, e.g. "request:UUID" or "record:UUID". A frame with next to no detail is left out.
    InvalidInput without a usable fingerprint.
    """
    if category not in CATEGORIES:
        raise InvalidInput(f"no category {category!r}", help=f"One of {', '.join(sorted(CATEGORIES))}.")
    signals = set()
    for item in fingerprints:
        with contextlib.suppress(BadSignal):
            signals.add(signal(item["type"], item["value"], f"{matching.CLIP}{reference}"))
    if not signals:
        raise InvalidInput("there is no fingerprint to keep it down by", help="Hash the file first.")
    name = STAY_DOWN + category.replace("_", "-")
    with transaction.atomic():
        row, _ = HashList.objects.select_for_update().get_or_create(
            name=name,
            defaults={
                "source": "rejected and taken down here", "category": category, "action": "review",
                "entries": 0, "digest": _digest(()),
            },
        )  # fmt: skip
        present = set(_entries(row))
        new = signals - present
        _bounded(len(present) + len(new), besides=name)
        _insert(row, new)
        _restate(row, present | new)
        payload = {"entries": len(new), "category": category, "digest": row.digest}
        log.append("safety.stay_down_added", subject=reference, actor=actor, payload=payload)
    return len(new)


def remove_rejected(reference: str, *, actor: str) -> int:
    """Take off the stay-down lists what `add_rejected` put there for `reference`. Returns how many hashes."""
    removed = 0
    with transaction.atomic():
        for row in HashList.objects.select_for_update().filter(name__startswith=STAY_DOWN).order_by("pk"):
            present = set(_entries(row))
            gone = {s for s in present if s.reference == f"{matching.CLIP}{reference}"}
            if not gone:
                continue
            row.rows.filter(reference=f"{matching.CLIP}{reference}").delete()
            _restate(row, present - gone)
            payload = {"entries": len(gone), "category": row.category, "digest": row.digest}
            log.append("safety.stay_down_lifted", subject=reference, actor=actor, payload=payload)
            removed += len(gone)
    return removed


def of_record(fingerprints: Iterable[Mapping[str, object]]) -> list[dict[str, str]]:
    """The fingerprints of a clip on record (t, phash256, phash64, variant) as plain values for
    `add_rejected`: those of the whole frame."""
    return [
        {"type": "phash256", "value": str(item["phash256"])}
        for item in fingerprints
        if item.get("variant", "as stored") == "as stored"
    ]


_lock = threading.Lock()
_kept: tuple[tuple[tuple[str, str], ...], Snapshot] | None = None


def snapshot() -> Snapshot:
    """Everything to compare with, loaded again when a list changed. ListsDamaged."""
    global _kept
    rows = list(HashList.objects.order_by("name"))
    key = tuple((row.name, f"{row.digest} {row.action} {row.category}") for row in rows)
    with _lock:
        if _kept is None or _kept[0] != key:
            by_type: dict[str, list[tuple[str, str, str]]] = {name: [] for name in TYPES}
            for row in rows:
                for item in _entries(row):
                    by_type[item.type].append((row.name, item.value, item.reference))
            tables = {name: matching.Table.of(name, found) for name, found in by_type.items() if found}
            _kept = key, Snapshot(tables, {row.name: _listed(row) for row in rows})
        return _kept[1]


def _entries(row: HashList) -> list[Signal]:
    """The entries, which must be those that the digest speaks of."""
    values = row.rows.values_list("type", "value", "reference", "tags")
    signals = sorted(Signal(*item) for item in values.iterator(chunk_size=_BATCH))
    if len(signals) != row.entries or _digest(signals) != row.digest:
        raise ListsDamaged(f"the no-go list {row.name} is not what was imported")
    return signals


def _insert(row: HashList, signals: Iterable[Signal]) -> None:
    HashEntry.objects.bulk_create(
        (
            HashEntry(list=row, type=s.type, value=s.value, reference=s.reference, tags=s.tags)
            for s in signals
        ),
        batch_size=_BATCH,
    )


def _restate(row: HashList, signals: set[Signal]) -> None:
    row.entries, row.digest = len(signals), _digest(signals)
    row.save()


def _bounded(entries: int, *, besides: str) -> None:
    limit = int(conf.get("HASHLIST_MAX_ENTRIES"))
    others = HashList.objects.exclude(name=besides).aggregate(all=Sum("entries"))["all"] or 0
    if others + entries > limit:
        raise exchange.HashListTooLarge(
            f"the lists would hold {others + entries:,} hashes together, {limit:,} is the limit"
        )


def _digest(signals: Iterable[Signal]) -> str:
    lines = "".join(f"{s.type} {s.value} {s.reference}\t{s.tags}\n" for s in sorted(signals))
    return hashlib.sha256(lines.encode()).hexdigest()


def _row(name: str) -> HashList:
    row = HashList.objects.filter(name=name).first()
    if row is None:
        raise NoSuchList(f"there is no no-go list {name!r}")
    return row


def _listed(row: HashList) -> Listed:
    action: Action = "block" if row.action == "block" else "review"
    return Listed(
        row.name, row.source, row.category, action, row.entries, row.digest, row.imported_at.isoformat()
    )
