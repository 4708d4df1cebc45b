"""The one byte form of a log entry: canonical JSON, a strict subset of RFC 8785 (JCS). Pure.

Promise: `encode` gives exactly the bytes RFC 8785 gives, for values on which JSON libraries and
PostgreSQL's jsonb all agree, and refuses the rest, so that a leaf re-derived years later from
the database by other software is the same leaf. The subset: null, booleans, integers within
+-(2^53 - 1), strings of Unicode scalar values without U+0000 (jsonb cannot hold it), arrays,
objects with printable-ASCII names (there code-point and UTF-16 order agree). No floats: write
a decimal string, e.g. "0.9731", and the reader sees what was meant.
"""

import json
from datetime import UTC, datetime
from typing import Any

MAX_INTEGER = 2**53 - 1  # RFC 8785 section 3.2.2.3: beyond it, IEEE 754 readers lose digits
MAX_ENTRY_BYTES = 65_535  # C2SP tlog-tiles: entry bundles carry a uint16 length
MAX_PAYLOAD_BYTES = 60_000  # leaves room for the other fields, escaped at their longest
MAX_DEPTH = 16
ENTRY_FIELDS = ("v", "id", "kind", "subject", "actor", "payload", "created")


class CanonicalError(ValueError):
    """A value has no canonical form. The message gives the place, never the value."""


def _scalars_only(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(value: Any, place: str, depth: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        if "\x00" in value or not (value.isascii() or _scalars_only(value)):
            raise CanonicalError(f"{place}: text with NUL or a lone surrogate")
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise CanonicalError(f"{place}: integer beyond 2^53 - 1; write it as text")
    elif depth >= MAX_DEPTH:
        raise CanonicalError(f"{place}: nested deeper than {MAX_DEPTH}")
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str) or not name.isascii() or not name.isprintable():
                raise CanonicalError(f"{place}: field names are printable ASCII text")
            _check(item, f"{place}.{name}", depth + 1)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check(item, f"{place}[{number}]", depth + 1)
    elif isinstance(value, float):
        raise CanonicalError(f"{place}: floats have no canonical form here; write a decimal string")
    else:
        raise CanonicalError(f"{place}: {type(value).__name__} is not JSON")


def encode(value: Any) -> bytes:
    """Canonical UTF-8 bytes of a JSON value. CanonicalError names the first place that has none."""
    _check(value, "$", 0)
    # json escapes exactly what RFC 8785 section 3.2.2.2 escapes, once ensure_ascii is off.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def timestamp(moment: datetime) -> str:
    """UTC with microseconds, e.g. 2026-01-02T03:04:05.000006Z: what PostgreSQL keeps, exactly."""
    if moment.tzinfo is None:
        raise CanonicalError("$.created: a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def entry(*, pk: int, kind: str, subject: str, actor: str, payload: Any, created: str) -> dict[str, Any]:
    """The JSON object that is hashed into the tree for one entry. `created` is a `timestamp`."""
    return {
        "v": 1,
        "id": pk,
        "kind": kind,
        "subject": subject,
        "actor": actor,
        "payload": payload,
        "created": created,
    }
