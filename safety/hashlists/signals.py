"""Which hashes a no-go list may hold, how wide they are and how near counts as a match.

`pdq` and `phash` are hashes of a whole picture, as others exchange them; `phash256` is the print of a
clip's frame in Byline's own records (provenance), with which rejected clips stay down. Radii are those
at which pictures that show different things do not meet (docs/screening.md has the counts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from byline.audit.base.errors import InvalidInput


@dataclass(frozen=True)
class SignalType:
    """`digits` hex digits; two hashes match when at most `radius` bits differ. `indicator` is its name
    in Meta's Graph API, "" where it has none."""

    name: str
    digits: int
    radius: int
    indicator: str = ""


TYPES: dict[str, SignalType] = {
    t.name: t
    for t in (
        SignalType("pdq", 64, 31, "HASH_PDQ"),  # 31 is the radius that PDQ's authors recommend
        SignalType("phash", 16, 6),
        SignalType("phash256", 64, 40),
    )
}
BY_INDICATOR = {t.indicator: t.name for t in TYPES.values() if t.indicator}
_HEX = re.compile(r"[0-9a-f]+")


class BadSignal(InvalidInput):
    code = "bad_signal"
    help = "A line names a type (pdq, phash, phash256) and its hash in hex; nothing was imported."


@dataclass(frozen=True, order=True)
class Signal:
    """One hash. `reference` is the list's own name for what it shows (an id, never a person's name)."""

    type: str
    value: str
    reference: str = ""
    tags: str = ""


def signal(type: str, value: str, reference: str = "", tags: str = "") -> Signal:
    """Checked. BadSignal for an unknown type, a wrong width, or a hash that would match anything."""
    kind = TYPES.get(type.strip().lower())
    if kind is None:
        raise BadSignal(f"{type[:40]!r} is no type of hash that can be matched here")
    value = value.strip().lower()
    if len(value) != kind.digits or not _HEX.fullmatch(value):
        raise BadSignal(f"a {kind.name} has {kind.digits} hex digits")
    ones = int(value, 16).bit_count()
    # Half of the bits of a true hash are set; one of nearly equal bits is that of an empty picture.
    if not 1 / 8 <= ones / (4 * kind.digits) <= 7 / 8:
        raise BadSignal(
            f"a {kind.name} with {ones} of {4 * kind.digits} bits set is that of an empty picture"
        )
    if len(reference) > 100 or len(tags) > 200:
        raise BadSignal("a reference has at most 100 characters, its tags 200")
    return Signal(kind.name, value, reference, tags)
