"""The three database roles and what each may do.

`byline_owner` owns the tables and runs migrations; `byline_app` reads and writes rows (the audit
migrations take updates and deletes of the log away from it again); `byline_sealer` reads, and may
write only what the audit migrations grant it. An outside server's roles are its administrator's
affair; `DATABASE_OWNER_URL` and `DATABASE_SEALER_URL` name them.
"""

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg import sql

from byline.platform.database.location import NAME, ROLES

_PRIVILEGES = """
revoke all on database {name} from public;
grant connect, temporary on database {name} to {owner}, {app}, {sealer};
grant usage on schema public to {app}, {sealer};
alter default privileges for role {owner} in schema public
    grant select, insert, update, delete on tables to {app};
alter default privileges for role {owner} in schema public grant usage, select on sequences to {app};
alter default privileges for role {owner} in schema public grant select on tables to {sealer};
"""


def create(connection: psycopg.Connection) -> None:
    """Create roles and database in a cluster of ours, as its superuser. Idempotent."""
    present = {row[0] for row in connection.execute("select rolname from pg_roles")}
    for role in ROLES.values():
        if role not in present:
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
    if not connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone():
        connection.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(NAME), sql.Identifier(ROLES["owner"])
            )
        )


def grant(connection: psycopg.Connection) -> None:
    """Set privileges inside the database, as superuser. Idempotent."""
    names = {role: sql.Identifier(user) for role, user in ROLES.items()}
    connection.execute(sql.SQL(_PRIVILEGES).format(name=sql.Identifier(NAME), **names))


@contextlib.contextmanager
def acting_as(role: str, using: str = "default") -> Iterator[None]:
    """Let Django's connection be `role` ("owner", "app", "sealer") inside the block.

    In a host project without `DATABASE_ROLES` the block runs as the one role there is.
    RuntimeError inside a transaction: changing the role would silently lose it.
    """
    from django.conf import settings
    from django.db import connections

    wanted = getattr(settings, "DATABASE_ROLES", {}).get(role)
    if wanted is None:
        yield
        return
    connection = connections[using]
    if connection.in_atomic_block:
        raise RuntimeError("the database role cannot change inside a transaction")
    # Not the database: Django's test runner may have given it another name.
    wanted = {name: value for name, value in wanted.items() if name != "NAME"}
    before = {name: connection.settings_dict[name] for name in wanted}
    connection.close()
    connection.settings_dict.update(wanted)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
