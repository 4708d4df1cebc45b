"""Signed statements: a JSON object that says what it is, and an Ed25519 signature over it.

Promises: the signature covers the canonical JSON (byline.audit.canonical, a subset of RFC 8785) of
the object without its `signature` field, so the kind and version are signed, too, and no statement
passes for another; keys are C2SP verifier keys (name+id+key), as the log's is. Reading is strict:
exactly these fields, one signature, of the key that the reader supplied. Needs no Django.
Left out: several signers and expiry; a statement says its own time in its body.
"""

import base64
import binascii
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from byline.audit import canonical
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.audit.checkpoint import CheckpointInvalid, VerifierKey, parse_vkey

VERSION = 1
MAX_BYTES = 64 << 20  # a status list of a million clips is about this long
_FIELDS = {"kind", "v", "body", "signature"}
_SIGNATURE = {"algorithm", "key", "value"}


class BadStatement(InvalidInput):
    """The file is no statement, is another kind, was changed, or was signed by another key."""

    code = "bad_statement"
    help = "Get it again from the newsroom, and its key (in the trust bundle) over a channel that you trust."


def sign(kind: str, body: dict[str, Any], private_pem: bytes, vkey: str) -> dict[str, Any]:
    """The statement as a JSON object. `vkey` is the public half of `private_pem` (Ed25519, PKCS#8).

    ConfigurationError when the two do not belong together; CanonicalError for a body with floats or
    other values that have no canonical form.
    """
    key = load_pem_private_key(private_pem, password=None)
    verifier = parse_vkey(vkey)
    if not isinstance(key, Ed25519PrivateKey) or key.public_key().public_bytes_raw() != verifier.public:
        raise ConfigurationError("the signing key of statements and its public key do not belong together")
    statement: dict[str, Any] = {"kind": kind, "v": VERSION, "body": body}
    value = base64.b64encode(key.sign(canonical.encode(statement))).decode()
    name = f"{verifier.name}+{verifier.key_id.hex()}"
    return statement | {"signature": {"algorithm": "Ed25519", "key": name, "value": value}}


def check(statement: Any, kind: str, vkey: str) -> dict[str, Any]:
    """The body of a statement of this kind that the key signed. BadStatement otherwise."""
    if not isinstance(statement, dict) or set(statement) != _FIELDS:
        raise BadStatement("the file is not a signed statement")
    if statement["kind"] != kind or statement["v"] != VERSION or isinstance(statement["v"], bool):
        raise BadStatement(f"the statement is not a {kind} of version {VERSION}")
    signature, body = statement["signature"], statement["body"]
    if not isinstance(signature, dict) or set(signature) != _SIGNATURE or not isinstance(body, dict):
        raise BadStatement("the statement is not well formed")
    try:
        key: VerifierKey = parse_vkey(vkey)
    except CheckpointInvalid as error:
        raise BadStatement("the key to check the statement with is malformed") from error
    if signature["algorithm"] != "Ed25519" or signature["key"] != f"{key.name}+{key.key_id.hex()}":
        raise BadStatement("the statement is signed by another key than the one you supplied")
    try:
        value = base64.b64decode(signature["value"], validate=True)
        signed = canonical.encode({name: statement[name] for name in ("kind", "v", "body")})
        Ed25519PublicKey.from_public_bytes(key.public).verify(value, signed)
    except (binascii.Error, TypeError, ValueError, RecursionError, InvalidSignature) as error:
        raise BadStatement("the signature does not hold: the statement was changed") from error
    return body


def load(path: Path) -> Any:
    """The JSON of a statement's file, unchecked. BadStatement when it is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadStatement("the statement is larger than 64 MiB")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadStatement("the statement cannot be read as JSON") from error
