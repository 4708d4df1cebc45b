"""The log as strangers meet it: tiles over HTTP, proofs, a monitor and a witness, by their commands."""

import json
import threading
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections, transaction

from byline.audit import archive, kinds, log, merkle, seal, serving, store, tiles, witness
from byline.audit.base import conf, keyring
from byline.audit.checkpoint import COSIGNATURE, Checkpoint, open_checkpoint, sign, vkey_for
from byline.audit.models import Checkpoint as Signed
from byline.audit.models import Cosignature
from byline.platform.cli import main
from byline.platform.database import location
from byline.platform.database.roles import acting_as
from byline.platform.ledger import witness_server, witnesses

pytestmark = pytest.mark.django_db(transaction=True)
kinds.register("test.outside", required={"n": int})


def grow(count: int) -> list[int]:
    """So many more entries, sealed; their ids."""
    with transaction.atomic():
        made = [
            log.append("test.outside", subject=f"n:{n}", actor="user:1", payload={"n": n}).pk
            for n in range(count)
        ]
    with acting_as("sealer"):
        seal.seal_pending()
    return made


def vkey() -> str:
    return keyring.read("log_vkey").decode().strip()


@pytest.fixture
def superuser(cluster):
    """A connection that may do anything to the tables."""

    def connect():
        connections.close_all()
        return cluster.connect(location.NAME)

    return connect


@pytest.fixture
def audit_url(live_server) -> str:
    return f"{live_server.url}/audit"


class TestServed:
    def test_tiles_are_those_of_the_standard(self, client):
        grow(300)
        leaves = [bytes(leaf) for leaf in _leaves()]
        answer = client.get("/audit/tile/0/000")
        assert (answer.status_code, answer.content) == (200, b"".join(leaves[:256]))
        assert "immutable" in answer["Cache-Control"]
        assert client.get("/audit/tile/0/001.p/44").content == b"".join(leaves[256:])
        assert client.get("/audit/tile/1/000.p/1").content == merkle.root_of(leaves[:256])
        head = open_checkpoint(client.get("/audit/checkpoint").content.decode(), vkey())
        assert (head.size, head.root) == (300, merkle.root_of(leaves))

    @pytest.mark.parametrize(
        "address",
        ["0/001", "0/001.p/45", "0/001.p/0", "1/000", "2/000", "0/1", "0/000.p/256", "64/000",
         "0/x000/000", "0/../0/000", "9999999999999999999999/000", "0/x999/x999/x999/x999/999"],
    )  # fmt: skip
    def test_what_the_tree_has_not_got_is_404(self, client, address):
        grow(300)
        answer = client.get(f"/audit/tile/{address}")
        assert answer.status_code == 404

    def test_entries_need_a_right(self, client, settings):
        grow(300)
        assert client.get("/audit/tile/entries/000").status_code == 403
        settings.BYLINE = {**settings.BYLINE, "PUBLIC_LOG_ENTRIES": True}
        bundle = tiles.unpack(client.get("/audit/tile/entries/001.p/44").content)
        assert [merkle.leaf_hash(item) for item in bundle] == [bytes(leaf) for leaf in _leaves()][256:]
        settings.BYLINE = {**settings.BYLINE, "PUBLIC_LOG_ENTRIES": False}
        auditor = User.objects.create_user("auditor", password="x")
        auditor.user_permissions.add(Permission.objects.get(codename="view_entry"))
        client.force_login(auditor)
        answer = client.get("/audit/tile/entries/000")
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]

    def test_proofs(self, client):
        (first, *_) = grow(300)
        grow(100)
        path = client.get("/audit/proof/consistency?old=300&new=400").json()["path"]
        hashes = [bytes.fromhex(item) for item in path]
        merkle.verify_consistency(300, 400, store.root(300), store.root(400), hashes)
        proof = log.proof(first)
        found = client.get(f"/audit/proof/inclusion?leaf={proof['leaf_hash']}").json()
        assert "entry" not in found
        merkle.verify_inclusion(
            bytes.fromhex(proof["leaf_hash"]),
            found["index"],
            found["tree_size"],
            [bytes.fromhex(item) for item in found["path"]],
            open_checkpoint(found["checkpoint"], vkey()).root,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("address", "status"),
        [("consistency?old=400&new=300", 400), ("consistency?old=0&new=9999", 400),
         ("consistency?old=a&new=1", 400), ("consistency", 400), ("inclusion?leaf=00", 404),
         ("inclusion?leaf=" + "0" * 64, 404), ("inclusion", 404)],
    )  # fmt: skip
    def test_nonsense_is_told_so(self, client, address, status):
        grow(300)
        answer = client.get(f"/audit/proof/{address}")
        assert answer.status_code == status
        assert answer.json()["help"]

    def test_an_empty_log(self, client):
        assert client.get("/audit/checkpoint").status_code == 404
        assert client.get("/audit/tile/0/000").status_code == 404


