"""What every test stands on: a home with keys, and a real PostgreSQL once a test asks for one.

The server is a copy of a cached, already migrated cluster (Wagtail's migrations take half a
minute, a copy takes under a second). Tests connect as `byline_app`, the role of the product: a
test that could rewrite the log would prove nothing. Tests that commit are cleaned by putting the
database back from its clean twin, which only the cluster's superuser can do.

`DATABASE_URL` set: that server is used instead, with pytest-django's own `test_` database, and
tests that need the roles are skipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.test import TransactionTestCase

from byline.platform import celery_app, keys
from byline.platform.database import binaries, location, roles
from byline.platform.database.cluster import Cluster, of_home
from byline.safety.review import rules

sys.path.insert(0, str(Path(__file__).parent))  # what several tests share: *_kit.py
# Torch's threads spin while they wait for each other: more of them than idle cores, and a clip of
# seconds takes minutes. Before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "2")
from database_kit import CleanState

EXTERNAL = bool(os.environ.get("DATABASE_URL"))
CLEAN = "byline_clean"
_KEPT_TEMPLATES = 6
_PREFIX = "byline-test-"
_MIGRATE_OTHERS = """
import django; django.setup()
from django.apps import apps
from django.core.management import call_command
for app in apps.get_app_configs():
    if not app.name.startswith("byline.") and (__import__("pathlib").Path(app.path) / "migrations").is_dir():
        call_command("migrate", app.label, verbosity=0)
"""
_MIGRATE_ALL = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


@pytest.fixture(scope="session", autouse=True)
def byline_home() -> Iterator[Path]:
    """This run's `$BYLINE_HOME`, with keys, for this process and its children."""
    with tempfile.TemporaryDirectory(prefix="byline-home-") as name:
        home = Path(name)
        os.environ["BYLINE_HOME"] = name
        settings.HOME = home
        settings.BYLINE = {**settings.BYLINE, "HOME": home}
        settings.MEDIA_ROOT = home / "media"
        # Ids are random: what the seed draws for a second look would come and go from run to run.
        undrawn = home / "review.yaml"
        undrawn.write_text(re.sub(r"(_percent:) \d+", r"\1 0", rules.SHIPPED.read_text()))
        os.environ["BYLINE_REVIEW_FILE"] = str(undrawn)
        settings.BYLINE |= {"REVIEW_FILE": undrawn}
        # Messages of this process go nowhere; tests of the real broker are in child processes.
        celery_app.app.conf.update(broker_url="memory://", broker_transport_options={})
        keys.create(home)
        yield home


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """This run's own PostgreSQL server, migrated. For tests of roles and of the database itself."""
    if EXTERNAL:
        pytest.skip("needs the embedded server: DATABASE_URL is set")
    with _run_directory() as directory:
        with _template() as template:
            _copy(template / "data", directory / "data")
        server = Cluster(directory, durable=False)
        server.start()
        try:
            yield server
        finally:
            server.stop()


