"""Runs one PostgreSQL server from a directory: unix socket only, bound to our life.

Promises: `start` returns when the server answers and its roles exist, or raises with the end of
its log; a cluster half made by an interrupted first start is made anew; a server left by a killed
owner is waited for and stopped before a new one starts; a stale postmaster.pid whose number now
belongs to another program does not stop us. One owner at a time holds `lock`; the kernel frees it
however the owner ends.

Connections are not asked for passwords: the socket's directory (0700) decides who may connect.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psycopg

from byline.audit.base.errors import ConfigurationError
from byline.platform import process
from byline.platform.database import binaries, broker, location, roles

START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
_SUPERUSER = "postgres"
_QUIET = [
    # A statement in the log would hold prompts; so would the details of a violated constraint.
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_parameter_max_length_on_error=0",
]
_HASTY = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]


class DatabaseUnavailable(ConfigurationError):
    """The embedded server did not start, or someone else holds it."""

    code = "database_unavailable"
    help = "Read the log named above; `DATABASE_URL` lets you use a PostgreSQL server of your own."


class Cluster:
    """One data directory and its server. `directory` must be passable by the server's user."""

    def __init__(self, directory: Path, socket: Path | None = None, *, durable: bool = True) -> None:
        """`durable=False` trades safety against power loss for speed; for tests only."""
        self.directory = directory
        self.data = directory / "data"
        self.socket = socket or directory / "run"
        self.log = directory / "log"
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start and wait until ready. Raises DatabaseUnavailable with the log's end."""
        self._private_directory(self.socket)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._stop_leftover()
        settings = [f"unix_socket_directories={self.socket}", "listen_addresses=", *_QUIET]
        settings += [] if self.durable else _HASTY
        arguments = [str(binaries.directory() / "postgres"), "-D", str(self.data)]
        for setting in settings:
            arguments += ["-c", setting]
        with self._open_log() as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # a Ctrl-C in the terminal must reach the workers first
                preexec_fn=process.bound_to_parent(signal.SIGINT),  # SIGINT: fast, clean shutdown
                **_as_user(),
            )
        try:
            self._wait_until_ready(time.monotonic() + timeout_s)
            with self.connect() as connection:
                roles.create(connection)
            with self.connect(location.NAME) as connection:
                roles.grant(connection)
                broker.install(connection, owner=location.ROLES["app"])
        except BaseException:
            self.stop()
            raise

    def is_running(self) -> bool:
        """Whether the server that we started still runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop cleanly; harsher when that takes too long. Does nothing when it is not running."""
        if self.process is None:
            return
        for harsher in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(harsher)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_TIMEOUT_S)
        self.process = None

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        """A connection as the cluster's superuser, outside any transaction."""
        return psycopg.connect(
            dbname=name, user=_SUPERUSER, host=str(self.socket), connect_timeout=5, autocommit=True
        )

    def url(self, role: str) -> str:
        """libpq URL for one of `location.ROLES`."""
        return f"postgresql://{location.ROLES[role]}@/{location.NAME}?host={self.socket}"

    def _wait_until_ready(self, deadline: float) -> None:
        assert self.process is not None
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return
            if self.process.poll() is not None:
                raise DatabaseUnavailable(f"PostgreSQL ended while starting:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"PostgreSQL did not get ready in time:\n{self._log_tail()}")
            time.sleep(0.02)

    def _initialise(self) -> None:
        # Into a second directory, then renamed: an interrupted initdb leaves no half cluster behind.
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=self.directory))
        try:
            self._own(scratch)
            options = [] if self.durable else ["--no-sync", "--wal-segsize=1"]
            done = subprocess.run(
                [
                    str(binaries.directory() / "initdb"),
                    *("-A", "trust", "-U", _SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8"),
                    *options,
                    *("-D", str(scratch)),
                ],
                capture_output=True,
                text=True,
                cwd="/",
                env=_environment(),
                timeout=300,
                check=False,
                **_as_user(),
            )
            if done.returncode:
                raise DatabaseUnavailable(f"initdb failed:\n{(done.stdout + done.stderr)[-2000:]}")
            shutil.rmtree(self.data, ignore_errors=True)
            scratch.rename(self.data)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _stop_leftover(self) -> None:
        """We hold the lock, so a server on this data has lost its owner: stop it and wait."""
        file = self.data / "postmaster.pid"
        deadline = time.monotonic() + START_TIMEOUT_S
        while file.exists():
            try:
                pid = int(file.read_text().split("\n", 1)[0])
            except (ValueError, FileNotFoundError):
                pid = 0  # cut off in mid-write: that server never ran
            arguments = process.command_line(pid) if pid else None
            if not arguments or str(self.data) not in arguments:
                file.unlink(missing_ok=True)  # PostgreSQL would mistake any process of that number for itself
                return
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"a PostgreSQL server without owner (pid {pid}) does not stop")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            time.sleep(0.1)

    def _private_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        self._own(path)
        status = path.lstat()
        user = binaries.unprivileged_user()
        # In /tmp someone else may have made the name first, to listen in our place.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != (user.uid if user else os.geteuid()):
            raise DatabaseUnavailable(f"{path} is not a directory of ours", help=f"Remove {path}.")
        path.chmod(0o700)

    def _own(self, path: Path) -> None:
        user = binaries.unprivileged_user()
        if user and path.lstat().st_uid == 0:
            os.chown(path, user.uid, user.gid, follow_symlinks=False)

    def _open_log(self) -> IO[bytes]:
        return os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def _log_tail(self) -> str:
        text = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else "(no log)"
        return f"{text}\n(log: {self.log})"


