"""Rows of a SQLite file under a lease: what reads the same is put back too, and what could not be is never hurt."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.errors import LeaseError, Refused
from chaosday.faults.data.rows import DataRows
from chaosday.model.fault import FaultPlan, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.targets.sqlite_file import SQLiteFile
from chaosday.undo.row_leases import LEASES

pytestmark = pytest.mark.kernel


@pytest.fixture
def target(tmp_path: Path) -> SQLiteFile:
    return SQLiteFile(path=tmp_path / "orders.sqlite")


def run(target: SQLiteFile, *statements: str) -> list[Any]:
    with closing(sqlite3.connect(target.path, isolation_level=None)) as connection:
        for each in statements:
            found = connection.execute(each).fetchall()
    return found


def scratch(target: SQLiteFile, definition: str, *rows: str) -> None:
    mark = "create table chaosday_scratch (name text)", "insert into chaosday_scratch values ('orders')"
    run(target, *mark, f"create table orders ({definition})", *(f"insert into orders values ({row})" for row in rows))


def planned(target: SQLiteFile, damage: str, column: str = "", count: int = 2) -> tuple[DataRows, FaultPlan]:
    given = {"target": "db", "table": "orders", "damage": damage, "column": column, "count": count}
    fault = DataRows.model_validate(given | {"accept_weak_lease": True})
    return fault, fault.plan(target, PlanContext(run="r", lease_id="cd-rows", seed=1, clock=SystemClock()))


def injected(target: SQLiteFile, damage: str, column: str = "", count: int = 2) -> tuple[DataRows, FaultPlan]:
    fault, plan = planned(target, damage, column, count)
    target.capability(LeaseHolder).arm(plan.lease)
    fault.inject(target, plan)
    return fault, plan


@pytest.mark.parametrize(
    ("definition", "after"),
    [
        ("id integer primary key, c integer unique", ""),
        ("id integer primary key, c integer", "create unique index one on orders (c)"),
        ("id integer primary key, c integer", "create unique index one on orders (abs(c))"),
        ("id integer primary key, c integer, d integer", "create unique index one on orders (d) where c > 1"),
        ("id integer, d integer as (c + 1) stored, c integer", "create unique index one on orders (d)"),
        ("id integer unique, c integer primary key", ""),
        ("id integer primary key on conflict replace, c integer", ""),
        ("id integer primary key, c integer not null on\n conflict ignore", ""),
        ("id integer primary key, c integer", "create trigger fires after update on ORDERS begin select 1; end"),
    ],
)
def test_a_column_whose_old_value_may_be_taken_is_refused(target: SQLiteFile, definition: str, after: str) -> None:
    """One in a unique index, also by way of an expression; and a table that does more by itself, however written."""
    scratch(target, definition)
    run(target, *filter(None, ["insert into orders (id, c) values (1, 2), (2, 1)", after]))
    with pytest.raises(Refused, match="would do more than its undo can put back"):
        planned(target, "shift", "c")


@pytest.mark.parametrize(
    ("declared", "value", "damage"),
    [("real", "1234567890123456.0", "shift"), ("text collate nocase", "'Ab'", "zero"), ("blob", "x'41'", "truncate"),
     ("text collate rtrim", "'Ab'", "trailing_space"), ("blob", "x'30'", "zero")],
)  # fmt: skip
def test_damage_that_reads_the_same_as_text_is_seen_and_put_back(
    target: SQLiteFile, declared: str, value: str, damage: str
) -> None:
    """Digits that are not printed, spaces that the column does not compare, a blob that reads as a number."""
    scratch(target, f"id integer primary key, c {declared}", f"1, {value}", f"2, {value}")
    exact = "select id, typeof(c), quote(c), c from orders"
    before = run(target, exact)
    fault, plan = injected(target, damage, "c")
    assert run(target, exact) != before
    assert fault.attest(target, plan).during.value == 2
    target.capability(LeaseHolder).heal(plan.lease.id)
    assert run(target, exact) == before


def test_what_was_no_damage_does_not_count(target: SQLiteFile) -> None:
    """A zero that becomes zero is none, and the fault says that it had no effect."""
    scratch(target, "id integer primary key, c integer", "1, 0", "2, 0")
    fault, plan = injected(target, "zero", "c")
    assert not fault.attest(target, plan).bit
    target.capability(LeaseHolder).heal(plan.lease.id)


def test_a_row_in_the_way_of_a_deleted_one_is_named_and_the_others_are_back(target: SQLiteFile) -> None:
    """Another row took a unique value meanwhile: said by key, and the rest goes back as soon as it makes room."""
    scratch(target, "id integer primary key, c integer unique", "1, 10", "2, 20", "3, 30")
    _, plan = injected(target, "delete", count=3)
    run(target, "insert into orders values (99, 20)")
    leases = target.capability(LeaseHolder)
    for _ in range(2):
        with pytest.raises(LeaseError, match=r"1 rows of orders are kept.*: 2 \(UNIQUE constraint"):
            leases.heal(plan.lease.id)
        assert run(target, "select * from orders order by id") == [(1, 10), (3, 30), (99, 20)]
    run(target, "delete from orders where id = 99")
    leases.heal(plan.lease.id)
    assert run(target, "select * from orders order by id") == [(1, 10), (2, 20), (3, 30)]
    assert run(target, "select name from sqlite_master where name like 'chaosday_%' and type = 'table'") == [
        ("chaosday_scratch",)
    ]


def test_the_table_of_leases_stays_while_another_lease_is_in_it(target: SQLiteFile) -> None:
    """The last one takes it away."""
    scratch(target, "id integer primary key, c integer", "1, 1", "2, 2")
    _, plan = injected(target, "shift", "c")
    run(target, f"insert into {LEASES} (id) values ('another')")
    target.capability(LeaseHolder).heal(plan.lease.id)
    assert run(target, f"select id from {LEASES}") == [("another",)]
