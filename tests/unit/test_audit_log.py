"""Append, seal, prove, fsck on a real database, each under the role that does it in production."""

import json
import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from byline.audit import canonical, fsck, kinds, log, mirror, rederive, seal
from byline.audit.base import keyring
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.audit.checkpoint import open_checkpoint
from byline.audit.models import Checkpoint, Entry, SealedLeaf, Tile, TreeHead
from byline.audit.verify import verify_proof
from byline.platform.database.roles import acting_as

INSERT = """
    insert into byline_audit_entry (kind, subject, actor, payload)
    values ('test.note', %s, 'tester', '{"n": 0}')
"""
kinds.register("test.note", required={"n": int}, optional={"text": str})


def note(n, **more):
    return log.append("test.note", subject=f"note:{n}", actor="tester", payload={"n": n, **more})


def notes(count):
    with transaction.atomic():
        return [note(n) for n in range(count)]


def sealed(limit=seal.BATCH, **options):
    with acting_as("sealer"):
        return seal.seal_pending(limit, **options)


def vkey():
    return keyring.read("log_vkey").decode()


@pytest.mark.django_db
class TestAppend:
    def test_entry_is_stamped_by_the_database(self):
        before = datetime.now(UTC) - timedelta(seconds=5)
        entry = note(1, text="Grüße 🎬")
        assert before < entry.created < datetime.now(UTC) + timedelta(seconds=5)
        stored = Entry.objects.get(pk=entry.pk)
        assert stored.as_dict() == entry.as_dict()
        assert (stored.txid, stored.created) == (entry.txid, entry.created)
        assert list(log.by_subject("note:1")) == [entry]

    def test_the_app_may_not_write_time_or_transaction(self):
        with pytest.raises(DatabaseError, match="permission denied"):
            Entry.objects.create(
                kind="test.note", subject="s", actor="a", payload={"n": 1}, created=datetime.now(UTC), txid=1
            )

    def test_not_even_the_owner_can_choose_them(self, connect_as):
        insert = (
            "insert into byline_audit_entry (kind, subject, actor, payload, created, txid)"
            " values ('test.note', 's', 'a', '{}', now() - %s::interval, 1)"
            " returning clock_timestamp() - created < interval '1 second', txid > 1"
        )
        with connect_as("owner") as owner:
            assert owner.execute(insert, ["3 seconds"]).fetchone() == (True, True)
            # A time of another quarter would lie in another partition: refused, not put right.
            with pytest.raises(psycopg.Error, match="moving row to another partition"):
                owner.execute(insert, ["20 years"])
            owner.rollback()

    def test_it_belongs_to_the_callers_transaction(self):
        with transaction.atomic():
            note(1)
            transaction.set_rollback(True)
        assert not Entry.objects.exists()

    def test_what_does_not_fit_is_refused_before_it_is_written(self):
        with pytest.raises(kinds.KindError):
            log.append("test.unknown", subject="s", actor="a", payload={})
        with pytest.raises(kinds.KindError):
            log.append("test.note", subject="s", actor="a", payload={"n": "1"})
        with pytest.raises(canonical.CanonicalError):
            note(2**60)
        with pytest.raises(InvalidInput):
            log.append("test.note", subject="", actor="a", payload={"n": 1})
        with pytest.raises(InvalidInput):
            log.append("test.note", subject="s", actor="a" * 201, payload={"n": 1})
        with pytest.raises(InvalidInput):
            note(1, text="x" * 60_001)
        assert not Entry.objects.exists()

    def test_the_largest_entry_fits_an_entry_bundle(self):
        escaped = "\x01" * 200  # six bytes each in canonical JSON
        entry = log.append(
            "test.note", subject=escaped, actor=escaped, payload={"n": 1, "text": "x" * 59_980}
        )
        assert len(canonical.encode(entry.as_dict())) <= canonical.MAX_ENTRY_BYTES

    def test_no_proof_before_it_is_sealed(self):
        entry = note(1)
        assert log.proof(entry.pk) is None
        assert log.proof(str(entry.pk)) is None
        with pytest.raises(log.ProofTimeout):
            log.wait(entry.pk, 0.1)
        with pytest.raises(InvalidInput):
            log.proof("request")


