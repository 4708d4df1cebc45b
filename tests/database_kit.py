"""Puts a test database back as it was after the migrations, whatever a test committed.

Rows are put back table by table (milliseconds); when a test changed the schema itself, a trigger, a
grant or rows that came with the migrations, the whole database is made again from its clean twin
(a second). It works as superuser or owner: the product's role could not, and must not be able to.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

Connect = Callable[[str], psycopg.Connection[Any]]

_OTHERS_GONE = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
_TABLES = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
order by 1, 2
"""
# All that a test could change besides rows. Not whole rows of pg_class: vacuum writes there.
_SCHEMA = """
with ours as (
    select oid from pg_namespace where nspname not like 'pg\\_%' and nspname <> 'information_schema'
), parts as (
    select concat_ws(' ', 'n', oid, nspname, nspowner, nspacl) part from pg_namespace
    union all
    select concat_ws(' ', 'c', oid, relname, relowner, relkind, relpersistence, relrowsecurity, relacl)
    from pg_class where relnamespace in (select oid from ours)
    union all
    select concat_ws(' ', 'a', attrelid, attnum, attname, atttypid, attnotnull, attisdropped, attacl)
    from pg_attribute where attrelid in
        (select oid from pg_class where relkind = 'r' and relnamespace in (select oid from ours))
    union all
    select concat_ws(' ', 't', oid, tgrelid, tgname, tgenabled, tgfoid) from pg_trigger
    union all
    select concat_ws(' ', 'k', oid, conname, pg_get_constraintdef(oid)) from pg_constraint
    where connamespace in (select oid from ours)
    union all
    select concat_ws(' ', 'p', oid, proname, proowner, prosrc, proacl) from pg_proc
    where pronamespace in (select oid from ours)
)
select sum(hashtextextended(part, 0)) from parts
"""
# Triggers that fire even for a replica: the log's guards.
_GUARDS = """
select n.nspname, c.relname, t.tgname from pg_trigger t
join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where t.tgenabled = 'A' and not t.tgisinternal
"""
_SEQUENCES = """
select format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value is not null
from pg_sequences
"""


class CleanState:
    """What `name` holds right after the migrations; `restore` brings it back."""

    def __init__(self, connect: Connect, name: str, twin: str, options: str = "") -> None:
        """`connect(database)` as superuser or owner; `twin` is an unused copy of `name`.

        `options` are those of `create database`, such as its owner.
        """
        self._connect, self._name, self._twin, self._options = connect, name, twin, options
        with contextlib.closing(connect(name)) as connection:
            self._tables = connection.execute(_TABLES).fetchall()
            self._schema = connection.execute(_SCHEMA).fetchall()
            self._guards = connection.execute(_GUARDS).fetchall()
            self._rows = self._digests(connection)
            self._sequences = set(connection.execute(_SEQUENCES).fetchall())

    def restore(self) -> bool:
        """Returns whether the quick way was enough. Ends every other connection to the database."""
        with contextlib.closing(self._connect(self._name)) as connection:
            connection.execute(_OTHERS_GONE)
            if self._put_rows_back(connection):
                return True
        with contextlib.closing(self._connect("postgres")) as connection:
            connection.execute(f"drop database {self._name} with (force)")
            connection.execute(
                f"create database {self._name} template {self._twin} strategy file_copy {self._options}"
            )
        return False

    def _put_rows_back(self, connection: psycopg.Connection[Any]) -> bool:
        if connection.execute(_SCHEMA).fetchall() != self._schema:
            return False
        changed = [
            table for table, digest in self._digests(connection).items() if digest != self._rows[table]
        ]
        if any(self._rows[table] for table in changed):
            return False  # rows of the migrations: only the twin still has them
        with connection.transaction():
            # Neither foreign keys nor the log's guards may object; this takes a superuser.
            connection.execute("set local session_replication_role = replica")
            guards = [(table, name) for *table, name in self._guards if tuple(table) in changed]
            self._switch("disable trigger", guards, connection)
            for table in changed:
                connection.execute(sql.SQL("delete from {}").format(sql.Identifier(*table)))
            self._switch("enable always trigger", guards, connection)
            for name, value, called in self._sequences - set(connection.execute(_SEQUENCES).fetchall()):
                connection.execute("select setval(%s, %s, %s)", [name, value, called])
        return True

    def _switch(
        self, how: str, guards: list[tuple[list[str], str]], connection: psycopg.Connection[Any]
    ) -> None:
        for table, name in guards:
            connection.execute(
                sql.SQL("alter table {} {} {}").format(
                    sql.Identifier(*table), sql.SQL(how), sql.Identifier(name)
                )
            )

    def _digests(self, connection: psycopg.Connection[Any]) -> dict[tuple[str, str], Any]:
        """A digest of each table's rows, None for an empty one; one query for all."""
        query = sql.SQL(" union all ").join(
            sql.SQL("select {}, {}, sum(hashtextextended(t::text, 0)) from {} t").format(
                sql.Literal(schema), sql.Literal(table), sql.Identifier(schema, table)
            )
            for schema, table in self._tables
        )
        return {(schema, table): digest for schema, table, digest in connection.execute(query)}
