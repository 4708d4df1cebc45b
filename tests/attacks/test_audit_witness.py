"""Witnesses and monitors: a log that rolls back, forks, truncates or is impersonated is caught outside."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from byline.audit import merkle, monitor, tiles, witness
from byline.audit.checkpoint import COSIGNATURE, Checkpoint, CheckpointInvalid, sign, vkey_for

ORIGIN = "log.example/1"


def pem() -> bytes:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


LOG, OTHER, WITNESS = pem(), pem(), pem()
VKEY = vkey_for(ORIGIN, LOG)
WITNESS_VKEY = vkey_for("witness.example", WITNESS, COSIGNATURE)


class Files(dict):
    """A log as a dictionary of addresses, made the slow, obvious way."""

    def __init__(self, entries: list[bytes], *, key: bytes = LOG, claim: int | None = None) -> None:
        super().__init__()
        self.leaves = [merkle.leaf_hash(item) for item in entries]
        size = len(entries) if claim is None else claim
        self.note = sign(Checkpoint(ORIGIN, size, merkle.root_of(self.leaves)), key)
        self["checkpoint"] = self.note.encode()
        row, level = self.leaves, 0
        while row:
            for index in range(-(-len(row) // 256)):
                part = row[index * 256 : index * 256 + 256]
                self[tiles.path(level, index, len(part))] = b"".join(part)
                if level == 0:
                    bundle = tiles.pack(entries[index * 256 : index * 256 + len(part)])
                    self[tiles.path(tiles.ENTRIES, index, len(part))] = bundle
            row = [merkle.root_of(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
            level += 1

    def path(self, old: int) -> list[bytes]:
        size = len(self.leaves)
        nodes = tiles.TileNodes(size, lambda *where: self[tiles.path(*where)])
        return merkle.consistency_path(old, size, nodes)


def entries(count: int, salt: str = "") -> list[bytes]:
    return [f"entry {n}{salt}".encode() for n in range(count)]


SIZES = [(1, 1), (1, 2), (255, 256), (256, 257), (300, 70_000 // 100), (512, 1024)]


@pytest.mark.parametrize(("before", "after"), SIZES)
@pytest.mark.parametrize("deep", [False, True])
def test_a_log_that_only_grows_is_followed(before, after, deep):
    known = Files(entries(before)).note
    assert (
        monitor.follow(known, Files(entries(after)).__getitem__, VKEY, deep=deep)
        == Files(entries(after)).note
    )
    assert monitor.follow(None, Files(entries(after)).__getitem__, VKEY, deep=deep)


@pytest.mark.parametrize(
    ("now", "alarm"),
    [
        (Files(entries(299)), monitor.RolledBack),
        (Files(entries(300, "!")), monitor.SplitView),
        (Files(entries(600, "!")), monitor.SplitView),
        (Files([*entries(299), b"other", *entries(300)]), monitor.SplitView),
        (Files(list(reversed(entries(600)))), monitor.SplitView),
        (Files(entries(600), key=OTHER), monitor.BadSignature),
        (Files(entries(600), claim=601), monitor.Truncated),
        (Files([]), monitor.RolledBack),
    ],
)
def test_a_log_that_does_not_is_named(now, alarm):
    with pytest.raises(alarm):
        monitor.follow(Files(entries(300)).note, now.__getitem__, VKEY)


def test_missing_and_changed_resources():
    known = Files(entries(300)).note
    for address in ("checkpoint", tiles.path(0, 1), tiles.path(1, 0, 2)):
        log = Files(entries(600))
        del log[address]
        with pytest.raises(monitor.Truncated):
            monitor.follow(known, log.__getitem__, VKEY)
    log = Files(entries(600))
    log[tiles.path(0, 2, 88)] = bytes(88 * 32)
    with pytest.raises(monitor.SplitView):
        monitor.follow(known, log.__getitem__, VKEY)
    log = Files(entries(600))
    log[tiles.path(tiles.ENTRIES, 1)] = tiles.pack(entries(512, "?")[256:])
    assert monitor.follow(known, log.__getitem__, VKEY)  # hashes alone agree
    with pytest.raises(monitor.SplitView, match="entries"):
        monitor.follow(known, log.__getitem__, VKEY, deep=True)


def test_a_partial_tile_that_has_filled_up_is_read_from_the_full_one():
    log = Files(entries(600))
    note = Files(entries(300)).note
    log["checkpoint"] = note.encode()
    log[tiles.path(1, 0, 1)] = log[tiles.path(1, 0, 2)][:32]
    assert monitor.follow(None, log.__getitem__, VKEY, deep=True) == note


def test_a_proof_from_tiles_alone():
    log = Files(entries(700))
    path, head, _ = monitor.prove(300, log.__getitem__, VKEY)
    merkle.verify_inclusion(log.leaves[300], 300, head.size, path, head.root)


def the_witness() -> witness.Witness:
    return witness.Witness("witness.example", WITNESS, {ORIGIN: VKEY}, {})


def test_a_witness_cosigns_growth():
    judge = the_witness()
    small, large = Files(entries(5)), Files(entries(300))
    first = judge.add_checkpoint(witness.request(0, [], small.note), 1_700_000_000)
    assert witness.opened_by(
        small.note + witness.accept(first.encode(), small.note, WITNESS_VKEY), WITNESS_VKEY
    )
    line = judge.add_checkpoint(witness.request(5, large.path(5), large.note), 1_700_000_001)
    cosigned = large.note + line
    assert witness.opened_by(cosigned, WITNESS_VKEY) == 1_700_000_001
    again = judge.add_checkpoint(witness.request(300, [], large.note), 1_700_000_002)
    assert again != line


def refused(judge: witness.Witness, body: bytes) -> int:
    before = dict(judge.seen)
    with pytest.raises(witness.WitnessRefused) as caught:
        judge.add_checkpoint(body, 1)
    assert judge.seen == before
    return caught.value.status


def test_a_witness_refuses_what_the_standard_tells_it_to():
    judge = the_witness()
    small, large = Files(entries(5)), Files(entries(300))
    forked = Files(entries(300, "!"))
    judge.add_checkpoint(witness.request(0, [], small.note), 1)
    assert refused(judge, witness.request(0, [], large.note)) == 409  # not where we are
    assert refused(judge, witness.request(5, forked.path(5), forked.note)) == 422
    assert refused(judge, witness.request(5, [], large.note)) == 422
    assert refused(judge, witness.request(5, [], Files(entries(5, "!")).note)) == 409  # same size, other root
    assert refused(judge, witness.request(400, [], large.note)) == 400
    assert refused(judge, witness.request(5, large.path(5), Files(entries(300), key=OTHER).note)) == 403
    assert refused(judge, large.note.encode()) == 400
    assert refused(judge, b"\xff" * 100) == 400
    assert refused(judge, b"old 5\n" + b"A" * 70_000) == 400
    stranger = sign(Checkpoint("elsewhere.example", 1, bytes(32)), LOG)
    assert refused(judge, witness.request(0, [], stranger)) == 404


def test_a_cosignature_is_over_this_checkpoint_by_this_witness_at_this_time():
    note = Files(entries(5)).note
    line = witness.cosign(note, "witness.example", WITNESS, 1_700_000_000)
    assert witness.opened_by(note + line, WITNESS_VKEY) == 1_700_000_000
    with pytest.raises(CheckpointInvalid):
        witness.opened_by(Files(entries(6)).note + line, WITNESS_VKEY)
    with pytest.raises(CheckpointInvalid):
        witness.opened_by(note, WITNESS_VKEY)
    with pytest.raises(CheckpointInvalid):
        witness.opened_by(note + line, vkey_for("witness.example", OTHER, COSIGNATURE))
    data = bytearray(base64.b64decode(line.split(" ")[2]))
    data[11] ^= 1  # the time is under the signature
    moved = f"— witness.example {base64.b64encode(data).decode()}\n"
    with pytest.raises(CheckpointInvalid):
        witness.opened_by(note + moved, WITNESS_VKEY)
    with pytest.raises(CheckpointInvalid):
        witness.accept(b"nothing of use\n", note, WITNESS_VKEY)
