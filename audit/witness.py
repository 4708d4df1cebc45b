"""Witness cosignatures: somebody else's word that a log only ever grew (C2SP tlog-cosignature, tlog-witness).

Promise: `Witness` cosigns a checkpoint only if it extends the last one it cosigned for that log, by
a consistency proof; `request` and `accept` are the log's side of the same exchange, and a line is
accepted only if it verifies under a key that this log was configured with. A verifier who demands
a witness's line cannot be shown a history of his own. Pure: no HTTP, no database.
Left out: witnesses' quorum rules; a verifier says which witnesses it wants (`opened_by`).
"""

import base64
import struct
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from byline.audit import merkle
from byline.audit.checkpoint import (
    COSIGNATURE,
    CheckpointInvalid,
    VerifierKey,
    open_checkpoint,
    parse_vkey,
    private_key,
    split_note,
    vkey_for,
)

MAX_REQUEST_BYTES = 65_536


class WitnessRefused(Exception):
    """A request that the witness declines, as `status` and `body` of its HTTP answer."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body.strip())
        self.status = status
        self.body = body


@dataclass
class Witness:
    """`logs` maps the origins it watches to their vkeys, `seen` keeps size and root of the last cosigned
    checkpoint of each; whoever calls makes the two steps on `seen` one (a lock, a transaction)."""

    name: str
    private_pem: bytes
    logs: Mapping[str, str]
    seen: MutableMapping[str, tuple[int, bytes]]

    def add_checkpoint(self, body: bytes, now: int) -> str:
        """Answer to POST add-checkpoint at Unix time `now`: the signature line. WitnessRefused otherwise."""
        try:
            head, proof, note = _parse(body)
            origin = note.partition("\n")[0]
        except (ValueError, UnicodeDecodeError) as error:
            raise WitnessRefused(400, f"malformed request: {error}\n") from error
        if origin not in self.logs:
            raise WitnessRefused(404, "this witness does not watch that log\n")
        try:
            checkpoint = open_checkpoint(note, self.logs[origin])
        except CheckpointInvalid as error:
            raise WitnessRefused(403, f"{error}\n") from error
        if head > checkpoint.size:
            raise WitnessRefused(400, "the old size is larger than the checkpoint's\n")
        size, root = self.seen.get(origin, (0, merkle.EMPTY_ROOT))
        if head != size:
            raise WitnessRefused(409, f"{size}\n")
        try:
            merkle.verify_consistency(size, checkpoint.size, root, checkpoint.root, proof)
        except merkle.MerkleError as error:
            if size == checkpoint.size:
                raise WitnessRefused(409, f"{size}\n") from error
            raise WitnessRefused(422, f"{error}\n") from error
        self.seen[origin] = (checkpoint.size, checkpoint.root)
        return cosign(note, self.name, self.private_pem, now)


def cosign(note: str, name: str, private_pem: bytes, now: int) -> str:
    """The signature line of a witness over a checkpoint at Unix time `now`. Does not judge it."""
    text, _ = split_note(note)
    key = parse_vkey(vkey_for(name, private_pem, COSIGNATURE), COSIGNATURE)
    signature = private_key(private_pem).sign(_message(text, now))
    data = base64.b64encode(key.key_id + struct.pack(">Q", now) + signature).decode()
    return f"— {name} {data}\n"


def opened_by(note: str, vkey: str | VerifierKey) -> int:
    """Unix time at which this witness cosigned the note. CheckpointInvalid if it did not."""
    key = parse_vkey(vkey, COSIGNATURE) if isinstance(vkey, str) else vkey
    text, signatures = split_note(note)
    for name, data in signatures:
        if name == key.name and data[:4] == key.key_id and len(data) == 4 + 8 + 64:
            (moment,) = struct.unpack(">Q", data[4:12])
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(data[12:], _message(text, moment))
            except InvalidSignature as error:
                raise CheckpointInvalid("the witness's signature does not verify") from error
            return int(moment)
    raise CheckpointInvalid(f"the checkpoint carries no cosignature of {key.name}")


def request(old: int, path: list[bytes], note: str) -> bytes:
    """Body of POST add-checkpoint: `path` proves that the tree of `old` is a prefix of the note's."""
    proof = "".join(base64.b64encode(item).decode() + "\n" for item in path)
    return f"old {old}\n{proof}\n{note}".encode()


def accept(answer: bytes, note: str, vkey: str) -> str:
    """The witness's line out of its answer. CheckpointInvalid unless it verifies under `vkey`."""
    key = parse_vkey(vkey, COSIGNATURE)
    if len(answer) > MAX_REQUEST_BYTES:
        raise CheckpointInvalid("the witness's answer is too long")
    for line in answer.decode("utf-8", errors="replace").splitlines():
        if line.startswith(f"— {key.name} "):
            opened_by(split_note(note)[0] + f"\n{line}\n", key)
            return line + "\n"
    raise CheckpointInvalid("the witness's answer holds no line of its key")


def _message(text: str, moment: int) -> bytes:
    return f"cosignature/v1\ntime {moment}\n{text}".encode()


def _parse(body: bytes) -> tuple[int, list[bytes], str]:
    if len(body) > MAX_REQUEST_BYTES:
        raise ValueError("longer than 64 KiB")
    head, blank, note = body.decode().partition("\n\n")
    first, *proof = head.split("\n")
    word, _, size = first.partition(" ")
    if not blank or word != "old" or not size.isdecimal() or len(size) > 19 or len(proof) > 63:
        raise ValueError("not an add-checkpoint request")
    return int(size), [base64.b64decode(line, validate=True) for line in proof], note
