"""RFC 6962: the published known answers, then properties over random trees."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit import merkle, tiles

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc6962.json").read_text())
LEAVES = [merkle.leaf_hash(bytes.fromhex(data)) for data in VECTORS["leaves"]]


def nodes_of(leaves):
    return lambda level, index: merkle.root_of(leaves[index << level : (index + 1) << level])


def unhex(values):
    return [bytes.fromhex(value) for value in values]


def many(count):
    return [merkle.leaf_hash(str(number).encode()) for number in range(count)]


def reference_root(leaves):
    """MTH by the definition in the RFC, sharing no code with the module."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle.node_hash(reference_root(leaves[:k]), reference_root(leaves[k:]))


def test_empty_tree():
    assert merkle.root_of([]).hex() == merkle.root(0, nodes_of([])).hex() == VECTORS["empty_root"]


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size):
    expected = VECTORS["roots"][size - 1]
    assert merkle.root_of(LEAVES[:size]).hex() == expected
    assert merkle.root(size, nodes_of(LEAVES)).hex() == expected


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda c: f"{c['index']}-of-{c['size']}")
def test_published_inclusion(case):
    index, size, path = case["index"], case["size"], unhex(case["path"])
    root = bytes.fromhex(VECTORS["roots"][size - 1])
    assert merkle.inclusion_path(index, size, nodes_of(LEAVES)) == path
    merkle.verify_inclusion(LEAVES[index], index, size, path, root)


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda c: f"{c['old']}-{c['new']}")
def test_published_consistency(case):
    old, new, path = case["old"], case["new"], unhex(case["path"])
    roots = unhex(VECTORS["roots"])
    assert merkle.consistency_path(old, new, nodes_of(LEAVES)) == path
    merkle.verify_consistency(old, new, roots[old - 1], roots[new - 1], path)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 700), st.data())
def test_every_leaf_is_proved_and_no_other(size, data):
    leaves = many(size)
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root_of(leaves)
    assert root == reference_root(leaves)
    path = merkle.inclusion_path(index, size, nodes_of(leaves))
    merkle.verify_inclusion(leaves[index], index, size, path, root)
    wrong = data.draw(st.integers(0, size + 3).filter(lambda value: value != index))
    with pytest.raises(merkle.MerkleError):
        merkle.verify_inclusion(leaves[index], wrong, size, path, root)
    for broken in ([*path, root], path[:-1] if path else [root]):
        with pytest.raises(merkle.MerkleError):
            merkle.verify_inclusion(leaves[index], index, size, broken, root)
    if path:
        at, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
        flipped = bytearray(path[at])
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(merkle.MerkleError):
            merkle.verify_inclusion(
                leaves[index], index, size, [*path[:at], bytes(flipped), *path[at + 1 :]], root
            )


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.data())
def test_consistency_holds_for_extensions_only(old, more, data):
    leaves = many(old + more)
    new = len(leaves)
    nodes = nodes_of(leaves)
    old_root, new_root = merkle.root_of(leaves[:old]), merkle.root_of(leaves)
    path = merkle.consistency_path(old, new, nodes)
    merkle.verify_consistency(old, new, old_root, new_root, path)
    if old:
        forked = list(leaves[:old])
        forked[data.draw(st.integers(0, old - 1))] = merkle.leaf_hash(b"another history")
        with pytest.raises(merkle.MerkleError):
            merkle.verify_consistency(old, new, merkle.root_of(forked), new_root, path)
    with pytest.raises(merkle.MerkleError):
        merkle.verify_consistency(old, new, old_root, new_root, [*path, new_root])
    if path:
        with pytest.raises(merkle.MerkleError):
            merkle.verify_consistency(old, new, old_root, new_root, path[:-1])


def test_sizes_that_make_no_sense_are_refused():
    with pytest.raises(merkle.MerkleError):
        merkle.inclusion_path(3, 3, nodes_of(LEAVES))
    with pytest.raises(merkle.MerkleError):
        merkle.consistency_path(4, 3, nodes_of(LEAVES))
    with pytest.raises(merkle.MerkleError):
        merkle.verify_consistency(5, 4, LEAVES[0], LEAVES[1], [])
    with pytest.raises(merkle.MerkleError):
        merkle.root_from_inclusion(LEAVES[0], 0, 2**62, [LEAVES[0]] * 65)
    with pytest.raises(merkle.MerkleError):
        merkle.root_from_inclusion(LEAVES[0], 0, 2, [b"short"])


class Store:
    """A tree on full tiles in a dict plus its partial right edge, as the database keeps it."""

    def __init__(self):
        self.full, self.leaves = {}, []

    def fetch(self, level, index, width):
        tile = self.full.get((level, index))
        if tile:
            return tile.hashes[: width * 32]
        if level == 0:
            return b"".join(self.leaves[index * 256 : index * 256 + width])
        return b"".join(self.full[level - 1, index * 256 + at].root for at in range(width))

    def append(self, leaves):
        for tile in tiles.grow(len(self.leaves), leaves, self.fetch):
            assert (tile.level, tile.index) not in self.full
            self.full[tile.level, tile.index] = tile
        self.leaves += leaves


def test_tiles_grown_in_batches_give_the_roots_and_proofs_of_the_whole_tree():
    everything = many(66_100)  # past 65,536 leaves, so that a level-1 tile is full
    store, heads = Store(), []
    for batch in (1, 254, 1, 1, 300, 4096, 60_000, 900, 1446 - 899):
        store.append(everything[len(store.leaves) : len(store.leaves) + batch])
        size = len(store.leaves)
        root = merkle.root(size, tiles.TileNodes(size, store.fetch))
        assert root == merkle.root_of(everything[:size])
        heads.append((size, root))
    size, root = heads[-1]
    assert size == 66_100
    assert {level for level, _ in store.full} == {0, 1}
    for old, old_root in heads:  # the tree has grown since; partial tiles of then are parts of now
        nodes = tiles.TileNodes(size, store.fetch)
        merkle.verify_consistency(old, size, old_root, root, merkle.consistency_path(old, size, nodes))
        then = tiles.TileNodes(old, store.fetch)
        path = merkle.inclusion_path(old - 1, old, then)
        merkle.verify_inclusion(everything[old - 1], old - 1, old, path, old_root)


def test_a_short_tile_is_an_error_not_a_wrong_root():
    nodes = tiles.TileNodes(300, lambda level, index, width: b"\x00" * 32)
    with pytest.raises(merkle.MerkleError):
        merkle.root(300, nodes)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ((0, 1234067, 256), "tile/0/x001/x234/067"),  # the example of C2SP tlog-tiles
        ((1, 0, 17), "tile/1/000.p/17"),
        ((0, 273, 112), "tile/0/273.p/112"),
        ((2, 1000, 256), "tile/2/x001/000"),
    ],
)
def test_tile_addresses(address, expected):
    assert tiles.path(*address) == expected