@pytest.mark.django_db(transaction=True)
class TestSeal:
    def test_from_entry_to_proof(self):
        entries = notes(5)
        assert sealed() == 5
        assert sealed() == 0
        for entry in entries:
            proof = json.loads(json.dumps(log.proof(entry.pk)))
            assert verify_proof(proof, vkey()) == entry.as_dict()
        first = log.proof(entries[0].pk)
        notes(3)
        assert sealed() == 3
        assert log.proof(entries[0].pk) == first  # the same proof for the same entry, whenever asked
        assert log.wait(entries[0].pk, 0) == first
        assert [head.size for head in Checkpoint.objects.order_by("size")] == [5, 8]
        assert mirror.read() == Checkpoint.objects.get(size=8).note

    def test_several_tiles_and_small_batches(self):
        entries = notes(1100)
        sizes = [sealed(limit) for limit in (255, 1, 1, 300, 1000)]
        assert sizes == [255, 1, 1, 300, 543]
        assert Tile.objects.filter(level=0).count() == 4
        assert list(SealedLeaf.objects.order_by("index").values_list("index", flat=True)) == list(range(1100))
        for entry in entries[::97]:
            verify_proof(log.proof(entry.pk), vkey())
        report = fsck.fsck()
        assert (report.size, report.waiting, report.tiles, report.checkpoints) == (1100, 0, 4, 5)
        assert "internal consistency only" in str(report)

    def test_several_processes_find_the_same(self, connect_as, monkeypatch):
        monkeypatch.setattr(rederive, "RANGE", 300)
        monkeypatch.setattr(rederive, "WORTHWHILE", 0)
        notes(1100)
        assert sealed(700) == 700
        assert sealed() == 400
        assert fsck.fsck(jobs=2) == fsck.fsck()
        with connect_as("owner") as owner:
            owner.execute("set local byline.maintenance = 'owner'")
            owner.execute(
                "update byline_audit_entry set actor = 'x' where id ="
                " (select entry_id from byline_audit_sealedleaf where index = 777)"
            )
        for jobs in (1, 2):
            with pytest.raises(fsck.FsckFailed, match="leaf 777") as failure:
                fsck.fsck(jobs=jobs)
            assert failure.value.index == 777

    def test_a_transaction_that_commits_late_is_sealed_late(self, connect_as):
        late = connect_as("app")
        late.execute(INSERT, ["late"])
        gone = connect_as("app")
        gone.execute(INSERT, ["gone"])
        notes(3)
        assert sealed() == 3  # nobody waits for the slow writer
        note(9)
        assert sealed() == 1
        gone.rollback()
        late.commit()
        assert sealed() == 1
        assert Entry.objects.get(subject="late").leaf.index == 4
        assert Entry.objects.get(subject="late").pk == Entry.objects.order_by("pk").first().pk
        assert sealed() == 0
        assert fsck.fsck().size == 5

    def test_a_full_batch_does_not_step_over_what_it_left(self, connect_as):
        late = connect_as("app")
        late.execute(INSERT, ["late"])
        for n in range(6):
            note(n)  # a transaction each
        assert sealed(2) == 2
        late.commit()
        assert [sealed(2) for _ in range(4)] == [2, 2, 1, 0]
        assert fsck.fsck().waiting == 0

    def test_two_sealers_take_turns_and_never_fork(self):
        notes(600)
        done, failures = [], []

        def work():
            from django.db import connections

            try:
                while Entry.objects.count() > SealedLeaf.objects.count():
                    done.append(seal.seal_pending(50))
            except DatabaseError as error:
                failures.append(error)
            finally:
                connections.close_all()

        with acting_as("sealer"):
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        assert not failures
        assert sum(done) == 600
        assert fsck.fsck().size == 600

    def test_entries_of_an_older_server_are_found_by_the_first_scan(self, connect_as):
        notes(2)
        assert sealed() == 2
        with connect_as("owner") as owner:  # as after loading a dump: transaction ids began anew
            owner.execute("set local byline.maintenance = 'owner'")
            owner.execute("update byline_audit_treehead set frontier = frontier + 1000000")
        note(3)
        assert sealed() == 1
        note(4)
        with connect_as("owner") as owner:
            owner.execute("set local byline.maintenance = 'owner'")
            owner.execute(
                "update byline_audit_treehead set frontier = pg_current_xact_id()::text::bigint"
                " where size = 3"
            )
        assert sealed() == 0
        assert sealed(full_scan=True) == 1
        assert fsck.fsck().size == 4

    def test_run_seals_until_told_to_stop(self, settings):
        settings.BYLINE = {**settings.BYLINE, "SEAL_INTERVAL_S": 0.02}
        entry = note(1)
        asked = []

        def enough():
            asked.append(1)
            return len(asked) > 20

        with acting_as("sealer"):
            seal.run(enough)
        assert log.proof(entry.pk)

    def test_run_refuses_a_renamed_log(self, settings):
        settings.BYLINE = {**settings.BYLINE, "LOG_ORIGIN": "example.com/renamed"}
        with pytest.raises(ConfigurationError, match="LOG_ORIGIN"), acting_as("sealer"):
            seal.run(lambda: True)

    def test_fsck_with_a_known_checkpoint(self):
        notes(3)
        sealed()
        known = Checkpoint.objects.get().note
        notes(4)
        sealed()
        report = fsck.fsck(known)
        assert (report.size, report.known) == (7, 3)
        assert "extends the checkpoint you supplied" in str(report)
        with pytest.raises(InvalidInput):
            fsck.fsck(known.replace("\n3\n", "\n2\n"))

    def test_fsck_of_an_empty_log(self):
        assert fsck.fsck().size == 0
        assert sealed() == 0
        assert not mirror.path().exists()

    def test_checkpoint_belongs_to_this_log(self):
        notes(1)
        sealed()
        assert open_checkpoint(Checkpoint.objects.get().note, vkey()).size == 1
        assert TreeHead.objects.get().size == 1


@pytest.mark.django_db
def test_the_whole_table_is_not_read_to_find_what_is_due():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + seal._DUE, [10**9, 4096])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Cond: (txid >=" in plan  # in every partition by its own index
    assert "Seq Scan on byline_audit_entry" not in plan
