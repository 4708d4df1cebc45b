"""What a command needs before it can work: Django, the database, or all services."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from byline.platform import process


def django_ready() -> None:
    """Load settings and apps. Starts nothing."""
    import django

    django.setup()


@contextlib.contextmanager
def database() -> Iterator[None]:
    """Django with a database that answers: the one that runs, or the embedded one for this block."""
    from byline.audit.base import conf
    from byline.platform.database import cluster, location

    django_ready()
    if not location.embedded():
        yield
        return
    with cluster.running(conf.home()):
        yield


@contextlib.contextmanager
def database_and_sealer() -> Iterator[None]:
    """As `database`, with a sealer of our own that ends with this process."""
    with database():
        sealer = subprocess.Popen(
            [sys.executable, "-m", "django", "byline_sealer"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "BYLINE_PROCESS": "sealer", "BYLINE_DB_ROLE": "sealer"},
            preexec_fn=process.bound_to_parent(signal.SIGKILL),
        )
        try:
            yield
        finally:
            sealer.terminate()
            sealer.wait()


def database_if_running() -> bool:
    """Whether this installation's database answers right now. Starts nothing, waits two seconds at most."""
    import psycopg
    from django.conf import settings

    values = settings.DATABASES["default"]
    try:
        psycopg.connect(
            dbname=values["NAME"],
            user=values["USER"],
            password=values["PASSWORD"] or None,
            host=values["HOST"],
            port=values["PORT"] or None,
            connect_timeout=2,
        ).close()
    except psycopg.OperationalError:
        return False
    django_ready()
    return True
