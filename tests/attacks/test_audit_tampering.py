"""Attacks on the log: each is carried out for real, as database superuser where it takes one.

The attacker here may rewrite every table and every byte of the database. What he does not have is
the log's signing key and the checkpoints that others kept; one test gives him the key as well.
"""

import base64

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from byline.audit import canonical, fsck, kinds, log, merkle, mirror, seal
from byline.audit.base import conf, keyring
from byline.audit.checkpoint import Checkpoint as Head
from byline.audit.checkpoint import sign
from byline.audit.models import Checkpoint, Entry, SealedLeaf, TreeHead
from byline.audit.verify import ProofInvalid, verify_proof
from byline.platform.database import location
from byline.platform.database.roles import acting_as

pytestmark = pytest.mark.django_db(transaction=True)
kinds.register("test.attack", required={"n": int})
TABLES = [
    f"byline_audit_{name}"
    for name in ("entry", "sealedleaf", "tile", "treehead", "checkpoint", "cosignature")
]


def append(n):
    return log.append("test.attack", subject=f"clip:{n}", actor="editor", payload={"n": n})


def seal_all():
    with acting_as("sealer"):
        while seal.seal_pending(300):
            pass


DEEP = "[" * 3000 + "]" * 3000
LONG = '{"n": ' + "9" * 5000 + "}"


@pytest.fixture
def entries():
    """600 entries under two checkpoints (300, 600): two full tiles and a partial one."""
    with transaction.atomic():
        made = [
            log.append("test.attack", subject=f"clip:{n}", actor="editor", payload={"n": n})
            for n in range(600)
        ]
    seal_all()
    return made


@pytest.fixture
def known(entries):
    """A checkpoint that somebody outside kept."""
    return Checkpoint.objects.order_by("-size").first().note


@pytest.fixture
def superuser(entries, cluster):
    """`superuser(sql, ...)` runs statements with every guard switched off."""

    def run(*statements):
        with cluster.connect(location.NAME) as connection, connection.transaction():
            for table in TABLES:
                connection.execute(f"alter table {table} disable trigger all")
            for statement in statements:
                connection.execute(statement)
            for table in TABLES:
                connection.execute(f"alter table {table} enable always trigger byline_audit_refuse")
            connection.execute("alter table byline_audit_entry enable always trigger byline_audit_stamp")

    return run


def broken(known=None):
    with pytest.raises(fsck.FsckFailed) as caught:
        fsck.fsck(known)
    return caught.value


# --- what the roles may do ------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["app", "sealer", "owner"])
def test_no_role_can_change_or_remove_a_row(connect_as, role):
    connection = connect_as(role)
    connection.autocommit = True
    for table in TABLES:
        column = "id" if table.endswith(("entry", "tile")) else "index" if table.endswith("leaf") else "size"
        for statement in (f"update {table} set {column} = 1", f"delete from {table}", f"truncate {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize("role", ["app", "sealer"])
def test_only_the_owner_can_call_it_maintenance(connect_as, role):
    with connect_as("owner") as connection:
        connection.execute("grant delete on byline_audit_entry to byline_app, byline_sealer")
    with connect_as(role) as connection:
        connection.execute("set byline.maintenance = 'owner'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever added"):
            connection.execute("delete from byline_audit_entry")
    with connect_as("owner") as connection:
        connection.execute("set local byline.maintenance = 'owner'")
        connection.execute("delete from byline_audit_entry")


def test_replica_mode_does_not_switch_the_guards_off(cluster):
    with cluster.connect(location.NAME) as connection:
        connection.execute("set session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever added"):
            connection.execute("delete from byline_audit_entry")


def test_the_app_cannot_seal_and_the_sealer_cannot_append(connect_as):
    app, sealer = connect_as("app"), connect_as("sealer")
    app.autocommit = sealer.autocommit = True
    for table in TABLES[1:]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"insert into {table} default values")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sealer.execute("insert into byline_audit_entry default values")


def test_upsert_is_no_way_round(entries):
    upsert = (
        "insert into byline_audit_entry (id, kind, subject, actor, payload, created)"
        " select id, kind, subject, actor, payload, created from byline_audit_entry where id = %s"
        " on conflict (id, created) do update set actor = 'nobody'"
    )
    with (
        acting_as("owner"),
        connection.cursor() as cursor,
        pytest.raises(DatabaseError, match="only ever added"),
    ):
        cursor.execute(upsert, [entries[0].pk])


def test_a_row_written_past_append_cannot_stop_the_log(entries, connect_as):
    rows = ['{"n": 0.5}', '{"n": 1e99}', '{"é": 1}', DEEP, LONG, f'"{"x" * 100_000}"', "null"]
    with connect_as("app") as app:
        for row in rows:
            app.execute(
                "insert into byline_audit_entry (kind, subject, actor, payload) values ('a.b','past','a',%s)",
                [row],
            )
    with connect_as("app") as app, pytest.raises(psycopg.errors.CheckViolation):
        app.execute(
            "insert into byline_audit_entry (kind, subject, actor, payload) values ('a.b','past','a',%s)",
            [f'"{"x" * 300_000}"'],
        )
    seal_all()
    assert fsck.fsck().size == 607
    verify_proof(log.proof(entries[0].pk), vkey())
    with pytest.raises(log.LogDamaged, match="no canonical form"):
        log.proof(log.by_subject("past")[0].pk)


