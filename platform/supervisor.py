"""One process that runs everything an installation needs, and leaves nothing behind.

Promises: database first, then preparation (`byline_prepare`), sealer, workers and, if asked, web;
a child that ends is started again, more slowly each time; SIGINT and SIGTERM stop everything in
order; when this process is killed, the kernel ends every child (`process.py`). One supervisor per
home, held by a lock that the kernel frees.

A command that needs services for its own duration says `with running(home):`. That uses the
supervisor that runs, or starts a detached one, which stops when the last such command has ended,
however it ended: each holds a shared lock, and the supervisor goes when nobody holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from byline.audit.base.errors import ConfigurationError
from byline.platform import children, environment, process, settings
from byline.platform.children import Service
from byline.platform.database import cluster, location

logger = logging.getLogger("byline.platform.supervisor")

_SUPERVISOR_LOCK, _CLIENTS_LOCK, _STATUS = "supervisor.lock", "clients.lock", "status.json"
_POLL_S = 0.2
_DATABASE_ATTEMPTS = 5


class ServicesFailed(ConfigurationError):
    """The services did not start."""

    code = "services_failed"
    help = "The message above is the end of the supervisor's log; correct the cause and try again."


class AlreadyRunning(ConfigurationError):
    """Another supervisor runs for this home."""

    code = "already_running"
    help = "It ends by itself after the last `byline` command, or stop the other `byline serve`."


def product_services(address: str | None = None) -> list[Service]:
    """The product's services; the web one only with an address such as "127.0.0.1:8000"."""
    from byline.platform.celery_app import GPU, LIGHT, worker_arguments

    services = [
        Service(
            "sealer",
            ["-m", "django", "byline_sealer"],
            {"BYLINE_PROCESS": "sealer", "BYLINE_DB_ROLE": "sealer"},
        ),
        *(
            Service(
                f"worker-{queue}", ["-m", *worker_arguments(queue)], {"BYLINE_PROCESS": f"worker-{queue}"}
            )
            for queue in (LIGHT, GPU)
        ),
    ]
    if address:
        web = ["-m", "gunicorn", "-c", "python:byline.platform.gunicorn_conf", "-b", address]
        services.append(Service("web", [*web, "byline.platform.wsgi:application"], {"BYLINE_PROCESS": "web"}))
    return services


class Supervisor:
    """Runs the services of one home in this process; `run` blocks until told to stop.

    `until_idle`: stop when no command holds the clients' lock. `prepare`: arguments of a child that
    must succeed after the database has started and before the services do.
    """

    def __init__(
        self,
        home: Path,
        services: Sequence[Service],
        *,
        until_idle: bool = False,
        address: str | None = None,
        prepare: Sequence[str] | None = ("-m", "django", "byline_prepare"),
    ) -> None:
        self.home = home.absolute()
        self.until_idle = until_idle
        self.address = address
        self.prepare = prepare
        self._children = children.Children(services, self.home)
        self._database: cluster.Cluster | None = None
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask `run` to end; safe from a signal handler or another thread."""
        self._stop.set()

    def run(self, *, wait_for_other_s: float = 0.0) -> None:
        """Start everything and watch it. Raises AlreadyRunning, DatabaseUnavailable, ServicesFailed."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_supervisor_lock(self.home, wait_for_other_s))
            (self.home / _STATUS).unlink(missing_ok=True)
            stack.callback((self.home / _STATUS).unlink, missing_ok=True)
            if location.embedded():
                stack.enter_context(cluster.lock(self.home))
                self._database = cluster.of_home(self.home)
                self._database.start()
                stack.callback(self._database.stop)
            self._run_preparation()
            stack.callback(self._children.stop)
            self._watch(stack)

    def _watch(self, stack: contextlib.ExitStack) -> None:
        ready = False
        while not self._stop.is_set():
            self._tend_database()
            changed = self._children.tend()
            if not ready and self._web_answers():
                ready = changed = True
            if ready and changed:
                self._write_status()
            if self.until_idle and _nobody_needs(self.home, stack):
                return
            self._stop.wait(_POLL_S)

    def _run_preparation(self) -> None:
        if not self.prepare:
            return
        # From the main thread only: the kernel ends children with the thread that started them.
        child = children.spawn(Service("prepare", self.prepare, {"BYLINE_PROCESS": "prepare"}), self.home)
        while child.poll() is None and not self._stop.wait(0.02):
            pass
        if self._stop.is_set():
            children.end(child)
        elif child.returncode:
            raise ServicesFailed(f"the preparation failed:\n{children.log_tail(self.home, 'prepare')}")

    def _tend_database(self) -> None:
        if self._database is None or self._database.is_running():
            return
        logger.warning("the database ended: starting it again")
        for attempt in range(_DATABASE_ATTEMPTS):
            try:
                self._database.start()
                return
            except cluster.DatabaseUnavailable:
                # After a kill its children hold the shared memory a moment longer.
                if attempt == _DATABASE_ATTEMPTS - 1:
                    raise
                self._stop.wait(1 + attempt)

    def _web_answers(self) -> bool:
        if not self.address:
            return True
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
        except OSError:
            return False
        logger.info("Byline is ready at http://%s", self.address)
        return True

    def _write_status(self) -> None:
        status = {"pid": os.getpid(), "address": self.address, "services": self._children.as_dict()}
        scratch = self.home / f".{_STATUS}"
        scratch.write_text(json.dumps(status))
        scratch.replace(self.home / _STATUS)


