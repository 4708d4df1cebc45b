"""The 64-bit id that the picture mark carries: 40-bit keyed serial, 24-bit authentication tag.

Promises: serials leave this module only through a keyed permutation (a stranger cannot count our
clips or guess the next id), and an id that was not made with one of our keys is refused before
any record is looked up, so the public recovery page is no enumeration oracle. The permutation is
a balanced Feistel network with HMAC-SHA-256 as round function (Luby-Rackoff; NIST SP 800-38G
builds FF1 the same way). Leaves out: 24 bits stop guessing at 1 in 16.7 million per try and key,
not a patient attacker with unlimited tries: callers rate-limit. An id says nothing about content.
"""

import hashlib
import hmac
from collections.abc import Sequence

from byline.audit.base.errors import BylineError, InvalidInput

SERIAL_BITS = 40
TAG_BITS = 24
KEY_BYTES = 32

_HALF_BITS = SERIAL_BITS // 2
_HALF_MASK = (1 << _HALF_BITS) - 1
_ROUNDS = 8  # four are enough in theory; the halves are short (20 bits), so keep a margin


class ForgedMark(BylineError):
    """The id's authentication tag was made with none of the active keys."""

    code = "forged_mark"
    status = 422
    help = "The embedded id was not issued here. Treat the mark as unknown; it names no record."


class BadMarkId(InvalidInput):
    """A serial, id or key outside its range."""

    code = "bad_mark_id"


def _check_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise BadMarkId(f"an id key is {KEY_BYTES} bytes, this one has {len(key)}")


def _round(key: bytes, number: int, half: int) -> int:
    message = b"byline mark id, round" + bytes([number]) + half.to_bytes(3, "big")
    return int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:3], "big") & _HALF_MASK


def _permute(serial: int, key: bytes) -> int:
    left, right = serial >> _HALF_BITS, serial & _HALF_MASK
    for number in range(_ROUNDS):
        left, right = right, left ^ _round(key, number, right)
    return left << _HALF_BITS | right


def _invert(permuted: int, key: bytes) -> int:
    left, right = permuted >> _HALF_BITS, permuted & _HALF_MASK
    for number in reversed(range(_ROUNDS)):
        left, right = right ^ _round(key, number, left), left
    return left << _HALF_BITS | right


def _tag(permuted: int, key: bytes) -> bytes:
    message = b"byline mark id, tag" + permuted.to_bytes(SERIAL_BITS // 8, "big")
    return hmac.digest(key, message, hashlib.sha256)[: TAG_BITS // 8]


def new_mark_id(serial: int, key: bytes) -> int:
    """The 64-bit id for `serial` (0 <= serial < 2**40) under a 32-byte key. BadMarkId outside the range."""
    _check_key(key)
    if not 0 <= serial < 1 << SERIAL_BITS:
        raise BadMarkId(f"a serial has {SERIAL_BITS} bits; {serial} does not fit")
    permuted = _permute(serial, key)
    return permuted << TAG_BITS | int.from_bytes(_tag(permuted, key), "big")


def open_mark_id(mark_id: int, keys: Sequence[bytes]) -> int:
    """The serial inside `mark_id`, under the first of the active keys that authenticates it.

    Raises ForgedMark if none does (probability of passing by chance: len(keys) / 2**24), BadMarkId
    for a number outside 64 bits or a key of the wrong length.
    """
    if not 0 <= mark_id < 1 << (SERIAL_BITS + TAG_BITS):
        raise BadMarkId("a mark id has 64 bits; this number does not fit")
    permuted = mark_id >> TAG_BITS
    claimed = (mark_id & ((1 << TAG_BITS) - 1)).to_bytes(TAG_BITS // 8, "big")
    for key in keys:
        _check_key(key)
        if hmac.compare_digest(claimed, _tag(permuted, key)):
            return _invert(permuted, key)
    raise ForgedMark("the mark's id carries no valid authentication tag")
