"""One-bit flips in a signed MP4, told apart by the box that they hit; for the test and `make bench-c2pa`.

The map of a file goes down to what C2PA signs: the top-level boxes of ISO BMFF, in the manifest's own
box the parts of its JUMBF (ISO/IEC 19566-5), and in the signature the parts of its COSE_Sign1.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from byline.provenance import reading
from byline.provenance.trust import TrustBundle

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # uuid of the box that holds a manifest (C2PA A.5)
# Every bit of these is covered by the signature or by a hash that it covers. `free` and `skip` too: sign_file
# keeps them in the hash.
SIGNED = (
    "mdat",
    "moov",
    "free",
    "manifest: assertion",
    "manifest: claim",
    "manifest: signature, value",
    "manifest: signature, certificates",
)


@dataclass(frozen=True)
class Region:
    """Bytes `start` to `end` of the file, and what they are."""

    name: str
    start: int
    end: int


@dataclass
class Tally:
    """Flips in one kind of place: all, those that showed, and those of which only the stamp was named."""

    flips: int = 0
    caught: int = 0
    stamp_only: int = 0

    @property
    def tolerated(self) -> int:
        return self.flips - self.caught - self.stamp_only


def regions(data: bytes) -> list[Region]:
    """The whole file, without a gap."""
    found = []
    for name, start, body, end in _boxes(data, 0, len(data)):
        if name == "uuid" and data[body : body + 16] == C2PA:
            found += _manifest(data, start, body + 16, end)
        else:
            found += [Region(f"{name}: header", start, body), Region(name, body, end)]
    return [region for region in found if region.end > region.start]


def flip(data: bytes, offset: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[offset] ^= 1 << bit
    return bytes(changed)


def run(signed: Path, scratch: Path, trust: TrustBundle, *, count: int, seed: int = 1) -> dict[str, Tally]:
    """`count` flips, up to 12 in each kind of place, the rest where the bytes are; by kind of place."""
    data = signed.read_bytes()
    places: dict[str, list[Region]] = {}
    for region in regions(data):
        places.setdefault(region.name, []).append(region)
    rng = random.Random(seed)
    plan = [name for name in places for _ in range(min(12, count // (2 * len(places))))]
    weights = [sum(region.end - region.start for region in places[name]) for name in places]
    heavy = rng.choices(list(places), [weight**0.5 for weight in weights], k=count - len(plan))
    tallies: dict[str, Tally] = {name: Tally() for name in places}
    for name in plan + heavy:
        among = places[name]
        region = rng.choices(among, [one.end - one.start for one in among])[0]
        scratch.write_bytes(flip(data, rng.randrange(region.start, region.end), rng.randrange(8)))
        tally = tallies[name]
        tally.flips += 1
        held = reading.read(scratch, trust)
        if held.presence != "read" or held.failures or held.state != "Trusted" or not held.signer_known:
            tally.caught += 1
        elif not held.stamped:
            tally.stamp_only += 1
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    lines = [f"{'place':<40}{'flips':>7}{'caught':>8}{'stamp':>7}{'unseen':>8}"]
    for name, tally in sorted(tallies.items()):
        lines.append(f"{name:<40}{tally.flips:>7}{tally.caught:>8}{tally.stamp_only:>7}{tally.tolerated:>8}")
    return "\n".join(lines)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[str, int, int, int]]:
    """(type, start, start of content, end) of the boxes between two offsets."""
    while at + 8 <= end:
        size, body = int.from_bytes(data[at : at + 4], "big"), at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = at + size if size else end
        yield data[at + 4 : at + 8].decode("latin1"), at, body, stop
        at = stop


def _manifest(data: bytes, start: int, at: int, end: int) -> list[Region]:
    store = data.index(b"jumb", at) - 4
    found = [Region("manifest: box header", start, store)]
    found += _jumbf(data, store, end)
    last = found[-1].end
    return [*found, Region("manifest: padding behind the store", last, end)]


def _jumbf(data: bytes, at: int, end: int) -> list[Region]:
    found = []
    for name, start, body, stop in _boxes(data, at, end):
        if name != "jumb":
            found.append(Region("manifest: padding behind the store", start, stop))
            continue
        _, _, description, content = next(_boxes(data, body, stop))
        label_end = data.index(b"\0", description + 17)
        label = data[description + 17 : label_end].decode("latin1")
        found += [
            Region("manifest: box header", start, description),
            Region("manifest: box type and label", description, description + 16),
            Region("manifest: toggle byte", description + 16, description + 17),
            Region("manifest: box type and label", description + 17, label_end + 1),
            Region("manifest: salt of a description", label_end + 1, content),
        ]
        if label in ("c2pa", "c2pa.assertions") or label.startswith("urn:c2pa:"):
            found += _jumbf(data, content, stop)
            continue
        for _, inner, inside, inner_end in _boxes(data, content, stop):
            found.append(Region("manifest: box header", inner, inside))
            if label == "c2pa.signature":
                found += _cose(data, inside, inner_end)
            else:
                kind = "claim" if label.startswith("c2pa.claim") else "assertion"
                found.append(Region(f"manifest: {kind}", inside, inner_end))
    return found


def _cose(data: bytes, start: int, end: int) -> list[Region]:
    """COSE_Sign1, tagged: protected header with the certificates, the unprotected one, nothing, signature."""
    assert data[start : start + 2] == b"\xd2\x84"
    head = start + 2
    length, at = _byte_string(data, head)
    certificates = at + length
    value = end - 64
    padding = data.index(b"\x63pad", certificates) if b"\x63pad" in data[certificates:value] else value - 3
    return [
        Region("manifest: signature, framing", start, at),
        Region("manifest: signature, certificates", at, certificates),
        Region("manifest: signature, time stamp", certificates, padding),
        Region("manifest: signature, padding", padding, value - 3),
        Region("manifest: signature, framing", value - 3, value),
        Region("manifest: signature, value", value, end),
    ]


def _byte_string(data: bytes, at: int) -> tuple[int, int]:
    """(length, offset of the bytes) of a CBOR byte string."""
    first = data[at]
    assert first >> 5 == 2
    extra = {24: 1, 25: 2, 26: 4}[first & 31]
    return int.from_bytes(data[at + 1 : at + 1 + extra], "big"), at + 1 + extra
