"""Just enough DER (ITU-T X.690) for RFC 3161 time stamps and PKCS#10 certificate requests.

Promises: `children` walks one constructed value and refuses lengths that do not fit; the writers
give the one DER form. Left out: indefinite lengths, tags above 30, every type that neither of
the two needs.
"""

from collections.abc import Iterator

SEQUENCE, SET, INTEGER, BITS, OCTETS, OID, BOOLEAN, TIME = 0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0x01, 0x18


class DerError(ValueError):
    """The bytes are not the DER value that was expected."""


def write(tag: int, *parts: bytes) -> bytes:
    """One value: tag, shortest length, contents."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | (arc & 0x7F))
        body += bytes(reversed(groups))
    return write(OID, bytes(body))


def set_of(*values: bytes) -> bytes:
    """A SET OF, in the ascending order that DER demands (X.690 section 11.6)."""
    return write(SET, *sorted(values))


def children(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The values that follow one another in `data`, each as (tag, contents, whole encoding)."""
    at = 0
    while at < len(data):
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            raise DerError("a value is cut short or has a long tag")
        start, tag, length = at, data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4 or at + count > len(data):
                raise DerError("a length is malformed")
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise DerError("a value is longer than the data")
        yield tag, data[at : at + length], data[start : at + length]
        at += length
