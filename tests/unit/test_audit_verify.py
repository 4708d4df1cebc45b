"""The lone verifier: good proofs pass, every changed field is refused, and it needs no Django."""

import copy
import json
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from byline.audit import canonical, merkle
from byline.audit.checkpoint import Checkpoint, sign, vkey_for
from byline.audit.verify import ProofInvalid, verify_proof

ORIGIN = "example.com/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
VKEY = vkey_for(ORIGIN, KEY)


def make(index=5, size=11):
    entries = [
        canonical.entry(
            pk=number + 1,
            kind="test.note",
            subject=f"s{number}",
            actor="editor",
            payload={"n": number, "text": "Grüße"},
            created="2026-01-02T00:00:00.000000Z",
        )
        for number in range(size)
    ]
    leaves = [merkle.leaf_hash(canonical.encode(entry)) for entry in entries]

    def nodes(level, at):
        return merkle.root_of(leaves[at << level : (at + 1) << level])

    return {
        "v": 1,
        "origin": ORIGIN,
        "entry": entries[index],
        "leaf_hash": leaves[index].hex(),
        "index": index,
        "tree_size": size,
        "path": [item.hex() for item in merkle.inclusion_path(index, size, nodes)],
        "checkpoint": sign(Checkpoint(ORIGIN, size, merkle.root_of(leaves)), KEY),
    }


def test_a_proof_holds_also_after_a_trip_through_json():
    proof = json.loads(json.dumps(make()))
    assert verify_proof(proof, VKEY) == proof["entry"]
    assert verify_proof(make(0, 1), VKEY)["id"] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "version"),
        ({"v": True}, "version"),
        ({"origin": "example.com/other"}, "different logs"),
        ({"index": 4}, "does not lead to the root"),
        ({"index": -1}, "whole number"),
        ({"index": 2.0}, "whole number"),
        ({"tree_size": 12}, "different tree sizes"),
        ({"leaf_hash": "0" * 64}, "entry was changed"),
        ({"leaf_hash": "xyz"}, "hex"),
        ({"path": []}, "too short"),
        ({"path": "00"}, "list"),
        ({"path": [1]}, "hex"),
        ({"path": ["00" * 32] * 65}, "list"),
        ({"checkpoint": 5}, "text"),
        ({"checkpoint": ""}, "no signatures"),
        ({"entry": {}}, "fields"),
        ({"more": 1}, "fields"),
    ],
)
def test_every_changed_field_is_refused(change, reason):
    with pytest.raises(ProofInvalid, match=reason) as caught:
        verify_proof({**make(), **change}, VKEY)
    assert caught.value.reason


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "another clip"},
        {"actor": "nobody"},
        {"created": "2026-01-02T00:00:00.000001Z"},
        {"payload": {"n": 5, "text": "Grusse"}},
        {"payload": {"n": 5.0, "text": "Grüße"}},
        {"id": 7},
    ],
)
def test_an_edited_entry_is_refused(change):
    proof = make()
    proof["entry"].update(change)
    with pytest.raises(ProofInvalid):
        verify_proof(proof, VKEY)


def test_the_log_key_decides():
    stranger = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ProofInvalid, match="not signed by"):
        verify_proof(make(), vkey_for(ORIGIN, stranger))
    forged = make()
    body = forged["checkpoint"].split("\n\n")[0]
    origin, size, _ = body.split("\n")
    forged["checkpoint"] = sign(Checkpoint(origin, int(size), b"\x00" * 32), stranger)
    with pytest.raises(ProofInvalid, match="not signed by"):
        verify_proof(forged, VKEY)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(make())), junk)
def test_hostile_values_raise_only_proof_invalid(field, value):
    proof = copy.deepcopy(make())
    if proof[field] == value and type(proof[field]) is type(value):
        return
    proof[field] = value
    with pytest.raises(ProofInvalid):
        verify_proof(proof, VKEY)


@pytest.mark.parametrize("value", [None, [], "proof", 1])
def test_what_is_no_proof_at_all(value):
    with pytest.raises(ProofInvalid):
        verify_proof(value, VKEY)


def test_it_runs_without_django_or_anything_else_of_ours(tmp_path):
    program = (
        "import sys, json\n"
        "sys.modules['django'] = sys.modules['psycopg'] = sys.modules['yaml'] = None\n"
        "from byline.audit.verify import verify_proof\n"
        "proof, vkey = json.load(sys.stdin)\n"
        "print(verify_proof(proof, vkey)['subject'])\n"
        "print(sorted(m for m in sys.modules if m.startswith('byline.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([make(), VKEY]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    subject, modules = done.stdout.splitlines()
    assert subject == "s5"
    needed = ["", ".canonical", ".checkpoint", ".merkle", ".verify"]
    assert modules == str([f"byline.audit{name}" for name in needed])
