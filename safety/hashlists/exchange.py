"""No-go lists as files, in the forms that Meta's Hasher-Matcher-Actioner and ThreatExchange tools use.

Read and written: CSV as `threatexchange dataset --csv` prints it (collab, signal_type, signal_str,
category, tags), JSON as the Graph API's /threat_updates answers (`data` of id, indicator, type,
should_delete), and plain lines "type hash" as its local-file exchange reads. Promises: all or nothing,
a file is never half read; what is wrong is named by its line, never by its content; size and number of
entries are bounded before anything is parsed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.safety.hashlists.signals import BY_INDICATOR, TYPES, BadSignal, Signal, signal

MAX_BYTES = 256 * 1024 * 1024
COLUMNS = ("collab", "signal_type", "signal_str", "category", "tags")
FORMATS = ("csv", "json", "txt")


class BadHashList(InvalidInput):
    code = "bad_hash_list"
    help = "Get the file again from its source; nothing of it was imported."


class HashListTooLarge(InvalidInput):
    code = "hash_list_too_large"
    help = "Split the list, or raise HASHLIST_MAX_ENTRIES if the workers have the memory."


def read(path: Path, *, at_most: int) -> tuple[list[Signal], str]:
    """The signals of a file, without doubles, and its sha256. The form follows the name's ending.

    BadHashList or BadSignal (both with the line) for anything that is not whole and right,
    HashListTooLarge for over MAX_BYTES or `at_most` signals.
    """
    form = path.suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise BadHashList(f"{path.name}: a hash list is a .csv, .json or .txt file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise HashListTooLarge(f"{path.name} is over {MAX_BYTES // 2**20} MiB")
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise BadHashList(f"cannot read {path.name}") from error
    except UnicodeDecodeError as error:
        raise BadHashList(f"{path.name} is not UTF-8 text") from error
    rows = {"csv": _csv, "json": _json, "txt": _lines}[form](text)
    found: dict[tuple[str, str], Signal] = {}
    for place, fields in rows:
        try:
            one = signal(*fields)
        except BadSignal as error:
            raise BadSignal(f"{path.name}, {place}: {error}") from error
        found[one.type, one.value] = one
        if len(found) > at_most:
            raise HashListTooLarge(f"{path.name} has over {at_most:,} signals")
    if not found:
        raise BadHashList(f"{path.name} holds no signal")
    return sorted(found.values()), hashlib.sha256(data).hexdigest()


_Rows = Iterator[tuple[str, tuple[str, str, str, str]]]


def _csv(text: str) -> _Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = set(reader.fieldnames or ())
        if not {"signal_type", "signal_str"} <= names:
            raise BadHashList("the first line must name the columns signal_type and signal_str")
        for row in reader:
            if None in row or None in row.values():
                raise BadHashList(f"line {reader.line_num} has another number of columns")
            reference = row.get("reference") or row.get("collab") or ""
            yield (
                f"line {reader.line_num}",
                (row["signal_type"], row["signal_str"], reference, row.get("tags") or ""),
            )
    except csv.Error as error:
        raise BadHashList(f"line {reader.line_num} is not CSV") from error


def _json(text: str) -> _Rows:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadHashList("the file is not JSON, or not all of it") from error
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise BadHashList('the file has no list "data"')
    for number, entry in enumerate(entries, start=1):
        yield f"entry {number}", _update(entry, number)


def _update(entry: Any, number: int) -> tuple[str, str, str, str]:
    """One record of /threat_updates. A deletion belongs to a stream that Byline does not follow."""
    if not isinstance(entry, dict) or not all(
        isinstance(entry.get(name), str) for name in ("indicator", "type")
    ):
        raise BadHashList(f"entry {number} has no indicator and type")
    if entry.get("should_delete"):
        raise BadHashList(f"entry {number} is a deletion; export the list as it now stands")
    tags = entry.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise BadHashList(f"entry {number} has tags that are not a list of texts")
    kind = BY_INDICATOR.get(entry["type"], entry["type"].lower().removeprefix("hash_"))
    return kind, entry["indicator"], str(entry.get("id", "")), " ".join(tags)


def _lines(text: str) -> _Rows:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            kind, _, value = line.strip().partition(" ")
            yield f"line {number}", (kind, value, "", "")


def write(signals: Iterable[Signal], form: str, name: str) -> str:
    """The text of a file in one of FORMATS, `name` as its collaboration. `read` gives the signals back."""
    if form == "csv":
        out = io.StringIO(newline="")
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow([*COLUMNS, "reference"])
        rows.writerows([name, s.type, s.value, "POSITIVE_CLASS", s.tags, s.reference] for s in signals)
        return out.getvalue()
    if form == "json":
        data = [
            {
                "id": s.reference,
                "indicator": s.value,
                "type": TYPES[s.type].indicator or f"HASH_{s.type.upper()}",
                "tags": s.tags.split(),
                "should_delete": False,
            }
            for s in signals
        ]
        return json.dumps({"data": data}, indent=1) + "\n"
    return "".join(f"{s.type} {s.value}\n" for s in signals)
