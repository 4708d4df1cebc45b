"""Requests that nobody works on are woken, gently, and leftovers of killed workers go away."""

import os
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from byline.generation import lease, store, submit, sweeper, wake
from byline.generation.models import GenerationRequest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "LEASE_S": 2.0, "HEARTBEAT_S": 0.2, "SWEEP_S": 10.0}


def ask() -> GenerationRequest:
    return submit.submit(prompt="A red kite.", requester="user:1", wake_worker=lambda *_: None)


def age(row: GenerationRequest, seconds: float, *fields: str) -> None:
    then = timezone.now() - timezone.timedelta(seconds=seconds)
    GenerationRequest.objects.filter(pk=row.pk).update(**dict.fromkeys(fields or ("updated_at",), then))


def swept() -> list[tuple[uuid.UUID, str]]:
    woken: list[tuple[uuid.UUID, str]] = []
    assert sweeper.sweep(lambda *call: woken.append(call)) == len(woken)
    return woken


def test_a_request_that_waits_too_long_is_woken_and_a_fresh_one_is_not() -> None:
    row = ask()
    assert swept() == []
    age(row, 11)
    assert swept() == [(row.pk, "light")]


def test_waiting_requests_are_woken_ever_more_rarely() -> None:
    row = ask()
    for waited, expected in [(11, 1), (11, 0), (21, 1), (21, 0), (39, 0), (41, 1)]:
        age(row, waited, "updated_at", "woken_at")
        assert len(swept()) == expected, waited


def test_an_expired_lease_is_woken_for_its_own_queue_and_a_living_one_is_left_alone() -> None:
    row = ask()
    GenerationRequest.objects.filter(pk=row.pk).update(state="queued")
    assert lease.claim(row.pk, "gpu") is not None
    age(row, 100)
    assert swept() == []
    age(row, 1, "lease_until")
    assert swept() == [(row.pk, "gpu")]
    assert swept() == []  # not again before SWEEP_S


@pytest.mark.parametrize("state", ["held", "rejected", "failed", "cancelled"])
def test_what_is_at_rest_is_never_woken(state: str) -> None:
    row = ask()
    GenerationRequest.objects.filter(pk=row.pk).update(state=state)
    age(row, 1000)
    assert swept() == []


def test_two_sweepers_do_not_send_the_same_message() -> None:
    rows = [ask() for _ in range(20)]
    for row in rows:
        age(row, 11)
    woken: list[uuid.UUID] = []
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        sweeper.sweep(lambda request_id, queue: woken.append(request_id))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(woken) == sorted(row.pk for row in rows)


def test_leftovers_go_and_everything_in_use_stays(settings: Any, tmp_path: Path) -> None:
    settings.BYLINE = {**settings.BYLINE, "HOME": tmp_path}
    running, ended, unknown = ask(), ask(), uuid.uuid4()
    submit.cancel(ended.pk, "user:1")
    for request_id in (running.pk, ended.pk, unknown):
        store.attempt_directory(request_id, 1)
    orphan, fresh = store.clips_root() / "ab" / f"{'ab' * 32}.mp4", store.clips_root() / ".put-x"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"x")
    fresh.write_bytes(b"x")
    then = time.time() - sweeper.ORPHAN_AGE_S - 60
    os.utime(orphan, (then, then))
    assert sweeper.tidy() == 3
    assert set(store.work_ids()) == {running.pk}
    assert not orphan.exists()
    assert fresh.exists()


def test_the_thread_sweeps_until_it_is_stopped(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BYLINE = {**settings.BYLINE, "SWEEP_S": 0.05}
    rounds: list[int] = []
    monkeypatch.setattr(sweeper, "_chores", [lambda: rounds.append(1)])
    sweeper.start()
    sweeper.start()
    deadline = time.monotonic() + 20
    while len(rounds) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    sweeper.stop()
    done = len(rounds)
    assert done > 2
    time.sleep(0.15)
    assert len(rounds) == done


def test_a_broker_that_is_away_is_not_the_submitters_problem(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(wake.current_app, "send_task", away)
    row = submit.submit(prompt="A red kite.", requester="user:1")
    assert GenerationRequest.objects.get(pk=row.pk).state == "submitted"
    assert "broker away" in caplog.text
    assert "kite" not in caplog.text