def test_a_changed_row_that_was_written_past_append_is_named(entries, superuser, connect_as):
    with connect_as("app") as app:
        app.execute(
            "insert into byline_audit_entry (kind, subject, actor, payload) values ('a.b','past','a','0.5')"
        )
    seal_all()
    superuser("update byline_audit_entry set payload = '0.50' where subject = 'past'")
    assert broken().index == 600


# --- the database rewritten by its superuser ------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        """payload = '{"n": 99}'""",
        "payload = '{\"n\": 299.0}'",
        "subject = 'clip:1'",
        "actor = 'nobody'",
        "kind = 'test.other'",
        "created = created - interval '1 microsecond'",
    ],
)
def test_an_edited_entry_is_named(entries, superuser, change):
    victim = entries[299]
    superuser(f"update byline_audit_entry set {change} where id = {victim.pk}")
    failure = broken()
    assert (failure.entry, failure.index) == (victim.pk, 299)
    with pytest.raises(log.LogDamaged):
        log.proof(victim.pk)


def test_a_deleted_entry_is_named(entries, superuser):
    superuser(f"delete from byline_audit_entry where id = {entries[42].pk}")
    assert broken().entry == entries[42].pk


def test_a_dropped_leaf_is_named(superuser):
    superuser("delete from byline_audit_sealedleaf where index = 77")
    assert broken().index == 77


def test_an_entry_dropped_without_leaving_a_hole(entries, superuser):
    superuser(
        "delete from byline_audit_sealedleaf where index = 77",
        "update byline_audit_sealedleaf set index = -index where index > 77",
        "update byline_audit_sealedleaf set index = -index - 1 where index < 0",
    )
    failure = broken()
    assert failure.index == 77  # the stored tile still has the hash that stood there


def test_entries_swapped(superuser):
    superuser(
        "create temp table moved as select * from byline_audit_sealedleaf where index in (10, 11)",
        "delete from byline_audit_sealedleaf where index in (10, 11)",
        "insert into byline_audit_sealedleaf (index, leaf_hash, entry_id)"
        " select 21 - index, leaf_hash, entry_id from moved",
    )
    assert broken().index == 10


def test_an_edited_entry_with_leaf_and_tile_recomputed_contradicts_the_signature(entries, superuser):
    """The thorough forger without the key: everything derived is redone, only signatures stay."""
    victim = Entry.objects.get(pk=entries[299].pk)
    victim.actor = "nobody"
    _rewrite(superuser, victim, 299)
    failure = broken()
    assert "checkpoint of size 300" in str(failure)
    with pytest.raises(log.LogDamaged):
        log.proof(victim.pk)


def _rewrite(superuser, victim, index):
    """Change one entry and redo every hash that depends on it, but no signature."""
    leaves = [
        bytes(item) for item in SealedLeaf.objects.order_by("index").values_list("leaf_hash", flat=True)
    ]
    leaves[index] = merkle.leaf_hash(canonical.encode(victim.as_dict()))
    tile = index // 256
    row = leaves[tile * 256 : tile * 256 + 256]
    superuser(
        f"update byline_audit_entry set actor = '{victim.actor}' where id = {victim.pk}",
        f"update byline_audit_sealedleaf set leaf_hash = '\\x{leaves[index].hex()}' where index = {index}",
        f"update byline_audit_tile set hashes = '\\x{b''.join(row).hex()}',"
        f" root = '\\x{merkle.root_of(row).hex()}' where level = 0 and index = {tile}",
        *(
            f"update byline_audit_{table} set root = '\\x{merkle.root_of(leaves[:size]).hex()}'"
            f" where size = {size}"
            for table in ("treehead", "checkpoint")
            for size in (300, 600)
        ),
    )
    return leaves


def test_a_history_signed_again_with_the_stolen_key_needs_a_known_checkpoint(entries, known, superuser):
    victim = Entry.objects.get(pk=entries[299].pk)
    victim.actor = "nobody"
    leaves = _rewrite(superuser, victim, 299)
    for size in (300, 600):
        note = sign(Head(conf.get("LOG_ORIGIN"), size, merkle.root_of(leaves[:size])), keyring.read("log"))
        superuser(f"update byline_audit_checkpoint set note = '{note}' where size = {size}")
    failure = broken()  # the file beside the database still knows better
    assert str(mirror.path()) in str(failure)
    mirror.path().unlink()
    assert "internal consistency only" in str(fsck.fsck())
    failure = broken(known)
    assert "the checkpoint you supplied has another root" in str(failure)


