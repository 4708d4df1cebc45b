"""The child processes of a supervisor: started, watched, started again, stopped.

Promises: a child that ends is started again, after a pause that doubles with each failure; every
child is the leader of a session of its own, so stopping it stops what it started; all of them are
bound to this process by the kernel. Output goes to one private log per child.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from byline.platform import process

logger = logging.getLogger(__name__)

_STOP_GRACE_S = 10.0  # then a worker is killed in mid-task; its lease runs out and the job goes on later
_LONGEST_PAUSE_S = 30.0
_GOOD_RUN_S = 60.0  # a child that ran this long starts again without delay
_LOG_BYTES = 10_000_000


@dataclass(frozen=True)
class Service:
    """One child: arguments after the interpreter, and what its environment has in addition."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Child:
    service: Service
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    next_start: float = 0.0
    failures: int = 0


class Children:
    """The children of this process. Use it from one thread that lives as long as the process."""

    def __init__(self, services: Sequence[Service], home: Path) -> None:
        self._home = home
        self._children = [_Child(service) for service in services]

    def tend(self) -> bool:
        """Start what does not run and whose pause is over. Returns whether anything changed."""
        return any([self._tend(child) for child in self._children])

    def stop(self) -> None:
        """Ask all to end, wait, and kill the rest with everything they started."""
        living = [child.process for child in self._children if child.process]
        for one in living:
            _signal_group(one, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_GRACE_S
        for one in living:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(max(0.0, deadline - time.monotonic()))
        for one in living:
            end(one)

    def as_dict(self) -> dict[str, Any]:
        """{service name: {"pid": int | None, "failures": int}}."""
        return {
            child.service.name: {
                "pid": child.process.pid if child.process else None,
                "failures": child.failures,
            }
            for child in self._children
        }

    def _tend(self, child: _Child) -> bool:
        now = time.monotonic()
        if child.process is not None:
            if child.process.poll() is None:
                return False
            code = child.process.returncode
            end(child.process)  # and with it what it had started
            child.process = None
            child.failures = 1 if now - child.started > _GOOD_RUN_S else child.failures + 1
            pause = min(0.5 * 2 ** (child.failures - 1), _LONGEST_PAUSE_S)
            child.next_start = now + pause
            logger.warning("%s ended (%s): again in %.1f s", child.service.name, code, pause)
            return True
        if now < child.next_start:
            return False
        child.process = spawn(child.service, self._home)
        child.started = now
        return True


def spawn(service: Service, home: Path) -> subprocess.Popen[bytes]:
    """Start one child of this interpreter, bound to our life; its log is `home/logs/NAME.log`."""
    # SIGKILL: on SIGQUIT a worker whose broker had gone hung in its orderly end.
    return _popen(service, home, preexec_fn=process.bound_to_parent(signal.SIGKILL))


def spawn_detached(service: Service, home: Path) -> subprocess.Popen[bytes]:
    """Start a process that may outlive us, because others may come to need it."""
    return _popen(service, home, preexec_fn=None)


def _popen(service: Service, home: Path, *, preexec_fn: Callable[[], None] | None) -> subprocess.Popen[bytes]:
    with _open_log(home, service.name) as log:
        return subprocess.Popen(
            [sys.executable, *service.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment(home), **service.environment},
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops them in order
            preexec_fn=preexec_fn,
        )


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and its session, now, and wait for it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # also when it has ended: what it started may live on
    child.wait()


def environment(home: Path) -> dict[str, str]:
    """What every process of this home is started with."""
    return {
        "DJANGO_SETTINGS_MODULE": "byline.platform.settings",
        **os.environ,
        "BYLINE_HOME": str(home),
        "PYTHONUNBUFFERED": "1",
    }


def log_tail(home: Path, name: str) -> str:
    """The end of one child's log, for an error message."""
    path = _log_path(home, name)
    return path.read_text(errors="replace")[-2000:] if path.exists() else "(no log)"


def _log_path(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"


@contextlib.contextmanager
def _open_log(home: Path, name: str) -> Iterator[IO[bytes]]:
    path = _log_path(home, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        yield log


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
