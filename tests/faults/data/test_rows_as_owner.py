"""Who owns a table, or may create a schema, gets none of the rights of the account that chaosday connects with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.errors import ChaosdayError, LeaseError, Refused
from chaosday.faults.data.rows import DataRows
from chaosday.model.fault import FaultPlan, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL

pytestmark = pytest.mark.lab

# What an owner, or a stranger who was granted TRIGGER, would do with a superuser's rights: say who it runs as.
_TRIGGER = """
create function {name}() returns trigger language plpgsql as $$ begin
  insert into public.seen values ('{name}', current_user); return coalesce(new, old); end $$;
"""


@pytest.fixture
def target(pair: tuple[Node, Node]) -> Iterator[PostgreSQL]:
    """A superuser's connection, and a scratch table of mallory's with a trigger of her own."""
    node = pair[0]
    made = PostgreSQL.model_validate({"port": node.port, "password": node.password})
    with made.connect() as connection:
        for statement in (
            "create role mallory login password 'm'",
            "create role eve login password 'e'",
            "create table seen (what text, who text)",
            "grant insert on seen to public",
            "grant create on database postgres to mallory",
            "grant create on schema public to mallory, eve",
            "set role mallory",
            "create table orders (id int primary key, pieces int)",
            "insert into orders select g, g from generate_series(1, 20) g",
            "comment on table orders is 'chaosday-scratch'",
            "grant trigger on orders to eve",
        ):
            connection.execute(statement)
    yield made
    with made.connect() as connection:
        connection.execute("drop schema if exists chaosday_kept cascade")
        connection.execute("drop owned by mallory, eve cascade")
        connection.execute("drop table seen")
        connection.execute("drop role mallory, eve")


def _planned(target: PostgreSQL) -> tuple[DataRows, FaultPlan]:
    fault = DataRows(target="db", table="orders", damage="zero", column="pieces", count=3, accept_weak_lease=True)
    context = PlanContext(run="r", lease_id="cd-owner-0001", seed=1, clock=SystemClock())
    return fault, fault.plan(target, context)


def _asked(target: PostgreSQL, statement: str) -> list[Any]:
    with target.connect() as connection:
        return connection.execute(statement).fetchall()


def _trigger(target: PostgreSQL, role: str, name: str) -> None:
    with target.connect() as connection:
        connection.execute(f"set role {role}")
        connection.execute(_TRIGGER.format(name=name))
        connection.execute(
            f"create trigger {name} before delete or update on orders for each row execute function {name}()"
        )


def test_triggers_made_meanwhile_are_not_run(target: PostgreSQL) -> None:
    """The undo sets off neither the owner's nor a stranger's, the rows come back, and each fires as before again."""
    before = _asked(target, "select * from orders order by id")
    fault, plan = _planned(target)
    target.capability(LeaseHolder).arm(plan.lease)
    fault.inject(target, plan)
    assert fault.attest(target, plan).bit
    _trigger(target, "eve", "eves")
    _trigger(target, "mallory", "hers")
    with target.connect() as connection:
        connection.execute("alter table orders enable always trigger hers")
    target.capability(LeaseHolder).heal(plan.lease.id)
    assert _asked(target, "select * from orders order by id") == before
    assert _asked(target, "select * from seen") == []
    fires = "select tgname, tgenabled from pg_trigger where tgname in ('eves', 'hers') order by 1"
    assert _asked(target, fires) == [("eves", "O"), ("hers", "A")]
    assert _asked(target, "select to_regnamespace('chaosday_kept')") == [(None,)]


@pytest.mark.parametrize(("role", "name"), [("eve", "eves"), ("mallory", "hers")])
def test_a_trigger_is_refused_at_plan_and_at_inject(target: PostgreSQL, role: str, name: str) -> None:
    """A stranger's or the owner's, there before the plan or made after it: nothing is touched."""
    before = _asked(target, "select * from orders order by id")
    fault, plan = _planned(target)
    target.capability(LeaseHolder).arm(plan.lease)
    _trigger(target, role, name)
    with pytest.raises(Refused, match=name):
        fault.inject(target, plan)
    with pytest.raises(Refused, match=name):
        _planned(target)
    target.capability(LeaseHolder).heal(plan.lease.id)
    assert _asked(target, "select * from orders order by id") == before


def test_a_view_in_its_place_is_refused(target: PostgreSQL) -> None:
    """A view's functions would be called by whoever reads it."""
    with target.connect() as connection:
        connection.execute("set role mallory")
        connection.execute("alter table orders rename to real")
        connection.execute("create view orders as select * from real")
        connection.execute("comment on view orders is 'chaosday-scratch'")
    with pytest.raises(ChaosdayError, match="not a table"):
        _planned(target)


def test_a_schema_that_somebody_made_before_us_is_refused(target: PostgreSQL) -> None:
    """Whoever may create a schema cannot plant leases: they are neither armed, listed nor run there."""
    _, plan = _planned(target)
    with target.connect() as connection:
        connection.execute("set role mallory")
        connection.execute("create schema chaosday_kept")
        connection.execute(
            "create table chaosday_kept.leases as select 'cd-planted-01' as id, 'r' as run, 'f' as fault, '{}' as undo"
        )
        connection.execute('create table chaosday_kept."cd-planted-01" ()')
    holder = target.capability(LeaseHolder)
    for attempt in (lambda: holder.arm(plan.lease), holder.leases, lambda: holder.heal("cd-planted-01")):
        with pytest.raises(Refused, match="belongs to mallory"):
            attempt()


def test_an_unsigned_row_is_not_run(target: PostgreSQL) -> None:
    """Who can write the table of leases and no more gets no statement out of it."""
    _, plan = _planned(target)
    holder = target.capability(LeaseHolder)
    holder.arm(plan.lease)
    with target.connect() as connection:
        connection.execute("update chaosday_kept.leases set undo = replace(undo, 'orders', 'seen')")
    with pytest.raises(LeaseError, match="not signed"):
        holder.heal(plan.lease.id)
    holder.heal(plan.lease.id, plan.lease.undo)
    assert holder.leases() == []


def test_an_account_that_cannot_become_the_owner_is_told(target: PostgreSQL) -> None:
    """Rights on the table are not enough, at plan: who would have to be granted to whom."""
    with target.connect() as connection:
        connection.execute("grant all on orders to eve")
    as_eve = PostgreSQL.model_validate({"port": target.port, "user": "eve", "password": "e"})
    with pytest.raises(ChaosdayError, match="grant mallory"):
        _planned(as_eve)
