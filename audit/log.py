"""The log as its users see it: append an entry, get its proof.

Promise: `append` is one plain insert in the caller's transaction, so an entry exists exactly if
what it reports was committed; writers never wait for one another. `proof` gives what
`verify.verify_proof` accepts: under the first signed checkpoint that covers the entry, or the first
of these that a witness cosigned. Left out: sealing (seal.py), checking the whole log (fsck.py).
"""

import time
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from byline.audit import canonical, kinds, merkle, pseudonyms, store
from byline.audit.base import keyring
from byline.audit.base.errors import BylineError, InvalidInput
from byline.audit.models import Checkpoint, Cosignature, Entry, SealedLeaf
from byline.audit.verify import ProofInvalid, verify_proof

POLL_S = 0.05
_INSERT = """
    INSERT INTO byline_audit_entry (kind, subject, actor, payload)
    VALUES (%s, %s, %s, %s::jsonb) RETURNING id, created, txid
"""


class ProofTimeout(BylineError):
    """No signed checkpoint covered the entry in time."""

    code = "proof_timeout"
    status = 503
    help = "Is the sealer running (`byline serve` starts it)? The entry is kept; ask again."


class LogDamaged(BylineError):
    """What the database holds contradicts what was signed."""

    code = "audit_log_damaged"
    help = "Stop writing, keep the database as it is, and run `byline audit fsck`."


class EntryRetired(BylineError):
    """The entry's bytes are in the archive alone; its place in the tree stands."""

    code = "entry_retired"
    status = 410
    help = "Make the proof from the archive, whose tiles and bundles hold everything it needs."


def append(kind: str, *, subject: str, actor: str, payload: dict[str, Any]) -> Entry:
    """Insert one entry in the caller's transaction.

    `subject` (what it is about) and `actor` (who did it) are at most 200 characters; an actor that does
    not begin with "system:" is a person and is logged as a pseudonym. KindError or CanonicalError for a
    payload that does not fit the kind or has no canonical form (floats!), InvalidInput for one over
    60,000 bytes: defects of the caller, raised before anything is written.
    """
    kinds.check(kind, payload)
    for name, value in (("subject", subject), ("actor", actor)):
        if not value or len(value) > 200:
            raise InvalidInput(f"{name} has between 1 and 200 characters")
        canonical.encode(value)
    data = canonical.encode(payload)
    if len(data) > canonical.MAX_PAYLOAD_BYTES:
        raise InvalidInput(f"a payload has at most {canonical.MAX_PAYLOAD_BYTES} bytes of canonical JSON")
    actor = pseudonyms.actor(actor)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [kind, subject, actor, data.decode()])
        pk, created, txid = cursor.fetchone()
    entry = Entry(pk, kind, subject, actor, payload, created, txid)
    entry._state.adding = False
    return entry


def by_subject(subject: str) -> QuerySet[Entry]:
    """All entries about one thing, oldest first."""
    return Entry.objects.filter(subject=subject).order_by("id")


def proof(entry_pk: int | str, *, cosigned: bool = False) -> dict[str, Any] | None:
    """The entry's inclusion proof (JSON-able), or None until a signed checkpoint covers it; `cosigned`
    wants one with a witness's line.

    It has passed `verify_proof` here; LogDamaged if what is stored no longer leads to what was signed.
    """
    try:
        pk = int(entry_pk)
    except ValueError as error:
        raise InvalidInput("an entry's id is a whole number") from error
    leaf = SealedLeaf.objects.filter(entry_id=pk).first()
    if leaf is None:
        return None
    covers = Checkpoint.objects.filter(size__gt=leaf.index).order_by("size")
    if cosigned:
        covers = covers.filter(size__in=Cosignature.objects.filter(size__gt=leaf.index).values("size"))
    covering = covers.first()
    if covering is None:
        return None
    lines = Cosignature.objects.filter(size=covering.size).order_by("witness") if cosigned else []
    note = covering.note + "".join(item.line for item in lines)
    try:
        return _proven(leaf, covering.size, note, fresh=False)
    except LogDamaged:  # or the tiles that were kept are another log's: a test's, or a restored database's
        return _proven(leaf, covering.size, note, fresh=True)


def _proven(leaf: SealedLeaf, size: int, note: str, *, fresh: bool) -> dict[str, Any]:
    try:
        entry = leaf.entry.as_dict()
        found = {
            "v": 1,
            "origin": note.partition("\n")[0],
            "entry": entry,
            "leaf_hash": merkle.leaf_hash(canonical.encode(entry)).hex(),
            "index": leaf.index,
            "tree_size": size,
            "path": [item.hex() for item in store.inclusion_path(leaf.index, size, fresh=fresh)],
            "checkpoint": note,
        }
        verify_proof(found, keyring.read("log_vkey").decode())
    except Entry.DoesNotExist as error:
        raise EntryRetired(f"entry {leaf.entry_id} was retired to the archive") from error
    except (canonical.CanonicalError, merkle.MerkleError, ProofInvalid) as error:
        raise LogDamaged(f"entry {leaf.entry_id} does not lead to what was signed: {error}") from error
    return found


def consistency(old: int, new: int) -> list[str]:
    """Hashes (hex) proving that the tree of `new` entries begins with that of `old` (RFC 6962 2.1.2).

    InvalidInput unless 0 <= old <= new <= the newest checkpoint's size.
    """
    newest = Checkpoint.objects.order_by("-size").first()
    if not 0 <= old <= new <= (newest.size if newest else 0):
        raise InvalidInput("sizes run from 0 to the newest checkpoint's, the old one first")
    return [item.hex() for item in store.consistency_path(old, new)]


def inclusion(leaf_hash: bytes) -> dict[str, Any] | None:
    """Where a leaf is, for somebody who has the entry: index, path, checkpoint, but not the entry."""
    leaf = SealedLeaf.objects.filter(leaf_hash=leaf_hash).order_by("index").first()
    found = proof(leaf.entry_id) if leaf else None
    return {key: value for key, value in found.items() if key != "entry"} if found else None


def wait(entry_pk: int | str, timeout_s: float) -> dict[str, Any]:
    """The proof, as soon as there is one; call it after the transaction of `append` has committed.

    ProofTimeout after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while (found := proof(entry_pk)) is None:
        if time.monotonic() >= deadline:
            raise ProofTimeout(f"no checkpoint covered entry {entry_pk} within {timeout_s:g} s")
        time.sleep(POLL_S)
    return found
