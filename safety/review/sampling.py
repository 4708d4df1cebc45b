"""Which cases are looked at a second time, and which allowed clips at all: draws that can be repeated. Pure.

The draw depends on the seed, the purpose and the random id alone: who knows the seed can show that nobody
chose, and who does not know it cannot tell what will be drawn.
"""

import hashlib


def drawn(seed: str, purpose: str, subject: str, percent: float) -> bool:
    """Whether `subject` is among the `percent` of a hundred that are drawn for `purpose`."""
    digest = hashlib.sha256("\0".join((seed, purpose, subject)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100 < percent
