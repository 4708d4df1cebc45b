"""Salted commitments: the log keeps these instead of prompts, names and biometrics.

Promise: HMAC-SHA256 under a random salt of 32 bytes kept beside the plaintext. Whoever holds
value and salt can show what was logged; whoever holds only the log learns nothing, not even
whether two prompts were equal; erasing value and salt leaves every proof intact.
Left out: keeping the salts, and encrypting them per person, is the business of their owners.
"""

import hashlib
import hmac
import secrets

from byline.audit.base.errors import InvalidInput

SALT_BYTES = 32
MIN_SALT_BYTES = 16  # RFC 2104 section 3 discourages keys shorter than the hash; 128 bits is our floor


class CommitmentMismatch(InvalidInput):
    code = "commitment_mismatch"
    help = "The value or the salt is not the one that was logged."


def new_salt() -> bytes:
    """32 random bytes; one per committed value, never reused."""
    return secrets.token_bytes(SALT_BYTES)


def commitment(value: str | bytes, salt: bytes) -> str:
    """HMAC-SHA256(salt, value) in hex; text is taken as UTF-8. InvalidInput for a short salt."""
    if len(salt) < MIN_SALT_BYTES:
        raise InvalidInput(f"a salt has at least {MIN_SALT_BYTES} bytes")
    data = value.encode() if isinstance(value, str) else value
    return hmac.new(salt, data, hashlib.sha256).hexdigest()


def open_commitment(value: str | bytes, salt: bytes, logged: str) -> None:
    """Raise CommitmentMismatch unless `logged` commits to this value under this salt."""
    if not hmac.compare_digest(commitment(value, salt), logged):
        raise CommitmentMismatch("the commitment does not open to this value")
