"""The sealer dies at every step, by an exception and by kill -9; nothing is lost, nothing forks."""

import os
import random
import signal
import time

import pytest
from django.db import connections, transaction

from byline.audit import fsck, kinds, log, mirror, seal
from byline.audit.base import keyring
from byline.audit.models import Checkpoint, SealedLeaf, Tile, TreeHead
from byline.audit.verify import verify_proof
from byline.platform.database.roles import acting_as

pytestmark = pytest.mark.django_db(transaction=True)
kinds.register("test.kill", required={"n": int})

# Where it dies -> (object, attribute) whose call is its last. Both steps, before and after each write.
STEPS = {
    "lock taken": (seal, "_locked"),
    "hashing leaves": (seal.leaves, "leaf"),
    "leaves written, tiles not": (seal.tiles, "grow"),
    "tiles written, head not": (TreeHead.objects, "create"),
    "head committed, nothing signed": (seal, "_publish"),
    "about to sign": (seal, "sign"),
    "signed, not on disk": (mirror, "write"),
    "on disk, not in the database": (Checkpoint.objects, "create"),
}


class Dead(BaseException):
    """Not an Exception: nothing on the way may handle it."""


def notes(count):
    with transaction.atomic():
        return [
            log.append("test.kill", subject=f"n:{n}", actor="t", payload={"n": n}).pk for n in range(count)
        ]


def check_all(pks):
    deadline = time.monotonic() + 60
    with acting_as("sealer"):
        # 0 also means: the server has not noticed yet that the killed sealer, which had the lock, is gone.
        while SealedLeaf.objects.count() < len(pks) and time.monotonic() < deadline:
            if not seal.seal_pending(100):
                time.sleep(0.05)
        seal.seal_pending(100)  # signs what was sealed and not signed
    report = fsck.fsck()
    assert (report.size, report.waiting) == (len(pks), 0)
    vkey = keyring.read("log_vkey").decode()
    for pk in (pks[0], pks[len(pks) // 2], pks[-1]):
        assert verify_proof(log.proof(pk), vkey)["id"] == pk
    assert mirror.read() == Checkpoint.objects.order_by("-size").first().note


@pytest.mark.parametrize("step", STEPS)
def test_dying_at_a_step(step, monkeypatch):
    pks = notes(280)
    with acting_as("sealer"):
        seal.seal_pending(100)
    target, name = STEPS[step]
    with monkeypatch.context() as patched:

        def die(*args, **kwargs):
            raise Dead

        patched.setattr(target, name, die)
        with acting_as("sealer"), pytest.raises(Dead):
            seal.seal_pending(170)
    whole = (
        step in ("head committed, nothing signed", "about to sign", "signed, not on disk") or "disk" in step
    )
    assert SealedLeaf.objects.count() == (270 if whole else 100)
    assert Tile.objects.count() == (1 if whole else 0)
    check_all(pks)


def child(work):
    """Run `work` in a forked process that shares no connection with us; its wait status."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


SEEDS = [*range(20), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(20, 220))]


@pytest.mark.parametrize("seed", SEEDS)
def test_kill_9_at_a_seeded_database_call(seed):
    """The n-th SQL statement of the sealing process is its last: the server never sees its end."""
    dice = random.Random(seed)
    pks = notes(300)
    fatal = dice.randrange(1, 17)  # one batch takes 17 statements or more
    batch = dice.choice([40, 100, 256, 300])

    def work():
        calls = 0

        def count(execute, sql, params, many, context):
            nonlocal calls
            calls += 1
            if calls == fatal and dice.random() < 0.5:
                os.kill(os.getpid(), signal.SIGKILL)  # before the statement
            result = execute(sql, params, many, context)
            if calls >= fatal:
                os.kill(os.getpid(), signal.SIGKILL)  # after it
            return result

        with acting_as("sealer"), connections["default"].execute_wrapper(count):
            while seal.seal_pending(batch):
                pass

    status = child(work)
    assert os.WIFSIGNALED(status), "the process ended before its fatal statement"
    assert os.WTERMSIG(status) == signal.SIGKILL
    check_all(pks)


def test_kill_9_between_the_file_and_the_database():
    pks = notes(10)

    def work():
        written = mirror.write

        def write_and_die(note):
            written(note)
            os.kill(os.getpid(), signal.SIGKILL)

        mirror.write = write_and_die
        with acting_as("sealer"):
            seal.seal_pending()

    assert os.WTERMSIG(child(work)) == signal.SIGKILL
    assert mirror.read()
    assert not Checkpoint.objects.exists()
    before = mirror.read()
    check_all(pks)
    assert mirror.read() == before  # signing the same head again gives the same note