def _leaves():
    from byline.audit.models import SealedLeaf

    return SealedLeaf.objects.order_by("index").values_list("leaf_hash", flat=True)


class TestProofs:
    def test_a_proof_is_checked_alone(self, tmp_path, capsys):
        (pk, *_) = grow(5)
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(log.proof(pk)))
        assert main(["audit", "verify-proof", str(file), "--vkey", vkey()]) == 0
        assert "proven under the key you supplied: leaf 0 of 5" in capsys.readouterr().out

    @pytest.mark.parametrize("field", ["entry", "index", "path", "checkpoint"])
    def test_a_changed_one_is_not_believed(self, tmp_path, field, capsys):
        (pk, *_) = grow(5)
        proof = log.proof(pk)
        proof[field] = {
            "entry": {**proof["entry"], "kind": "test.other"},
            "index": 1,
            "path": proof["path"][::-1],
            "checkpoint": proof["checkpoint"].replace("\n5\n", "\n6\n"),
        }[field]
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(proof))
        assert main(["audit", "verify-proof", str(file), "--vkey", vkey()]) == 10
        assert "proof_invalid" in capsys.readouterr().err

    @pytest.mark.parametrize("text", ["", "{", "[]", "[" * 5000, '{"v": 1}'])
    def test_rubbish(self, tmp_path, text):
        file = tmp_path / "proof.json"
        file.write_text(text)
        assert main(["audit", "verify-proof", str(file), "--vkey", vkey()]) in (10, 64)


class TestMonitor:
    def watch(self, place: str, state: Path, *more: str) -> int:
        return main(["audit", "monitor", place, "--vkey", vkey(), "--state", str(state), *more])

    def test_growth_over_http(self, audit_url, tmp_path, settings):
        grow(300)
        assert self.watch(audit_url, tmp_path / "seen") == 0
        grow(400)
        assert self.watch(audit_url, tmp_path / "seen") == 0
        assert open_checkpoint((tmp_path / "seen").read_text(), vkey()).size == 700
        settings.BYLINE = {**settings.BYLINE, "PUBLIC_LOG_ENTRIES": True}
        assert self.watch(audit_url, tmp_path / "seen", "--deep") == 0

    def test_a_rewritten_and_resigned_history(self, audit_url, tmp_path, capsys, superuser):
        """The attacker has the database and the log's key; the monitor has yesterday's checkpoint."""
        grow(300)
        assert self.watch(audit_url, tmp_path / "seen") == 0
        before = (tmp_path / "seen").read_text()
        fork = sign(Checkpoint(conf.get("LOG_ORIGIN"), 300, bytes(32)), keyring.read("log"))
        with superuser() as root:
            root.execute("alter table byline_audit_checkpoint disable trigger all")
            root.execute("update byline_audit_checkpoint set note = %s, root = %s", [fork, bytes(32)])
            root.execute("alter table byline_audit_checkpoint enable always trigger byline_audit_refuse")
        assert self.watch(audit_url, tmp_path / "seen") == 10
        assert "split-view" in capsys.readouterr().err
        assert (tmp_path / "seen").read_text() == before

    def test_a_log_that_lost_its_end(self, audit_url, tmp_path, capsys):
        grow(300)
        old = serving.checkpoint()
        grow(10)
        (tmp_path / "seen").write_text(serving.checkpoint())
        copy = tmp_path / "copy"
        archive.write(copy, vkey())
        (copy / "checkpoint").write_text(old)
        assert self.watch(str(copy), tmp_path / "seen") == 10
        assert "rollback" in capsys.readouterr().err

    def test_what_somebody_else_was_shown(self, audit_url, tmp_path, capsys):
        grow(300)
        theirs = tmp_path / "theirs"
        theirs.write_text(serving.checkpoint())
        grow(5)
        assert self.watch(audit_url, tmp_path / "seen", "--against", str(theirs)) == 0
        theirs.write_text(sign(Checkpoint(conf.get("LOG_ORIGIN"), 302, bytes(32)), keyring.read("log")))
        assert self.watch(audit_url, tmp_path / "seen", "--against", str(theirs)) == 10
        assert "split-view" in capsys.readouterr().err

    def test_an_archive_goes_on_when_the_site_is_gone(self, tmp_path):
        grow(300)
        archive.write(tmp_path / "log", vkey())
        assert self.watch(str(tmp_path / "log"), tmp_path / "seen", "--deep") == 0
        assert archive.check(tmp_path / "log", vkey())
        bundle = tmp_path / "log/tile/entries/000"
        bundle.write_bytes(bundle.read_bytes().replace(b'"n":7', b'"n":8'))
        assert self.watch(str(tmp_path / "log"), tmp_path / "seen", "--deep") == 10


