"""kill -9 of workers at random moments: every job ends ready or failed with a reason, none is lost,
none doubled, and the log is whole."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from byline.audit import fsck
from byline.audit.models import Entry
from byline.generation import brands, states, store, submit, sweeper
from byline.generation.models import EffectApplied, GenerationRequest, QuotaLedger
from byline.generation.states import State
from byline.provenance.models import Record

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

TESTS = Path(__file__).parents[1]
PROMPT = "A doctor walks along a canal."  # one open person: one draw from the quota
SHORT = {"LEASE_S": 2.0, "HEARTBEAT_S": 0.5, "SWEEP_S": 1.0, "MAX_ATTEMPTS": 6}


@pytest.fixture
def environment(settings: Any, transactional_db: None) -> Iterator[dict[str, str]]:
    """Short leases here and in the workers; a sealer beside them."""
    chosen = {**kit.SETTINGS, **SHORT}
    settings.BYLINE = {**settings.BYLINE, **chosen}
    values = {
        f"BYLINE_{name}": json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in chosen.items()
    }
    with kit.Sealer() as sealer:
        sealer.keep_alive()
        yield {
            **os.environ,
            **values,
            "DJANGO_SETTINGS_MODULE": "byline.platform.settings",
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
        }


class Workers:
    """One light and one GPU worker, replaced when killed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.parent = subprocess.Popen(
            [sys.executable, str(TESTS / "pipeline_workers.py")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pids = {queue: self._fork(queue) for queue in ("light", "gpu")}

    def _fork(self, queue: str) -> int:
        assert self.parent.stdin
        assert self.parent.stdout
        self.parent.stdin.write(f"{queue}\n")
        self.parent.stdin.flush()
        return int(self.parent.stdout.readline())

    def kill(self, queue: str) -> None:
        os.kill(self.pids[queue], signal.SIGKILL)
        self.pids[queue] = self._fork(queue)

    def close(self) -> None:
        assert self.parent.stdin
        self.parent.stdin.close()
        self.parent.wait(timeout=60)


def wait_until_at_rest(timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    active = GenerationRequest.objects.filter(state__in=[state.value for state in states.ACTIVE])
    while left := list(active.values_list("state", "stage", "attempt", "message")):
        assert time.monotonic() < deadline, f"still active after {timeout_s} s: {left}"
        time.sleep(0.1)


def check_everything(rows: list[GenerationRequest]) -> Counter[str]:
    """None lost, none doubled, nothing half-made left, the log whole. Returns how the jobs ended."""
    ends: Counter[str] = Counter()
    files = set()
    for row in rows:
        row.refresh_from_db()
        ends[row.state] += 1
        kinds = Counter(Entry.objects.filter(subject=row.subject).values_list("kind", flat=True))
        effects = EffectApplied.objects.filter(request=row)
        assert kinds["generation.submitted"] == 1
        assert kinds["generation.decided"] <= 1
        assert effects.filter(kind="quota_draw").count() <= 1
        assert not store.work_directory(row.pk).exists() or sweeper.tidy()
        if row.state == State.READY:
            assert kinds["generation.ready"] == kinds["generation.decided"] == 1
            assert kinds["generation.failed"] == 0
            # A clip encoded anew after a kill may have a second leaf; the file's own is the one named.
            assert row.result["asset_entry"] in effects.filter(kind="append").values_list(
                "result__entry", flat=True
            )
            record = Record.objects.get(pk=row.result["record"])
            assert record.sha256 == row.file_sha256
            assert store.read_path(row.file_sha256)
            files.add(row.file_sha256)
        else:
            assert (row.state, row.error_code) == ("failed", "too_many_attempts")
            assert kinds["generation.failed"] == 1
    assert len(files) == Record.objects.count() == ends["ready"]
    drawn = EffectApplied.objects.filter(kind="quota_draw").count()
    assert sum(QuotaLedger.counts(brands.DEFAULT).values()) == drawn
    fsck.fsck()
    return ends


def kill_at_random(environment: dict[str, str], seeds: range) -> None:
    workers = Workers(environment)
    rows = []
    try:
        rows.append(kit.ask(prompt=PROMPT))
        began = time.monotonic()
        wait_until_at_rest(120)
        usual = time.monotonic() - began  # so that the moments cover the whole job on any machine
        for seed in seeds:
            rng = random.Random(seed)
            rows.append(kit.ask(prompt=PROMPT, seed=seed))
            time.sleep(rng.uniform(0, usual))
            for queue in rng.choice([("light",), ("gpu",), ("light", "gpu")]):
                workers.kill(queue)
        wait_until_at_rest(60 + 10 * usual * len(rows))
    finally:
        workers.close()
    ends = check_everything(rows)
    assert ends["ready"] >= 0.8 * len(rows), ends


@pytest.mark.slow  # 20 jobs and 20 kills; each kill costs a lease and the loading of the models
@pytest.mark.timeout(600)
def test_workers_killed_at_twenty_random_moments(environment: dict[str, str]) -> None:
    kill_at_random(environment, range(20))


@pytest.mark.soak
@pytest.mark.timeout(6000)
def test_workers_killed_at_two_hundred_random_moments(environment: dict[str, str]) -> None:
    kill_at_random(environment, range(1000, 1200))


@pytest.mark.slow  # two starts of a Celery worker with its models
@pytest.mark.timeout(300)
def test_a_celery_worker_killed_in_the_middle_is_replaced_by_the_next(environment: dict[str, str]) -> None:
    """With the broker in between: the message dies with the worker, the sweeper sends another."""
    environment["BYLINE_VIDEO_ENGINES"] = json.dumps(
        {"default": {"CLASS": "pipeline_kit.PatternEngine", "CONFIG": {"pause_s": 0.3}}}
    )

    def start() -> subprocess.Popen[bytes]:
        arguments = ["celery", "-A", "byline.platform.celery_app", "worker", "-Q", "light,gpu", "-P", "solo"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
        return subprocess.Popen([sys.executable, "-m", *arguments, *quiet], env=environment)

    row = submit.submit(prompt=PROMPT, requester="user:1", seconds=1, seed=7, options=kit.SMALL)
    worker = start()
    try:
        deadline = time.monotonic() + 90
        while row.state != "generating" or not row.message.startswith("text to video"):
            assert time.monotonic() < deadline, (row.state, row.stage)
            time.sleep(0.05)
            row.refresh_from_db()
        worker.kill()
        worker.wait()
        worker = start()
        wait_until_at_rest(120)
    finally:
        worker.kill()
        worker.wait()
    assert check_everything([row]) == {"ready": 1}
    assert row.attempt > 3  # light, gpu, gpu again, light