def of_home(home: Path, *, durable: bool = True) -> Cluster:
    """The cluster of one installation; its directory is made when there is none yet."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    seen = location.database_directory(home)
    if not seen.exists():
        if seen.is_symlink():
            raise DatabaseUnavailable(
                f"{seen} points to a directory that is gone",
                help=f"Bring {seen.readlink()} back, or remove {seen} to begin with an empty database.",
            )
        if binaries.unprivileged_user() is None:
            seen.mkdir(mode=0o700)
        else:
            # A random name: a home that was removed and made again must not find its old database.
            real = Path(tempfile.mkdtemp(prefix="database-", dir=binaries.state_directory()))
            real.chmod(0o755)  # passable; what is inside is 0700 and the server's own
            seen.symlink_to(real)
    real = seen.resolve()
    socket = location.socket_directory(home)
    # The server's user cannot pass the home, so it gets the directory behind the link.
    return Cluster(real, real / "run" if socket.parent == seen else socket, durable=durable)


@contextlib.contextmanager
def lock(home: Path, timeout_s: float = START_TIMEOUT_S) -> Iterator[None]:
    """Be the one owner of this home's database. DatabaseUnavailable when another keeps it."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + timeout_s
    with open(home / "database.lock", "a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise DatabaseUnavailable(
                        f"another process runs the database of {home}",
                        help="Stop the other `byline` process, or use it: only one may own the database.",
                    ) from None
                time.sleep(0.05)
        yield


@contextlib.contextmanager
def running(home: Path) -> Iterator[None]:
    """The database of `home`, for the length of the block: the one that runs already, or one of ours."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock(home, timeout_s=0))
        except DatabaseUnavailable:
            _wait_for_other(home)
        else:
            cluster = of_home(home)
            cluster.start()
            stack.callback(cluster.stop)
        yield


def _wait_for_other(home: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    host = str(location.socket_directory(home))
    while True:
        try:
            psycopg.connect(dbname=location.NAME, user=location.ROLES["app"], host=host).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"the process that owns the database of {home} does not answer"
                ) from error
            time.sleep(0.1)
        else:
            return


def _as_user() -> dict[str, Any]:
    user = binaries.unprivileged_user()
    return user.popen_arguments() if user else {}


def _environment() -> dict[str, str]:
    # No PG* variables of the caller, no secrets of ours, a fixed language for the log.
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
