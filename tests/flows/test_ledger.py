"""From one real clip to what an auditor, a court and a regulator get: story, evidence, export, retention."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta

import pyarrow.parquet
import pytest
from django.db import transaction

from byline.audit import archive, fsck, kinds, log, pseudonyms, seal
from byline.audit.base import keyring
from byline.audit.base.errors import InvalidInput
from byline.audit.models import Entry
from byline.audit.verify import verify_proof
from byline.generation import submit
from byline.platform.cli import main
from byline.platform.database import location
from byline.platform.database.roles import acting_as
from byline.platform.ledger import evidence, export, retention
from byline.platform.ledger.story import UnknownClip, story

kinds.register("test.ledger", required={"n": int})
TODAY = datetime.now(UTC).date()


def vkey() -> str:
    return keyring.read("log_vkey").decode().strip()


def seal_all() -> None:
    with acting_as("sealer"):
        while seal.seal_pending():
            pass


@pytest.fixture
def entries(transactional_db):
    with transaction.atomic():
        made = [
            log.append("test.ledger", subject=f"n:{n}", actor="user:1", payload={"n": n}) for n in range(20)
        ]
    seal_all()
    return made


class TestPeople:
    def test_the_log_names_nobody(self, entries):
        actors = set(Entry.objects.values_list("actor", flat=True))
        assert len(actors) == 1
        (actor,) = actors
        assert actor.startswith("person:")
        assert pseudonyms.names(actors) == {actor: "user:1"}

    def test_erasure_leaves_every_proof(self, entries):
        proof = log.proof(entries[0].pk)
        token = pseudonyms.erase("user:1")
        assert pseudonyms.names([token]) == {}
        assert verify_proof(proof, vkey())["actor"] == token
        assert verify_proof(log.proof(entries[0].pk), vkey())["actor"] == token
        seal_all()
        assert fsck.fsck().size == 21  # the erasure is an entry
        assert pseudonyms.actor("user:1") != token  # a new person as far as the log can tell
        with pytest.raises(pseudonyms.UnknownPerson):
            pseudonyms.erase("nobody")


class TestExport:
    def of_today(self, out, form="jsonl", **more):
        return export.export(out, since=TODAY - timedelta(1), until=TODAY, form=form, **more)

    def test_every_row_has_its_proof(self, entries, tmp_path):
        assert self.of_today(tmp_path / "out") == export.Exported(20, 0)
        rows = [json.loads(line) for line in (tmp_path / "out/entries.jsonl").read_text().splitlines()]
        proofs = [json.loads(line) for line in (tmp_path / "out/proofs.jsonl").read_text().splitlines()]
        key = (tmp_path / "out/log.vkey").read_text()
        for row, proof in zip(rows, proofs, strict=True):
            entry = verify_proof(proof, key)
            assert {k: entry[k] for k in row if k != "index"} == {
                k: v for k, v in row.items() if k != "index"
            }
            assert row["index"] == proof["index"]
        assert "name" not in rows[0]

    def test_what_no_checkpoint_covers_is_left_out_and_counted(self, entries, tmp_path):
        log.append("test.ledger", subject="n", actor="user:1", payload={"n": 99})
        assert self.of_today(tmp_path / "out") == export.Exported(20, 1)
        assert "1 not yet under a\nsigned checkpoint" in (tmp_path / "out/README.md").read_text()

    def test_csv_holds_no_formula(self, entries, tmp_path):
        log.append("test.ledger", subject="=cmd|'/c calc'!A1", actor="user:1", payload={"n": -1})
        seal_all()
        self.of_today(tmp_path / "out", "csv", names=True)
        rows = list(csv.DictReader(io.StringIO((tmp_path / "out/entries.csv").read_text())))
        assert rows[-1]["subject"].startswith("'=cmd")
        assert rows[0]["name"] == "user:1"

    def test_parquet(self, entries, tmp_path):
        self.of_today(tmp_path / "out", "parquet", kinds=["test.ledger"])
        table = pyarrow.parquet.read_table(tmp_path / "out/entries.parquet").to_pylist()
        assert [json.loads(row["payload"]) for row in table] == [{"n": n} for n in range(20)]
        assert table[3]["index"] == 3

    def test_refusals(self, entries, tmp_path):
        (tmp_path / "full").mkdir()
        (tmp_path / "full/x").write_text("")
        with pytest.raises(InvalidInput, match="not empty"):
            self.of_today(tmp_path / "full")
        with pytest.raises(InvalidInput, match="before the first"):
            export.export(tmp_path / "o", since=TODAY, until=TODAY - timedelta(1), form="csv")
        assert main(["audit", "export", str(tmp_path / "o"), "--from", "yesterday", "--to", "today"]) == 64


class TestRetention:
    """A quarter long ago is made by moving entries there as superuser, as time itself would have."""

    @pytest.fixture
    def old(self, transactional_db, cluster, tmp_path):
        """300 entries of the first quarter of 2020, sealed, and 10 of today; the archive of all."""
        from django.db import connections

        connections.close_all()
        with cluster.connect(location.NAME) as root:
            root.execute("set role byline_owner")
            root.execute("select byline_audit_add_partitions(1, '2020-01-01')")
            root.execute("reset role")
            root.execute("alter table byline_audit_entry disable trigger byline_audit_stamp")
            root.execute(
                "insert into byline_audit_entry (kind, subject, actor, payload, created)"
                " select 'test.ledger', 's', 'system:test', jsonb_build_object('n', n),"
                " '2020-02-01'::timestamptz + n * interval '1 minute' from generate_series(1, 512) n"
            )
            root.execute("alter table byline_audit_entry enable always trigger byline_audit_stamp")
        seal_all()
        for n in range(10):
            log.append("test.ledger", subject="new", actor="system:test", payload={"n": n})
        seal_all()
        archive.write(tmp_path / "log", vkey())
        return tmp_path / "log"

    def retire(self, directory, before=date(2021, 1, 1)):
        with acting_as("owner"):
            return retention.retire(before, directory)

    def test_old_quarters_go_and_everything_still_proves(self, old):
        first = Entry.objects.order_by("id").first()
        proof = log.proof(first.pk)
        known = proof["checkpoint"]
        assert self.retire(old) == 512
        seal_all()
        assert not Entry.objects.filter(created__year=2020).exists()
        assert verify_proof(proof, vkey())
        report = fsck.fsck(known=known, archive=archive.Archive(old))
        assert (report.size, report.retired, report.warnings) == (523, 512, ())
        blind = fsck.fsck(known=known)
        assert "512 retired entries were not checked" in str(blind)

    def test_what_the_archive_has_not_got_is_not_dropped(self, old):
        bundle = old / "tile/entries/001"
        bundle.write_bytes(bundle.read_bytes().replace(b'"n":300', b'"n":301'))
        with pytest.raises(Exception, match=r"not those that it signed|not in the archive"):
            self.retire(old)
        assert Entry.objects.filter(created__year=2020).count() == 512

    def test_an_archive_that_is_lost_or_changed_later_is_named(self, old):
        self.retire(old)
        seal_all()
        bundle = old / "tile/entries/001"
        bundle.write_bytes(bundle.read_bytes().replace(b'"n":300', b'"n":301'))
        with pytest.raises(fsck.FsckFailed, match="not in the archive as it was sealed") as caught:
            fsck.fsck(archive=archive.Archive(old))
        assert caught.value.index == 299

    def test_deleted_entries_that_nobody_retired_are_named(self, old, cluster):
        self.retire(old)
        seal_all()
        victim = Entry.objects.filter(subject="new").first()
        from django.db import connections

        connections.close_all()
        with cluster.connect(location.NAME) as root:
            root.execute("set session_replication_role = replica")
            for table in ("byline_audit_entry", f"byline_audit_entry_{TODAY.year}q{(TODAY.month + 2) // 3}"):
                root.execute(f"alter table {table} disable trigger all")
            root.execute("delete from byline_audit_entry where id = %s", [victim.pk])
            for table in ("byline_audit_entry", f"byline_audit_entry_{TODAY.year}q{(TODAY.month + 2) // 3}"):
                root.execute(f"alter table {table} enable always trigger byline_audit_refuse")
        with pytest.raises(fsck.FsckFailed, match="was deleted") as caught:
            fsck.fsck(archive=archive.Archive(old))
        assert caught.value.entry == victim.pk

    def test_young_quarters_stay_and_the_law_is_named(self, old, settings):
        settings.BYLINE = {**settings.BYLINE, "RETENTION_REGIMES": ["eu", "eu-documentation"]}
        with pytest.raises(
            retention.RetentionRefused, match=r"kept until 2030-04-01 \(eu, eu-documentation\)"
        ):
            self.retire(old)
        settings.BYLINE = {**settings.BYLINE, "RETENTION_REGIMES": ["us-il"]}
        (quarter,) = [q for q in retention.quarters() if q.start == date(2020, 1, 1)]
        assert (quarter.entries, quarter.free_from, quarter.due_by) == (
            512,
            date(2020, 4, 1),
            date(2023, 1, 1),
        )
        settings.BYLINE = {**settings.BYLINE, "RETENTION_REGIMES": ["mars"]}
        with pytest.raises(Exception, match="mars"):
            self.retire(old)

    def test_the_clock_that_went_back_is_reported(self, old):
        """Here the old quarter was sealed first, so only a later entry with an old time shows."""
        assert fsck.fsck().warnings == ()

    def test_the_commands(self, old, capsys):
        assert main(["audit", "retention"]) == 0
        assert "2020-01-01 to 2020-04-01: 512 entries, may go from 2020-10-01" in capsys.readouterr().out
        assert main(["audit", "retire", "--before", "2021-01-01", "--archive", str(old)]) == 0
        assert main(["audit", "retire", "--before", "2021-01-01", "--archive", str(old / "no")]) == 64
        seal_all()
        assert main(["audit", "fsck", "--archive", str(old)]) == 0


def test_the_clock_moved_back_between_two_entries_is_named(entries, cluster):
    from django.db import connections

    connections.close_all()
    with cluster.connect(location.NAME) as root:
        root.execute("alter table byline_audit_entry disable trigger byline_audit_stamp")
        root.execute(
            "insert into byline_audit_entry (kind, subject, actor, payload, created)"
            " values ('test.ledger', 's', 'system:test', '{}', clock_timestamp() - interval '16 minutes')"
        )
        root.execute("alter table byline_audit_entry enable always trigger byline_audit_stamp")
    seal_all()
    (warning,) = fsck.fsck().warnings
    assert "the clock went back: leaf 20" in warning


@pytest.fixture
def published(make_clip):
    row = make_clip(title="Kite", voice_over="")
    return submit.publish(row.pk, actor="chief")


@pytest.mark.django_db(transaction=True)
class TestOneClip:
    def test_story_and_evidence(self, published, tmp_path, settings, capsys):
        log.wait(Entry.objects.filter(subject=published.subject).last().pk, 20)
        told = story(str(published.pk), names=True)
        assert (told.requester, told.approver) == ("user:1", "chief")
        assert told.model == "test-pattern 1"
        assert told.policy_version != "not on record"
        text = told.text()
        for words in ("asked for a clip of 1 seconds", "said: allow", "It was signed", "chief published it"):
            assert words in text
        assert "red kite" not in text.lower()
        assert "user:1" not in story(str(published.pk)).text()
        assert story(published.result["record"]).clip == told.clip
        pseudonyms.erase("chief")
        assert story(str(published.pk), names=True).approver == "somebody who was erased"

        out = tmp_path / "evidence.zip"
        assert main(["audit", "evidence", str(published.pk), str(out)]) == 0
        home = tmp_path / "opened"
        with zipfile.ZipFile(out) as bundle:
            bundle.extractall(home)
        for line in (home / "SHA256SUMS").read_text().splitlines():
            digest, _, name = line.partition("  ")
            assert hashlib.sha256((home / name).read_bytes()).hexdigest() == digest
        # The README's own way: Python, `cryptography`, and nothing of ours but what is in the bundle.
        proofs = sorted((home / "proofs").iterdir())
        assert len(proofs) >= 5
        clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(home / "check")}
        for proof in proofs:
            command = [sys.executable, "-S", "-c", _ALONE, str(proof), str(home / "log.vkey")]
            done = subprocess.run(command, env=clean, cwd=home / "check", text=True, capture_output=True)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("proven: ")
        changed = json.loads(proofs[0].read_text())
        changed["entry"]["actor"] = "somebody else"
        proofs[0].write_text(json.dumps(changed))
        done = subprocess.run(
            [*command[:4], str(proofs[0]), str(home / "log.vkey")], env=clean, cwd=home / "check"
        )
        assert done.returncode == 1
        code = main(["verify", str(home / "clip.mp4"), "--trust", str(home / "trust.json"), "--offline"])
        assert code == 0
        with pytest.raises(InvalidInput, match="exists"):
            evidence.bundle(str(published.pk), out)

    def test_unknown_clips(self, transactional_db):
        for clip in ("", "x", "00000000-0000-4000-8000-000000000000"):
            with pytest.raises(UnknownClip):
                story(clip)


# Site packages only for `cryptography`: an installed byline must not answer for the bundle's code.
_ALONE = f"""
import runpy, sys
sys.path.extend(p for p in {sys.path!r} if p.endswith("site-packages"))
sys.argv = ["verify", *sys.argv[1:]]
import byline.audit.verify as found
assert "check" in found.__file__, found.__file__
del sys.modules["byline.audit.verify"]
runpy.run_module("byline.audit.verify", run_name="__main__")
"""
