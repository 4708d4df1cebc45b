"""C2SP signed notes and checkpoints: the published answers, and strict reading."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from byline.audit import checkpoint as cp

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "c2sp_signed_note.json").read_text())


def pem(private):
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


KEY = pem(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
HEAD = cp.Checkpoint("example.com/log", 7, b"\x01" * 32)


def test_published_note_opens_and_only_unchanged():
    key = cp.parse_vkey(VECTORS["vkey"])
    assert cp.open_note(VECTORS["note"], key).endswith("what your problem is.\n")
    with pytest.raises(cp.CheckpointInvalid):
        cp.open_note(VECTORS["note"].replace("cryptography", "cryptographY"), key)


def test_published_key_pair():
    seed = base64.b64decode(VECTORS["private_seed_base64"])
    assert cp.vkey_for("PeterNeumann", pem(Ed25519PrivateKey.from_private_bytes(seed))) == VECTORS["vkey"]
    assert str(cp.parse_vkey(VECTORS["vkey"])) == VECTORS["vkey"]


@pytest.mark.parametrize("name", VECTORS["bad_vkeys"])
def test_bad_verifier_keys(name):
    with pytest.raises(cp.CheckpointInvalid):
        cp.parse_vkey(VECTORS["bad_vkeys"][name])


def test_example_body_reads_and_writes_back():
    body = VECTORS["checkpoint_body"]
    head = cp.parse_body(body)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20852163)
    assert head.body() == body


def test_sign_is_repeatable_and_opens():
    note = cp.sign(HEAD, KEY)
    assert note == cp.sign(HEAD, KEY)
    assert cp.open_checkpoint(note, cp.vkey_for(HEAD.origin, KEY)) == HEAD


def test_a_witness_line_is_allowed_beside_ours():
    note = cp.sign(HEAD, KEY) + "— witness.example/w " + base64.b64encode(b"\x09" * 76).decode() + "\n"
    assert cp.open_checkpoint(note, cp.vkey_for(HEAD.origin, KEY)) == HEAD


def test_another_key_or_another_origin_is_refused():
    note = cp.sign(HEAD, KEY)
    other = pem(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(cp.CheckpointInvalid, match="not signed by"):
        cp.open_checkpoint(note, cp.vkey_for(HEAD.origin, other))
    with pytest.raises(cp.CheckpointInvalid, match="not signed by"):
        cp.open_checkpoint(note, cp.vkey_for("example.com/other", KEY))


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n7\n", "\n8\n"),
        lambda note: note.replace("\n7\n", "\n07\n"),
        lambda note: note.replace("\n7\n", "\n7\r\n"),
        lambda note: note[:-1],
        lambda note: note.split("\n\n")[0] + "\n",
        lambda note: note + note.splitlines()[-1] + "x\n",
        lambda note: note + (note.splitlines()[-1] + "\n") * 16,
        lambda note: note.replace("— ", "- "),
        lambda note: "x" * 70_000 + note,
    ],
)
def test_changed_notes_are_refused(change):
    note = cp.sign(HEAD, KEY)
    with pytest.raises(cp.CheckpointInvalid):
        cp.open_checkpoint(change(note), cp.vkey_for(HEAD.origin, KEY))


@pytest.mark.parametrize(
    "body",
    [
        "a\n1\n",
        "a\n1\nAAAA\n",
        "\n1\n" + "A" * 43 + "=\n",
        "a\n-1\n" + "A" * 43 + "=\n",
        "a\n1\n" + "A" * 43 + "=\nx\n",
    ],
)
def test_malformed_bodies(body):
    with pytest.raises(cp.CheckpointInvalid):
        cp.parse_body(body)


def test_base64_with_a_second_spelling_is_refused():
    with pytest.raises(cp.CheckpointInvalid, match="canonical"):
        cp.parse_body("a\n1\n" + "A" * 42 + "B=\n")


def test_only_ed25519_signs():
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    with pytest.raises(cp.CheckpointInvalid, match="Ed25519"):
        cp.sign(HEAD, pem(generate_private_key(SECP256R1())))
