"""Entries for an auditor: a table of them, with the proof of each, in a directory that stands alone.

Promise: every row comes with an inclusion proof that `byline audit verify-proof` (or any RFC 6962
code) checks against the log's public key; entries that no checkpoint covers yet are left out and
counted. Names of people are resolved only if asked for. Left out: anything that is not in the log.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from byline.audit import log, pseudonyms, serving
from byline.audit.base import keyring
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.audit.models import Entry

Format = Literal["jsonl", "csv", "parquet"]
FORMATS = ("jsonl", "csv", "parquet")
COLUMNS = ("index", "id", "created", "kind", "subject", "actor", "payload")
_README = """Entries of the log {origin} from {since} to {until}: {count} of them, {waiting} not yet under a
signed checkpoint and left out.

- entries.{format}: one row per entry; `payload` is canonical JSON; `index` is its place in the tree.
- proofs.jsonl: the inclusion proof of each entry, in the same order.
- checkpoint, log.vkey: the log's newest signed tree head, and the key that signed it.

Check a proof without the newsroom that wrote it:

    pip install byline
    sed -n 1p proofs.jsonl > one.json && byline audit verify-proof one.json --vkey log.vkey

log.vkey must be the key that you know from elsewhere, not only from this directory.
"""


@dataclass(frozen=True)
class Exported:
    """How many rows were written and how many wait for a checkpoint."""

    count: int
    waiting: int


def export(
    out: Path,
    *,
    since: date,
    until: date,
    form: Format,
    kinds: Iterable[str] = (),
    names: bool = False,
    progress: bool = False,
) -> Exported:
    """Write the entries of the days [since, until] into a new directory.

    InvalidInput if `out` exists with something in it or the days are the wrong way round.
    """
    if form not in FORMATS:
        raise InvalidInput(f"no format {form!r}", help=f"One of {', '.join(FORMATS)}.")
    if until < since:
        raise InvalidInput("the last day lies before the first", help="Give --from and then --to.")
    if out.exists() and any(out.iterdir()):
        raise InvalidInput(f"{out} is not empty", help="Give a new directory.")
    out.mkdir(parents=True, exist_ok=True)
    rows, waiting = [], 0
    with (out / "proofs.jsonl").open("w") as proofs:
        for entry in _entries(since, until, list(kinds), progress):
            proof = log.proof(entry.pk)
            if proof is None:
                waiting += 1
                continue
            proofs.write(json.dumps(proof, separators=(",", ":")) + "\n")
            rows.append({"index": proof["index"], **{k: proof["entry"][k] for k in COLUMNS if k != "index"}})
    if names:
        known = pseudonyms.names(row["actor"] for row in rows)
        rows = [{**row, "name": known.get(row["actor"], "")} for row in rows]
    _WRITERS[form](out / f"entries.{form}", rows, [*COLUMNS, "name"] if names else list(COLUMNS))
    vkey = keyring.read("log_vkey").decode().strip()
    (out / "log.vkey").write_text(vkey + "\n")
    (out / "checkpoint").write_text(serving.checkpoint())
    facts = {"origin": vkey.partition("+")[0], "since": since, "until": until}
    readme = _README.format(count=len(rows), waiting=waiting, format=form, **facts)
    (out / "README.md").write_text(readme)
    return Exported(len(rows), waiting)


def _entries(since: date, until: date, kinds: list[str], progress: bool) -> Iterator[Entry]:
    start = datetime(since.year, since.month, since.day, tzinfo=UTC)
    end = datetime(until.year, until.month, until.day, 23, 59, 59, 999_999, tzinfo=UTC)
    found = Entry.objects.filter(created__range=(start, end)).order_by("id")
    if kinds:
        found = found.filter(kind__in=kinds)
    entries: Iterator[Entry] = found.iterator(chunk_size=1000)
    if progress:
        from tqdm import tqdm

        entries = tqdm(entries, total=found.count(), unit=" entries")
    return entries


def _jsonl(path: Path, rows: list[dict[str, Any]], columns: list[str]) -> None:
    with path.open("w") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "payload": json.dumps(row["payload"], ensure_ascii=False, sort_keys=True)}


def _csv(path: Path, rows: list[dict[str, Any]], columns: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, columns)
        table.writeheader()
        # A spreadsheet runs a cell that begins like a formula (CWE-1236): such text gets an apostrophe.
        table.writerows(
            {k: f"'{v}" if str(v)[:1] in "=+-@\t\r" else v for k, v in _flat(r).items()} for r in rows
        )


def _parquet(path: Path, rows: list[dict[str, Any]], columns: list[str]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed", help="pip install 'byline[parquet]'"
        ) from error
    flat = [_flat(row) for row in rows]
    whole = {"index", "id"}
    types = [(name, pyarrow.int64() if name in whole else pyarrow.string()) for name in columns]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(flat, schema=pyarrow.schema(types)), path)


_WRITERS = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
