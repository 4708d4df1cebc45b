"""The cleaning between tests itself: a leak here would make other tests pass or fail by their order."""

from typing import Any

import pytest
from database_kit import CleanState

CHANGES = {
    "rows of ours": ("insert into thing (word) values ('b')", True),
    "rows that refer to each other": (
        "insert into thing values (7, 'b'); insert into part values (7)",
        True,
    ),
    "a sequence": ("select nextval('thing_id_seq')", True),
    "rows of the migrations": ("update seed set word = 'other'", False),
    "lost rows of the migrations": ("delete from seed", False),
    "a table": ("create table more ()", False),
    "a column": ("alter table thing add x int", False),
    "a trigger switched off": ("alter table seed disable trigger guard", False),
    "a function": (
        "create or replace function refuse() returns trigger language plpgsql as 'begin end'",
        False,
    ),
    "a grant": ("grant truncate on seed to byline_app", False),
}


@pytest.fixture
def clean(cluster: Any) -> Any:
    name, twin = "kit", "kit_twin"
    with cluster.connect() as connection:
        connection.execute(f"create database {name}")
        with cluster.connect(name) as inside:
            inside.execute(
                """
                create table thing (id serial primary key, word text);
                create table part (thing int references thing);
                create table seed (word text);
                insert into seed values ('a');
                create function refuse() returns trigger language plpgsql
                    as 'begin raise exception ''no''; end';
                create trigger guard before truncate on seed execute function refuse();
                create trigger guard before delete on thing execute function refuse();
                alter table thing enable always trigger guard;
                """
            )
        inside.close()
        connection.execute(f"create database {twin} template {name}")
        yield CleanState(cluster.connect, name, twin)
        connection.execute(f"drop database {name} with (force)")
        connection.execute(f"drop database {twin}")


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_undone(change: str, clean: CleanState, cluster: Any) -> None:
    statement, quickly = CHANGES[change]
    left_open = cluster.connect("kit")
    left_open.execute(statement)
    assert clean.restore() is quickly
    with pytest.raises(Exception, match=r"terminat|closed"):
        left_open.execute("select 1")
    again = CleanState(cluster.connect, "kit", "kit_twin")
    for part in ("_tables", "_schema", "_rows", "_sequences"):
        assert getattr(again, part) == getattr(clean, part)


def test_an_unchanged_database_is_left_alone(clean: CleanState) -> None:
    assert clean.restore() is True