@pytest.fixture
def a_witness(tmp_path, settings):
    """A witness on loopback that watches this log; its key."""
    key = witness_server.private_key(tmp_path / "witness.pem")
    server = witness_server.server(
        ("127.0.0.1", 0), "witness.example", key, [vkey()], tmp_path / "state.json"
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    public = vkey_for("witness.example", key, COSIGNATURE)
    host, port = server.server_address
    item = {"VKEY": public, "URL": f"http://{host}:{port}"}
    settings.BYLINE = {**settings.BYLINE, "WITNESSES": [item]}
    yield item
    server.shutdown()
    server.server_close()
    thread.join()


class TestWitness:
    def ask(self, item) -> bool:
        with acting_as("sealer"):
            return witnesses.ask(item["VKEY"], item["URL"])

    def test_it_cosigns_and_the_line_is_served(self, a_witness, client, tmp_path, capsys):
        (pk, *_) = grow(300)
        assert self.ask(a_witness)
        assert not self.ask(a_witness)  # nothing new
        grow(5)
        assert self.ask(a_witness)
        note = client.get("/audit/checkpoint").content.decode()
        assert open_checkpoint(note, vkey()).size == 305
        assert witness.opened_by(note, a_witness["VKEY"]) > 1_700_000_000
        file = tmp_path / "proof.json"
        main(["audit", "prove", str(pk), "--cosigned"])
        file.write_text(capsys.readouterr().out)
        command = ["audit", "verify-proof", str(file), "--vkey", vkey(), "--witness", a_witness["VKEY"]]
        assert main(command) == 0
        assert "cosigned by witness.example" in capsys.readouterr().out
        file.write_text(json.dumps(log.proof(pk)))
        assert main(command) == 10

    def test_it_does_not_cosign_a_second_history(self, a_witness):
        grow(300)
        assert self.ask(a_witness)
        fork = sign(Checkpoint(conf.get("LOG_ORIGIN"), 301, bytes(32)), keyring.read("log"))
        with acting_as("sealer"):
            Signed.objects.create(size=301, root=bytes(32), note=fork)
        assert not self.ask(a_witness)
        assert Cosignature.objects.count() == 1

    def test_a_witness_that_is_away_costs_nothing(self, a_witness):
        grow(5)
        assert not self.ask({**a_witness, "URL": "http://127.0.0.1:9"})
        assert Cosignature.objects.count() == 0
        assert self.ask(a_witness)

    def test_a_log_that_forgot_asks_again_from_where_the_witness_stands(self, a_witness, superuser):
        grow(300)
        self.ask(a_witness)
        with superuser() as root:
            root.execute("alter table byline_audit_cosignature disable trigger all")
            root.execute("delete from byline_audit_cosignature")
            root.execute("alter table byline_audit_cosignature enable always trigger byline_audit_refuse")
        grow(20)
        assert self.ask(a_witness)

    def test_a_killed_witness_remembers(self, a_witness, tmp_path):
        grow(10)
        self.ask(a_witness)
        again = witness_server.StateFile(tmp_path / "state.json")
        assert again[conf.get("LOG_ORIGIN")][0] == 10
