"""The index of frames in PostgreSQL: every published frame within some bits of a hash, exactly.

Multi-index hashing (Norouzi et al., CVPR 2012) in plain SQL: the 64 bits are four indexed columns of
16; hashes within RADIUS bits differ in at most 1 bit in the first of them or in at most 2 in another,
so 17 + 3 x 137 values are looked up, and bit_count of the whole decides. Promises: nothing within the
radius is missed, unless the answer says that it is incomplete: where a query falls into crowded
buckets (black frames, one scene a thousand times) at most MOST_CANDIDATES per column are looked at and
MOST_HITS answered. Rows are written in the transaction of the record. Leaves out: ranking
(index_shortlist.py) and other databases.
"""

from typing import TYPE_CHECKING

from django.db import connection

from byline.provenance.fingerprints import FrameHash
from byline.provenance.hash_index import chunk_radii, flips
from byline.provenance.index_shortlist import MOST_HITS, Hit, Hits

if TYPE_CHECKING:
    from byline.provenance.models import Record

RADIUS = 10
# Per column. Real hashes crowd: at a million frames some 4,000 are looked at, at ten million 40,000.
MOST_CANDIDATES = 50_000
_CHUNKS, _WIDTH = 4, 16

# Answered from the index alone. `looked_at` tells whether this column was cut; a crowd of equal hashes is
# one row from here on.
_ARM = """(
    select phash64, bit_count((phash64 # %(key)s)::bit(64)) bits, sum(same) over () looked_at from (
        select phash64, count(*) same from (
            select phash64 from byline_provenance_indexedframe
            where chunk{n} = any(%(chunk{n})s::int[]) limit %(most)s + 1
        ) entries group by phash64
    ) hashes
)"""
_QUERY = """
with candidates as materialized (
    select phash64, bits, looked_at from (@arms@) arms where bits <= %(radius)s or looked_at > %(most)s
), near as (
    select distinct phash64, bits from candidates where bits <= %(radius)s order by bits limit %(hits)s + 1
), hits as (
    select frame.record_id, frame.phash256, near.bits from near
    join byline_provenance_indexedframe frame
        on frame.chunk0 = ((near.phash64 >> 48) & 65535)::int and frame.phash64 = near.phash64
    join byline_provenance_record record on record.id = frame.record_id
    where record.published or not %(published_only)s
    order by near.bits limit %(hits)s + 1
)
select record_id, phash256, exists (select 1 from candidates where looked_at > %(most)s) from hits
union all
select null, null, exists (select 1 from candidates where looked_at > %(most)s)
""".replace("@arms@", " union all ".join(_ARM.format(n=n) for n in range(_CHUNKS)))


class DatabaseFrames:
    """Frames of the records in the database; of published ones only, unless told otherwise."""

    def __init__(self, *, published_only: bool = True) -> None:
        self._published_only = published_only

    def near(self, key: int, *, radius: int = RADIUS) -> Hits:
        """Frames within `radius` bits of a 64-bit hash, the nearest MOST_HITS of them first."""
        values: dict[str, int | list[int]] = {
            "key": key - 2**64 if key >= 2**63 else key,
            "radius": radius,
            "most": MOST_CANDIDATES,
            "hits": MOST_HITS,
            "published_only": self._published_only,
        }
        # The first column holds the lowest frequencies; its values crowd most, so it gets the smallest reach.
        for n, reach in enumerate(reversed(chunk_radii(_CHUNKS, radius))):
            chunk = key >> (64 - _WIDTH * (n + 1)) & 0xFFFF
            values[f"chunk{n}"] = [chunk ^ mask for mask in flips(_WIDTH, reach)] if reach >= 0 else []
        with connection.cursor() as cursor:
            cursor.execute(_QUERY, values)
            rows = cursor.fetchall()
        cut = rows.pop()[2]
        found = [Hit(str(record), bytes(phash256)) for record, phash256, _ in rows[:MOST_HITS]]
        return Hits(found, not cut and len(rows) <= MOST_HITS)


def add(record: "Record") -> None:
    """Index the record's frames; a hash that a variant shows again and again is one row."""
    from byline.provenance.models import IndexedFrame

    seen: dict[tuple[str, str], IndexedFrame] = {}
    for item in map(FrameHash.from_json, record.fingerprints):
        row = IndexedFrame(
            record=record,
            t=item.t,
            variant=item.variant,
            phash64=int(item.phash64, 16),
            phash256=bytes.fromhex(item.phash256),
        )
        seen.setdefault((item.variant, item.phash64), row)
    IndexedFrame.objects.bulk_create(seen.values())
