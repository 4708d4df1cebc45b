"""Signed tree heads: C2SP tlog-checkpoint bodies in C2SP signed-note envelopes, Ed25519.

Promise: what is written here is read by any tlog client (Go's sumdb/note among them), and
reading is strict: one log key, its name equal to the checkpoint's origin, sizes without leading
zeroes, canonical base64. Signatures by other keys are kept; witness.py judges those of witnesses.
Left out: extension lines (the spec discourages them), and deciding *when* to sign (seal.py).
Imports only the standard library and `cryptography`.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ED25519 = b"\x01"  # signature type byte, C2SP signed-note
COSIGNATURE = b"\x04"  # a witness's, with its time, C2SP tlog-cosignature
MAX_NOTE_BYTES = 65_536  # signed-note: verifiers bound the size but accept 16 signatures of ~5 kB
MAX_SIGNATURES = 16
MAX_SIZE = 2**63 - 1
_NAME = re.compile(r"[^\s+]+")  # signed-note: no Unicode spaces, no plus
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointInvalid(ValueError):
    """A verifier key, note or checkpoint is malformed, or its signature does not verify."""


@dataclass(frozen=True)
class VerifierKey:
    """A signer's public identity: its name, 32-byte Ed25519 public key and what it signs."""

    name: str
    public: bytes
    use: bytes = ED25519

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || type || public key)[:4], C2SP signed-note."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.use + self.public).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(self.use + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


@dataclass(frozen=True)
class Checkpoint:
    """The body of a checkpoint: which log, how many leaves, which root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def _decode(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid(f"{what} is not base64") from error
    if base64.b64encode(data).decode() != text:  # trailing bits set: a second spelling of the same bytes
        raise CheckpointInvalid(f"{what} is not canonical base64")
    return data


def parse_vkey(text: str, use: bytes = ED25519) -> VerifierKey:
    """Read "<name>+<key id, 8 hex>+<base64 of the type and the public key>" of a log's key, or of a
    witness's (COSIGNATURE). CheckpointInvalid if it is none."""
    parts = text.strip().split("+", 2)  # the base64 part may hold a plus of its own
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
        raise CheckpointInvalid("a verifier key reads name+id+key")
    data = _decode(parts[2], "the verifier key")
    if len(data) != 33 or data[:1] != use:
        raise CheckpointInvalid(f"the verifier key is not an Ed25519 key of type 0x{use.hex()}")
    key = VerifierKey(parts[0], data[1:], use)
    if key.key_id.hex() != parts[1]:
        raise CheckpointInvalid("the verifier key's id does not match its name and key")
    return key


def private_key(pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise CheckpointInvalid("the log key is not an Ed25519 key")
    return key


def vkey_for(name: str, private_pem: bytes, use: bytes = ED25519) -> str:
    """The verifier key text to hand out, from the PKCS#8 PEM private key of a log or a witness."""
    if not _NAME.fullmatch(name):
        raise CheckpointInvalid("an origin has no spaces and no plus, e.g. example.com/log")
    return str(VerifierKey(name, private_key(private_pem).public_key().public_bytes_raw(), use))


def sign(checkpoint: Checkpoint, private_pem: bytes) -> str:
    """The signed note. Ed25519 is deterministic: signing the same head twice gives the same note."""
    key = parse_vkey(vkey_for(checkpoint.origin, private_pem))
    body = checkpoint.body()
    signature = private_key(private_pem).sign(body.encode())
    return f"{body}\n— {key.name} {base64.b64encode(key.key_id + signature).decode()}\n"


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Text (with its last newline) and the signature lines as (name, key id || signature)."""
    if len(note.encode(errors="replace")) > MAX_NOTE_BYTES:
        raise CheckpointInvalid("the note is larger than 64 KiB")
    if any(char < " " and char != "\n" for char in note):
        raise CheckpointInvalid("the note holds control characters")
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not text or not tail.endswith("\n"):
        raise CheckpointInvalid("the note has no signatures")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise CheckpointInvalid(f"the note has more than {MAX_SIGNATURES} signatures")
    found = []
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—" or not _NAME.fullmatch(parts[1]):
            raise CheckpointInvalid("a signature line is malformed")
        data = _decode(parts[2], "a signature")
        if len(data) < 5:
            raise CheckpointInvalid("a signature line is too short")
        found.append((parts[1], data))
    return text + "\n", found


def open_note(note: str, key: VerifierKey) -> str:
    """The text of a note that `key` signed. Any other outcome raises CheckpointInvalid."""
    text, signatures = split_note(note)
    ours = [data[4:] for name, data in signatures if name == key.name and data[:4] == key.key_id]
    if not ours:
        raise CheckpointInvalid("the note is not signed by this log key")
    public = Ed25519PublicKey.from_public_bytes(key.public)
    for signature in ours:
        try:
            public.verify(signature, text.encode())
        except InvalidSignature as error:
            raise CheckpointInvalid("the log's signature does not verify") from error
    return text


def parse_body(text: str) -> Checkpoint:
    """Read a checkpoint body. CheckpointInvalid unless it is exactly origin, size, root."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise CheckpointInvalid("a checkpoint of this log has exactly three lines")
    if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > MAX_SIZE:
        raise CheckpointInvalid("the tree size is malformed")
    root = _decode(lines[2], "the root hash")
    if len(root) != 32:
        raise CheckpointInvalid("the root hash is not 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), root)


def open_checkpoint(note: str, vkey: str | VerifierKey) -> Checkpoint:
    """Verify a signed checkpoint under a verifier key and return its body."""
    key = parse_vkey(vkey) if isinstance(vkey, str) else vkey
    checkpoint = parse_body(open_note(note, key))
    if checkpoint.origin != key.name:
        raise CheckpointInvalid("the checkpoint's origin is not the name of the log key")
    return checkpoint
