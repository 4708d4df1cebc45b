"""RFC 6962 Merkle trees: hashes, roots, inclusion and consistency proofs. Pure, no I/O.

Promise: every function here is a direct reading of RFC 6962 section 2.1 (proof checking:
RFC 9162 sections 2.1.3.2 and 2.1.4.2, which spell out the verifier's steps), SHA-256 only.
Proofs are made from a `Nodes` function that knows the hashes of complete subtrees, so the same
code runs on a list in memory, on tiles in a database or on a static export.
Left out: where hashes are kept (tiles.py, store.py) and signed tree heads (checkpoint.py).
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_PATH = 64  # a tree of 2^63 leaves has paths of 63 hashes; longer ones are hostile input

# (level, index) -> MTH(D[index * 2^level : (index + 1) * 2^level]), always a complete subtree.
Nodes = Callable[[int, int], bytes]


class MerkleError(ValueError):
    """A proof does not lead to the root, or an index or size makes no sense."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data). The prefix keeps a leaf from being passed off as a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), both 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def row_above(row: Sequence[bytes]) -> list[bytes]:
    """The parents of a row of nodes, pair by pair; an odd last node has no parent yet."""
    sha256, pairs = hashlib.sha256, zip(row[::2], row[1::2], strict=False)
    return [sha256(b"\x01" + left + right).digest() for left, right in pairs]


def complete_root(row: Sequence[bytes]) -> bytes:
    """Root over 2^n hashes. Half the time that CompactRange takes."""
    while len(row) > 1:
        row = row_above(row)
    return row[0]


class CompactRange:
    """The right edge of a growing tree: append leaf hashes, ask for the root, in O(log n) memory."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._stack: list[bytes] = []  # roots of the complete subtrees, largest first
        for leaf in leaves:
            self.append(leaf)

    def append(self, node: bytes, height: int = 0) -> None:
        """Add a leaf hash, or the root over the next 2^height leaves where a subtree of that size begins."""
        count = self.size >> height
        if count << height != self.size:
            raise MerkleError(f"no subtree of height {height} begins at {self.size}")
        while count & 1:
            node = node_hash(self._stack.pop(), node)
            count >>= 1
        self._stack.append(node)
        self.size += 1 << height

    def root(self) -> bytes:
        if not self._stack:
            return EMPTY_ROOT
        digest = self._stack[-1]
        for left in reversed(self._stack[:-1]):
            digest = node_hash(left, digest)
        return digest


def root_of(leaves: Iterable[bytes]) -> bytes:
    """MTH over leaf hashes (32 bytes each), in order."""
    return CompactRange(leaves).root()


def _split(size: int) -> int:
    """The largest power of two smaller than size (size >= 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def subtree(start: int, end: int, nodes: Nodes) -> bytes:
    """MTH(D[start:end]) where [start, end) is a range that the RFC's recursion meets."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(size)
    return node_hash(subtree(start, middle, nodes), subtree(middle, end, nodes))


def root(size: int, nodes: Nodes) -> bytes:
    """Root of the first `size` leaves."""
    return subtree(0, size, nodes) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, nearest sibling first. MerkleError if outside."""
    if not 0 <= index < size:
        raise MerkleError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end, nodes))
            end = middle
        else:
            path.append(subtree(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 section 2.1.2; empty when old is 0 or equals new."""
    if not 0 <= old <= new:
        raise MerkleError(f"no consistency proof from size {old} to {new}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, end = 0, new
    whole = True  # is the old tree's root itself the hash we stand on?
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree(middle, end, nodes))
            end = middle
        else:
            path.append(subtree(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, end, nodes))
    return path[::-1]


def _check_hashes(path: Sequence[bytes]) -> None:
    if len(path) > MAX_PATH:
        raise MerkleError("the proof is longer than any tree needs")
    if any(len(item) != HASH_SIZE for item in path):
        raise MerkleError("a hash in the proof is not 32 bytes")


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that this path proves for a leaf hash at `index` in a tree of `size` (RFC 9162 2.1.3.2)."""
    _check_hashes([leaf, *path])
    if not 0 <= index < size:
        raise MerkleError(f"leaf {index} is not in a tree of {size}")
    position, last, digest = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise MerkleError("the inclusion proof is too long for this tree size")
        if position & 1 or position == last:
            digest = node_hash(sibling, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise MerkleError("the inclusion proof is too short for this tree size")
    return digest


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Raise MerkleError unless the leaf hash is at `index` in the tree of `size` with root `expected`."""
    if root_from_inclusion(leaf, index, size, path) != expected:
        raise MerkleError("the inclusion proof does not lead to the root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Raise MerkleError unless the tree of `new` begins with the tree of `old` (RFC 9162 2.1.4.2)."""
    _check_hashes([old_root, new_root, *path])
    if not 0 <= old <= new:
        raise MerkleError(f"size {new} cannot extend size {old}")
    if old in (0, new):
        # Nothing to prove; but an equal size with another root is a fork, and an empty tree has one root.
        if path or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise MerkleError("the two tree heads contradict each other")
        return
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)  # a complete old tree is left out of the proof
    if not hashes:
        raise MerkleError("the consistency proof is empty")
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    seen_old = seen_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise MerkleError("the consistency proof is too long")
        if position & 1 or position == last:
            seen_old, seen_new = node_hash(sibling, seen_old), node_hash(sibling, seen_new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            seen_new = node_hash(seen_new, sibling)
        position, last = position >> 1, last >> 1
    if last or seen_old != old_root or seen_new != new_root:
        raise MerkleError("the consistency proof does not join the two tree heads")
