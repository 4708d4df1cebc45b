"""Check an audit proof alone: only the standard library and `cryptography`, no Django, no network.

Promise: `verify_proof` returns the entry only if its canonical bytes hash to the leaf, the leaf
is in the tree at the stated index (RFC 6962), and that tree's head is signed by the log key you
supplied (C2SP checkpoint). Every other outcome raises ProofInvalid with a reason.
`python3 -m byline.audit.verify PROOF.json KEY-FILE` does the same where nothing of ours is installed.
Left out: whether the log also showed others a different tree. That takes a checkpoint from
somebody else (`byline audit fsck --known`), and a proof file cannot tell.
"""

import json
import sys
from pathlib import Path
from typing import Any

from byline.audit import canonical, merkle
from byline.audit.checkpoint import CheckpointInvalid, open_checkpoint, parse_vkey

__all__ = ["ProofInvalid", "parse_vkey", "verify_proof"]

_FIELDS = {"v", "origin", "entry", "leaf_hash", "index", "tree_size", "path", "checkpoint"}


class ProofInvalid(Exception):
    """The proof does not hold. `reason` is one plain sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _hash(value: Any, what: str) -> bytes:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ProofInvalid(f"{what} is not 64 lowercase hex digits")
    return bytes.fromhex(value)


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ProofInvalid(f"{what} is not a whole number")
    return value


def verify_proof(proof: dict[str, Any], vkey: str) -> dict[str, Any]:
    """The entry that `proof` proves under the log's verifier key (C2SP vkey text).

    Raises ProofInvalid; nothing of the proof may be used unless this returns.
    """
    if not isinstance(proof, dict) or set(proof) != _FIELDS:
        raise ProofInvalid("the proof does not have exactly the fields of version 1")
    if proof["v"] != 1 or isinstance(proof["v"], bool):
        raise ProofInvalid("the proof's version is not 1")
    entry = proof["entry"]
    if not isinstance(entry, dict) or set(entry) != set(canonical.ENTRY_FIELDS):
        raise ProofInvalid("the entry does not have exactly the fields of version 1")
    path = proof["path"]
    if not isinstance(path, list) or len(path) > merkle.MAX_PATH:
        raise ProofInvalid("the path is not a list of at most 64 hashes")
    hashes = [_hash(item, "a hash of the path") for item in path]
    index = _whole(proof["index"], "the index")
    size = _whole(proof["tree_size"], "the tree size")

    try:
        data = canonical.encode(entry)
    except (canonical.CanonicalError, RecursionError) as error:
        raise ProofInvalid(f"the entry has no canonical form: {error}") from error
    if len(data) > canonical.MAX_ENTRY_BYTES:
        raise ProofInvalid("the entry is larger than any entry of a log")
    leaf = merkle.leaf_hash(data)
    if leaf != _hash(proof["leaf_hash"], "the leaf hash"):
        raise ProofInvalid("the entry does not hash to the leaf: the entry was changed")

    if not isinstance(proof["checkpoint"], str):
        raise ProofInvalid("the checkpoint is not text")
    try:
        head = open_checkpoint(proof["checkpoint"], vkey)
    except CheckpointInvalid as error:
        raise ProofInvalid(f"the checkpoint does not hold: {error}") from error
    if head.origin != proof["origin"]:
        raise ProofInvalid("the proof and the checkpoint name different logs")
    if head.size != size:
        raise ProofInvalid("the proof and the checkpoint name different tree sizes")
    try:
        merkle.verify_inclusion(leaf, index, size, hashes, head.root)
    except merkle.MerkleError as error:
        raise ProofInvalid(str(error)) from error
    return entry


if __name__ == "__main__":
    try:
        proven = verify_proof(
            json.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]).read_text().strip()
        )
    except (ProofInvalid, ValueError) as problem:
        sys.exit(f"NOT proven: {problem}")
    sys.stdout.write(f"proven: {json.dumps(proven, ensure_ascii=False)}\n")