def _cut(superuser):
    superuser(
        "delete from byline_audit_entry where id in"
        " (select entry_id from byline_audit_sealedleaf where index >= 300)",
        "delete from byline_audit_sealedleaf where index >= 300",
        "delete from byline_audit_tile where level = 0 and index >= 1",
        "delete from byline_audit_treehead where size > 300",
        "delete from byline_audit_checkpoint where size > 300",
    )


def test_a_tail_cut_off_is_seen_with_a_known_checkpoint(known, superuser):
    _cut(superuser)
    mirror.path().unlink()
    assert "internal consistency only" in str(fsck.fsck())
    failure = broken(known)
    assert "cut off" in str(failure)
    assert failure.index == 300


def test_a_restored_backup_is_seen_by_the_file_beside_the_database(superuser):
    _cut(superuser)
    assert "cut off" in str(broken())
    append(1000)
    with acting_as("sealer"), pytest.raises(seal.LogRolledBack, match="600 entries were signed"):
        seal.run(lambda: False)
    assert SealedLeaf.objects.count() == 300  # it refused before it touched anything
    with pytest.raises(seal.LogRolledBack):
        seal_all()
    assert not Checkpoint.objects.filter(size__gt=300).exists()


def test_a_tail_cut_off_carelessly_is_seen_at_once(superuser):
    superuser("delete from byline_audit_sealedleaf where index >= 590")
    assert broken().index == 512 or "cut off" in str(broken())


def test_an_emptied_database_beside_the_file(superuser, entries):
    superuser(*(f"delete from {table}" for table in TABLES))
    with pytest.raises(seal.LogRolledBack):
        seal_all()
    assert "cut off" in str(broken())


def test_the_sealer_signs_nothing_over_damaged_hashes(superuser):
    superuser("update byline_audit_tile set root = overlay(root placing '\\x00' from 5) where index = 0")
    append(1000)
    with pytest.raises(log.LogDamaged):
        seal_all()
    assert not Checkpoint.objects.filter(size__gt=600).exists()


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("delete from byline_audit_tile where index = 1", "tile 0/1 is missing"),
        ("update byline_audit_tile set root = hashes", "tile 0/0"),
        ("insert into byline_audit_tile (level, index, hashes, root) values (0, 9, '', '')", "no leaves"),
        (
            "delete from byline_audit_treehead where size = 600",
            "belong to no tree head",
        ),
        ("update byline_audit_treehead set size = 299 where size = 300", "size 299"),
        (
            "update byline_audit_checkpoint set note = replace(note, chr(8212), chr(8211))",
            "the checkpoint of size 300",
        ),
    ],
)
def test_damaged_derived_tables_are_named(superuser, statement, part):
    superuser(statement)
    with pytest.raises(fsck.FsckFailed, match=part):
        fsck.fsck()


def test_an_entry_smuggled_in_before_the_frontier(superuser):
    superuser(
        "insert into byline_audit_entry (kind, subject, actor, payload, created, txid)"
        " values ('test.attack', 's', 'a', '{\"n\": 1}', now(), 1)"
    )
    assert "inserted past the log" in str(broken())


# --- forged and replayed proofs -------------------------------------------------------------------


def vkey():
    return keyring.read("log_vkey").decode()


def test_the_proof_of_one_clip_does_not_prove_another(entries):
    one, other = log.proof(entries[0].pk), log.proof(entries[1].pk)
    for field in ("entry", "leaf_hash", "index", "path"):
        with pytest.raises(ProofInvalid):
            verify_proof({**one, field: other[field]}, vkey())
    with pytest.raises(ProofInvalid):
        verify_proof({**one, "entry": other["entry"], "leaf_hash": other["leaf_hash"]}, vkey())


def test_an_old_checkpoint_cannot_stand_in_for_a_new_one(entries):
    late = log.proof(entries[599].pk)
    old = Checkpoint.objects.get(size=300).note
    with pytest.raises(ProofInvalid, match="different tree sizes"):
        verify_proof({**late, "checkpoint": old}, vkey())
    with pytest.raises(ProofInvalid, match="not in a tree of 300"):
        verify_proof({**late, "checkpoint": old, "tree_size": 300}, vkey())


def test_a_proof_under_a_root_of_ones_own_needs_the_log_key(entries):
    proof = log.proof(entries[0].pk)
    forged = {**proof["entry"], "actor": "nobody"}
    leaf = merkle.leaf_hash(canonical.encode(forged))
    path = [bytes.fromhex(item) for item in proof["path"]]
    root = merkle.root_from_inclusion(leaf, proof["index"], proof["tree_size"], path)
    origin, size, _, _, signature, _ = proof["checkpoint"].split("\n")
    note = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n\n{signature}\n"
    with pytest.raises(ProofInvalid, match="signature does not verify"):
        verify_proof({**proof, "entry": forged, "leaf_hash": leaf.hex(), "checkpoint": note}, vkey())


def test_two_heads_of_one_size_cannot_both_be_stored(entries, connect_as):
    head = TreeHead.objects.get(size=600)
    with connect_as("sealer") as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "insert into byline_audit_treehead (size, root, frontier) values (600, %s, %s)",
            [b"\x00" * 32, head.frontier],
        )
