"""The embedded broker: message queues as tables of the same database (PGMQ), no second server.

Only the schema `pgmq` belongs to the app role, because Celery declares its queues as the role that
uses them. Nothing there is worth protecting from the app: messages only wake workers, the job row
is the truth. The SQL comes with the package pgmq and needs no server extension. Upgrading an
installed schema is left out: messages do not outlive an upgrade, so it may be dropped first.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import conninfo, sql

from byline.audit.base.errors import ConfigurationError

URL = "pgmq://localhost"  # the host is a formality: `transport_options` says where
_INSTALLED = "select to_regprocedure('pgmq.create(text)') is not null"


def install(connection: psycopg.Connection[Any], *, owner: str | None = None) -> bool:
    """Make the queue functions, owned by the connection's role, or by `owner` if that is a superuser.

    Returns False when they were there. ConfigurationError when the role may not create them (an
    outside server).
    """
    from pgmq.install import get_embedded_install_sql

    names = {"name": sql.Identifier(connection.info.dbname), "owner": sql.Identifier(owner or "")}
    try:
        with connection.transaction():
            row = connection.execute(_INSTALLED).fetchone()
            if row and row[0]:
                return False
            if owner:  # may create a schema for this moment only
                connection.execute(sql.SQL("grant create on database {name} to {owner}").format(**names))
                connection.execute(sql.SQL("set local role {owner}").format(**names))
            connection.execute(get_embedded_install_sql())
            if owner:
                connection.execute("reset role")
                connection.execute(sql.SQL("revoke create on database {name} from {owner}").format(**names))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            "the application's database role may not create the message queues",
            help="Let it create a schema once: grant create on database <name> to <role of DATABASE_URL>;"
            " or set CELERY_BROKER_URL=redis://…",
        ) from error
    return True


def transport_options(role: Mapping[str, Any]) -> dict[str, Any]:
    """Options for kombu's PGMQ transport, from the app role's Django connection settings."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    parts = {ours: role[django] for django, ours in names.items() if role[django]}
    return {
        "conn_string": conninfo.make_conninfo("", **parts, **role["OPTIONS"]),
        "init_extension": False,
        "pool_size": 4,
        "pool_timeout": 5,  # who submits a job should not wait for a broker that is away
        # Wake by NOTIFY; ask at least every second, in case a notice got lost. No long poll: it would
        # hold a connection and keep a stopping worker waiting.
        "use_notify": True,
        "wait_time_seconds": 0,
        "polling_interval": 1.0,
        # Longer than any job. What a killed worker left is sent anew by the sweeper, much earlier.
        "visibility_timeout": 2 * 3600,
    }
