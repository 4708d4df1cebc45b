"""Threat: the supervisor is killed outright (out of memory, kill -9) and leaves workers behind that go
on generating, signing or holding the database with nobody to stop them."""

import json
import subprocess
import time
from typing import Any

import psutil
import pytest

HOLD = """
import sys
from byline.platform import settings, supervisor
with supervisor.running(settings.HOME) as status:
    print(status["pid"], flush=True)
    sys.stdin.readline()
"""


def processes_after(installation: Any, seconds: float, but: set[int]) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while True:
        left = [process for process in installation.processes() if process.pid not in but]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


# While the database starts, while the installation is prepared, and when all is up.
@pytest.mark.parametrize("delay", [0.3, 1.5, None])
def test_nothing_outlives_a_killed_supervisor_and_it_starts_again(
    installation: Any, delay: float | None
) -> None:
    command = installation.popen(HOLD, stdin=subprocess.PIPE)
    if delay is None:
        supervisor = psutil.Process(int(command.stdout.readline()))
        # Let the workers get to where they hold connections and the sealer its lock.
        time.sleep(2)
        lines = [" ".join(process.cmdline()) for process in installation.processes()]
        for part in ("byline_sealer", "-Q light", "-Q gpu", "postgres -D", "postgres: checkpointer"):
            assert any(part in line for line in lines), part
    else:
        deadline = time.monotonic() + 30
        while not (
            found := [p for p in installation.processes() if "byline.platform.supervisor" in p.cmdline()]
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        supervisor = found[0]
        time.sleep(delay)
    supervisor.kill()
    assert processes_after(installation, 15, but={command.pid, supervisor.pid}) == []
    command.kill()
    command.communicate()

    again = installation.popen(HOLD, stdin=subprocess.PIPE)
    pid = int(again.stdout.readline() or 0)
    assert pid, again.stderr.read()
    status = json.loads((installation.home / "status.json").read_text())
    assert status["pid"] == pid != supervisor.pid
    again.communicate("\n", timeout=20)
