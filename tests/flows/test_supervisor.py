"""The supervisor with the product's real services, and with tiny ones where only it matters."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil
import pytest

START = """
import sys
from pathlib import Path
from byline.platform import settings, supervisor
with supervisor.running(settings.HOME) as status:
    print(status["pid"], flush=True)
    sys.stdin.readline()
"""
TINY = """
from byline.platform import settings, supervisor
from byline.platform.supervisor import Service
supervisor._run_until_signalled(supervisor.Supervisor(settings.HOME, [
    Service("steady", ["-c", "import time; time.sleep(1000)"]),
    Service("broken", ["-c", "raise SystemExit(3)"]),
], prepare=None), wait_for_other_s=0)
"""


def read_status(home: Any, wanted: Callable[[dict[str, Any]], Any] = lambda status: True) -> dict[str, Any]:
    """The status file once it says what is wanted."""
    deadline = time.monotonic() + 30
    while True:
        if (home / "status.json").exists():
            status = json.loads((home / "status.json").read_text())
            if wanted(status):
                return status
        assert time.monotonic() < deadline, "the supervisor's status did not come"
        time.sleep(0.05)


@pytest.fixture
def command(installation: Any) -> Callable[[], subprocess.Popen[str]]:
    return lambda: installation.popen(START, stdin=subprocess.PIPE)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def first_line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline().strip()
    assert line, process.stderr.read()
    return line


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate("\n", timeout=20)
    assert process.returncode == 0, errors


def test_commands_share_services_that_end_with_the_last(installation: Any, command: Any) -> None:
    first, second = command(), command()
    assert first_line(first) == first_line(second)
    status = read_status(installation.home)
    assert set(status["services"]) == {"sealer", "worker-light", "worker-gpu"}
    finish(first)
    time.sleep(1)
    assert installation.processes(), "the second command still needs the services"
    finish(second)  # the fixture asserts that nothing is left


def test_a_killed_command_is_no_reason_to_stay(installation: Any, command: Any) -> None:
    process = command()
    first_line(process)
    process.kill()
    process.communicate()


def test_serve_answers_over_http_and_stops_on_sigterm(installation: Any, free_port: int) -> None:
    script = (
        "from byline.platform import settings, supervisor;"
        f"supervisor.serve(settings.HOME, host='127.0.0.1', port={free_port})"
    )
    process = installation.popen(script)
    read_status(installation.home)
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/cms/login/", timeout=20) as answer:
        assert answer.status == 200
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert not (installation.home / "status.json").exists()


def test_a_crashed_child_comes_back_and_a_broken_one_waits_longer(installation: Any) -> None:
    process = installation.popen(TINY)
    before = read_status(installation.home)["services"]["steady"]["pid"]
    psutil.Process(before).kill()
    after = read_status(
        installation.home, lambda status: status["services"]["steady"]["pid"] not in {before, None}
    )
    assert after["services"]["steady"]["failures"] == 1
    read_status(installation.home, lambda status: status["services"]["broken"]["failures"] >= 3)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert "again in 0.5 s" in errors
    assert "again in 2.0 s" in errors


def test_a_second_supervisor_is_refused(installation: Any) -> None:
    first = installation.popen(TINY)
    read_status(installation.home)
    second = installation.popen(TINY)
    _, errors = second.communicate(timeout=20)
    assert second.returncode == 1
    assert "AlreadyRunning" in errors
    first.terminate()
    first.communicate(timeout=30)


def test_a_failed_preparation_says_why(installation: Any) -> None:
    installation.environment["BYLINE_LEASE_S"] = "1"  # shorter than a heartbeat: a system check refuses
    process = installation.popen(START, stdin=subprocess.PIPE)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "HEARTBEAT_S must be shorter than LEASE_S" in errors