@contextlib.contextmanager
def running(home: Path, *, timeout_s: float = 180.0) -> Iterator[dict[str, Any]]:
    """The services of `home` for the length of the block; yields the supervisor's status.

    The first start makes keys and tables and takes some ten seconds. Raises ServicesFailed.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(home / _CLIENTS_LOCK, "a") as clients:
        fcntl.flock(clients, fcntl.LOCK_SH)  # waits for a supervisor that is just stopping
        yield _started(home, time.monotonic() + timeout_s)


def status(home: Path) -> dict[str, Any] | None:
    """pid, address and services of the supervisor that is ready on this home; None when none is."""
    try:
        found: dict[str, Any] = json.loads((home / _STATUS).read_text())
    except FileNotFoundError:
        return None
    # A killed supervisor leaves its file behind; the lock tells, and the pid of the file must live.
    return found if _lock_is_held(home) and process.is_alive(found["pid"]) else None


def wait_until_stopped(home: Path, timeout_s: float = 60.0) -> None:
    """Return when no supervisor runs for `home` any more. Raises AlreadyRunning after `timeout_s`."""
    with _supervisor_lock(home.absolute(), timeout_s):
        pass


def _started(home: Path, deadline: float) -> dict[str, Any]:
    spawned: subprocess.Popen[bytes] | None = None
    while (found := status(home)) is None:
        if spawned and spawned.poll() is not None and not _lock_is_held(home):
            raise ServicesFailed(f"the services did not start:\n{children.log_tail(home, 'supervisor')}")
        if spawned is None and not _lock_is_held(home):
            spawned = children.spawn_detached(
                Service("supervisor", ["-m", "byline.platform.supervisor"]), home
            )
        if time.monotonic() > deadline:
            raise ServicesFailed(
                f"the services were not ready in time:\n{children.log_tail(home, 'supervisor')}"
            )
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def _supervisor_lock(home: Path, timeout_s: float) -> Iterator[None]:
    deadline = time.monotonic() + timeout_s
    with open(home / _SUPERVISOR_LOCK, "a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise AlreadyRunning(f"Byline already runs for {home}") from None
                time.sleep(0.1)
        yield


def _lock_is_held(home: Path) -> bool:
    try:
        with open(home / _SUPERVISOR_LOCK, "a") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _nobody_needs(home: Path, stack: contextlib.ExitStack) -> bool:
    handle = open(home / _CLIENTS_LOCK, "a")  # noqa: SIM115
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return False
    # Keep it until all is stopped: a command that comes now waits, then starts a new supervisor.
    stack.callback(handle.close)
    return True


def serve(home: Path, *, host: str, port: int) -> None:
    """Run everything with the web at host:port until SIGINT or SIGTERM. Main thread only.

    Waits up to a minute for services that another command had started. ConfigurationError when
    pages for developers would be shown to others.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if settings.DEBUG and not environment.is_loopback(address):
        raise ConfigurationError(
            f"DEBUG is on, and {address} can be reached by others",
            help="Set BYLINE_PUBLIC_BASE_URL to the public address (DEBUG is then off), or DEBUG=0.",
        )
    supervisor = Supervisor(home, product_services(address), address=address)
    _run_until_signalled(supervisor, wait_for_other_s=60.0)


def _run_until_signalled(supervisor: Supervisor, *, wait_for_other_s: float) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: supervisor.stop()) for number in numbers]
    try:
        supervisor.run(wait_for_other_s=wait_for_other_s)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def main() -> int:
    """`python -m byline.platform.supervisor`: serve the commands that need services, then stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    supervisor = Supervisor(settings.HOME, product_services(), until_idle=True)
    try:
        _run_until_signalled(supervisor, wait_for_other_s=0.0)
    except ConfigurationError as error:
        logger.error("%s\n%s", error, error.help)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