if EXTERNAL:

    @pytest.fixture(scope="session")
    def django_db_setup(django_db_setup: None) -> Iterator[None]:
        """pytest-django's test database on the server that was given, with a clean twin beside it."""
        from django.db import connections

        name = connections["default"].settings_dict["NAME"]
        connections.close_all()
        server = location.parse_url(os.environ["DATABASE_URL"])

        def connect(database: str) -> psycopg.Connection[Any]:
            names = {"USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
            values = {ours: server[django] for django, ours in names.items() if server[django]}
            return psycopg.connect(dbname=database, autocommit=True, **values, **server["OPTIONS"])

        with contextlib.closing(connect("postgres")) as connection:
            connection.execute(f"drop database if exists {CLEAN}")
            connection.execute(f"create database {CLEAN} template {name}")
        with _restoring(CleanState(connect, name, CLEAN)):
            yield
        connections.close_all()
        with contextlib.closing(connect("postgres")) as connection:
            connection.execute(f"drop database {CLEAN}")

else:

    @pytest.fixture(scope="session")
    def django_db_setup(django_test_environment: None, byline_home: Path, cluster: Cluster) -> Iterator[None]:
        """Point Django, and every child process, at this run's server."""
        from django.db import connections

        urls = {
            "DATABASE_URL": cluster.url("app"),
            "DATABASE_OWNER_URL": cluster.url("owner"),
            "DATABASE_SEALER_URL": cluster.url("sealer"),
        }
        os.environ.update(urls)
        settings.DATABASE_ROLES = location.role_settings(byline_home)
        connections["default"].settings_dict.update(settings.DATABASE_ROLES["app"], CONN_MAX_AGE=0)
        owner = f"owner {location.ROLES['owner']}"
        with _restoring(CleanState(cluster.connect, location.NAME, CLEAN, owner), cluster):
            yield
        connections.close_all()
        for name in urls:
            del os.environ[name]


@contextlib.contextmanager
def _restoring(clean: CleanState, server: Cluster | None = None) -> Iterator[None]:
    """Let tests that commit be cleaned this way, not by Django's flush: it may not truncate the log."""
    from django.db import connections

    def restore(case: Any) -> None:
        connections.close_all()
        if not clean.restore() and server:
            with server.connect(location.NAME) as connection:
                roles.grant(connection)  # privileges on the database itself are not copied
        # The sealer's own memory of what it signed would take this for a restored backup, and refuse.
        shutil.rmtree(Path(settings.HOME) / "log", ignore_errors=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", restore)
        yield


@pytest.fixture
def connect_as(
    transactional_db: None, cluster: Cluster
) -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    """`connect_as("sealer")`: a plain connection as one of the roles, closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda role: stack.enter_context(contextlib.closing(psycopg.connect(cluster.url(role))))


@dataclass(frozen=True)
class Installation:
    """A home of its own with keys and a migrated, stopped, embedded database; for child processes."""

    home: Path
    environment: dict[str, str]

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this home: ours by their environment, PostgreSQL's by their directory."""
        data = str((self.home / "database").resolve() / "data")
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # PostgreSQL starts in / and only then enters its data; its children hide their arguments.
                if (
                    process.environ().get("BYLINE_HOME") == str(self.home)
                    or process.cwd() == data
                    or data in process.cmdline()
                ):
                    found.append(process)
        return found

    def popen(self, script: str, **options: Any) -> subprocess.Popen[str]:
        """Run Python code as this installation; stdout and stderr are pipes."""
        return subprocess.Popen(
            [sys.executable, "-c", script],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )


@pytest.fixture
def installation(byline_home: Path) -> Iterator[Installation]:
    """A second, complete installation. Whatever still runs for it afterwards fails the test."""
    with _run_directory() as directory:
        home = directory / "home"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DATABASE_")}
        environment |= {"BYLINE_HOME": str(home), "BYLINE_STATE_DIR": str(directory / "state")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BYLINE_STATE_DIR", environment["BYLINE_STATE_DIR"])
            cluster_of_home = of_home(home)
        shutil.copytree(byline_home / "keys", home / "keys")
        with _template() as template:
            _copy(template / "data", cluster_of_home.data)
        made = Installation(home, environment)
        try:
            yield made
            left = _wait_until_gone(made)
            assert not left, f"still running: {left}"
        finally:
            for process in made.processes():
                with contextlib.suppress(psutil.Error):
                    process.kill()


def _wait_until_gone(installation: Installation, timeout_s: float = 20.0) -> list[psutil.Process]:
    deadline = time.monotonic() + timeout_s
    while (left := installation.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.fixture(scope="module")
def sealer(django_db_setup: None) -> Iterator[Any]:
    """The real sealer in a process of its own, for a whole module."""
    with _pipeline_kit().Sealer() as running:
        yield running


@pytest.fixture
def small_pipeline(settings: Any, transactional_db: None, sealer: Any) -> None:
    """The tests' small video engine and quick times; a sealer runs."""
    settings.BYLINE = {**settings.BYLINE, **_pipeline_kit().SETTINGS}
    sealer.keep_alive()


@pytest.fixture
def make_clip(small_pipeline: None) -> Callable[..., Any]:
    """`make_clip(title=...)`: a small clip taken through every stage, in state ready."""

    def make(**fields: Any) -> Any:
        row = _pipeline_kit().finish(_pipeline_kit().ask(**fields))
        assert row.state == "ready", row.error
        return row

    return make


def _pipeline_kit() -> Any:
    # By its plain name: child processes load the tests' video engine by that name, too.
    if str(Path(__file__).parent) not in sys.path:
        sys.path.append(str(Path(__file__).parent))
    return importlib.import_module("pipeline_kit")


@contextlib.contextmanager
def _run_directory() -> Iterator[Path]:
    """A directory that the server's user can pass; those of killed runs are removed on the way."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), open(old / "lock") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with open(directory / "lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        directory.chmod(0o755)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _template() -> Iterator[Path]:
    """The cached cluster with all migrations applied; made in two steps, others' and ours.

    Held under a shared lock so that another run does not tidy it away while we copy.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "byline-tests"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    others, ours = _migrations_digest(lambda name: not name.startswith("byline.")), _migrations_digest()
    with open(cache / "lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        template = cache / f"all-{ours}"
        if not template.is_dir():
            fcntl.flock(handle, fcntl.LOCK_EX)  # one builds, the others wait for it
            base = cache / f"base-{others}"
            if not base.is_dir():
                _build(base, None, _MIGRATE_OTHERS)
            if not template.is_dir():
                _build(template, base, _MIGRATE_ALL)
            for kind in ("all", "base"):
                found = sorted(cache.glob(f"{kind}-*"), key=lambda p: p.stat().st_mtime, reverse=True)
                for old in found[_KEPT_TEMPLATES:]:
                    shutil.rmtree(old, ignore_errors=True)
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield template


def _build(target: Path, base: Path | None, script: str) -> None:
    with _run_directory() as directory:
        if base:
            _copy(base / "data", directory / "data")
        server = Cluster(directory, durable=False)
        server.start()
        try:
            environment = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
                "DATABASE_URL": server.url("app"),
                "DATABASE_OWNER_URL": server.url("owner"),
            }
            done = subprocess.run(
                [sys.executable, "-c", script], env=environment, text=True, capture_output=True, check=False
            )
            if done.returncode:
                raise pytest.UsageError(f"the migrations failed:\n{done.stderr[-3000:]}")
            if base:
                with server.connect() as connection:
                    connection.execute(f"create database {CLEAN} template {location.NAME}")
        finally:
            server.stop()
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
        _copy(directory / "data", scratch / "data")
        scratch.rename(target)


def _copy(source: Path, destination: Path) -> None:
    # cp keeps the owner (the server's user, when we are root) and clones where the disk can.
    reflink = ["--reflink=auto"] if sys.platform == "linux" else []
    subprocess.run(["cp", "-a", *reflink, str(source), str(destination)], check=True)


def _migrations_digest(wanted: Callable[[str], bool] = lambda name: True) -> str:
    digest = hashlib.sha256(str(binaries.directory()).encode())
    digest.update(Path(roles.__file__).read_bytes())
    for app in sorted(apps.get_app_configs(), key=lambda config: config.label):
        for file in sorted(Path(app.path).glob("migrations/*.py")) if wanted(app.name) else []:
            digest.update(f"{app.label}/{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
