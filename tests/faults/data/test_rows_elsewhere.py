"""Damaged rows of MariaDB and SQLite: only those that were chosen, only in a scratch table, and back to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest

from chaosday.clock import SystemClock
from chaosday.drills.detection.drill import parse_drill
from chaosday.drills.detection.kind import DetectionKind
from chaosday.errors import CapabilityMissing, LeaseError, Refused, ScratchMarkMissing, UsageError
from chaosday.faults.data.rows import Damage, DataRows
from chaosday.model.fault import PlanContext
from chaosday.model.finding import Outcome
from chaosday.model.lease import LeaseHolder
from chaosday.model.sql import Sql
from chaosday.model.target import Target
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.lifecycle import Lifecycle
from chaosday.running.playing import complete
from chaosday.running.run import Run
from chaosday.undo.row_words import words_of
from tests.lab.machine import absent
from tests.workloads.engines import engine

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("stores")]
ROWS = 40


def run(target: Target, *statements: str) -> Any:
    with closing(target.capability(Sql).open()) as connection:
        for each in statements:
            cursor = connection.execute(each)
        return cursor.fetchall()


@pytest.fixture(scope="module", params=["mariadb", "sqlite_file"])
def server(request: pytest.FixtureRequest) -> Iterator[Target]:
    try:
        with engine(request.param) as made:
            yield made
    except CapabilityMissing as error:
        absent(str(error))


@pytest.fixture
def target(server: Target) -> Iterator[Target]:
    """A scratch table with a generated column and a NULL, and a column whose name is no good one."""
    run(
        server,
        "create table orders (id int primary key, name varchar(40), pieces int, "
        "twice int generated always as (pieces * 2) stored)",
        *(f"insert into orders (id, name, pieces) values ({n}, 'Nä{n}', {n})" for n in range(1, ROWS + 1)),
        "update orders set name = null where id = 7",
    )
    with closing(server.capability(Sql).open()) as connection:
        named = connection.dialect.named('of %s {n} "')
        connection.execute(f"alter table orders add column {named} int default 7", ())
        for each in words_of(connection).how.format(table="orders").split(";"):
            connection.execute(each)
    yield server
    run(server, "drop table orders", "drop table if exists chaosday_scratch")


def contents(target: Target) -> list[Any]:
    return list(run(target, "select * from orders order by id"))


def fault(damage: str, /, **fields: Any) -> DataRows:
    return DataRows.model_validate(
        {"target": "db", "table": "orders", "damage": damage, "count": 4, "accept_weak_lease": True, "ttl_s": 30}
        | ({} if damage == "delete" else {"column": "name" if damage in ("truncate", "trailing_space") else "pieces"})
        | fields
    )


@pytest.mark.parametrize("damage", get_args(Damage))
def test_it_hurts_what_it_chose_and_puts_it_back(target: Target, tmp_path: Path, damage: str) -> None:
    """Some rows read otherwise during the fault, the others do not; heal five times over, and nothing of ours stays."""
    before = contents(target)
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault(damage))
        life.arm(plan)
        assert contents(target) == before
        assert [each.id for each in target.capability(LeaseHolder).leases()] == [plan.lease.id]
        life.inject(plan)
        bite = life.attest(plan)
        assert bite.bit and 3 <= bite.during.value <= 4, bite.why
        # Compared as text: to Python a value and the same with a space are two anyway.
        changed = set(before) - set(contents(target))
        assert len(changed) == bite.during.value
        for _ in range(5):
            assert life.heal(plan).clean
        assert contents(target) == before
    assert target.capability(LeaseHolder).leases() == []


def test_what_others_wrote_meanwhile_stays(target: Target, tmp_path: Path) -> None:
    """A row that was written over is theirs; the other rows go back."""
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault("zero"))
        life.arm(plan)
        life.inject(plan)
        theirs = int(plan.data["keys"][0])
        run(target, f"update orders set pieces = 4711 where id = {theirs}")
        assert life.attest(plan).during.value == 3
        life.heal(plan)
    assert {row[0]: row[2] for row in contents(target)} == {n: n for n in range(1, ROWS + 1)} | {theirs: 4711}


def test_digits_that_are_not_printed_are_damage_too(target: Target, tmp_path: Path) -> None:
    """A number that reads the same and is another one is seen, and put back to the last digit."""
    value = 1234567 if target.kind == "mariadb" else 1234567890123456
    run(target, "alter table orders add column weight float", f"update orders set weight = {value} + id")
    exact = "select id, weight + 0e0 from orders order by id"
    before = run(target, exact)
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault("shift", column="weight"))
        life.arm(plan)
        life.inject(plan)
        assert life.attest(plan).during.value == len(set(before) - set(run(target, exact))) == 4
        assert life.heal(plan).clean
    assert run(target, exact) == before


def test_a_deleted_row_whose_place_is_taken_is_named_and_the_others_are_back(target: Target) -> None:
    """As soon as the row in the way is gone it is put back, too."""
    before = contents(target)
    run(target, "create unique index one on orders (pieces)")
    context = PlanContext(run="r", lease_id="cd-taken", seed=1, clock=SystemClock())
    deleting = fault("delete")
    plan, leases = deleting.plan(target, context), target.capability(LeaseHolder)
    leases.arm(plan.lease)
    deleting.inject(target, plan)
    theirs = plan.data["keys"][0]
    run(target, f"insert into orders (id, pieces) values (999, {theirs})")
    for _ in range(2):
        with pytest.raises(LeaseError, match=rf"1 rows of orders are kept and not back.*: {theirs} \("):
            leases.heal(plan.lease.id)
        assert len(contents(target)) == ROWS
    run(target, "delete from orders where id = 999")
    leases.heal(plan.lease.id)
    assert contents(target) == before
    assert leases.leases() == [] and leases.residue(plan.lease.id) == []


def test_a_table_that_is_not_for_it_is_refused(target: Target) -> None:
    """Without a mark, with a trigger, by the key or a generated column, as a view: refused before anything is done."""
    context = PlanContext(run="r", lease_id="cd-refused", seed=1, clock=SystemClock())
    run(target, "create table precious (id int primary key, pieces int)", "create view seen as select * from orders")
    try:
        for wrong, error in (
            ({"table": "precious"}, ScratchMarkMissing),
            ({"table": "seen"}, Refused),
            ({"table": "nowhere"}, UsageError),
            ({"column": "id"}, UsageError),
            ({"column": "twice"}, UsageError),
            ({"column": "nothing"}, UsageError),
            ({"count": ROWS + 1}, Refused),
        ):
            with pytest.raises(error):
                fault("zero", **wrong).plan(target, context)
        fires = "for each row delete from precious" if target.kind == "mariadb" else "begin delete from precious; end"
        run(target, f"create trigger fires after delete on orders {fires}")
        with pytest.raises(Refused, match="trigger fires"):
            fault("delete").plan(target, context)
        run(target, "drop trigger fires", "create unique index one on orders (pieces)")
        with pytest.raises(Refused, match="unique index, one"):
            fault("zero").plan(target, context)
        run(target, f"drop index one{' on orders' if target.kind == 'mariadb' else ''}")
        assert target.capability(LeaseHolder).residue("cd-refused") == []
    finally:
        run(target, "drop view seen", "drop table precious")


def test_a_detection_drill_tells_who_notices(target: Target, tmp_path: Path) -> None:
    """A count of rows sees deletions; nobody sees swapped values, and that is a violation."""
    rows = {"kind": "data.rows", "target": "db", "table": "orders", "accept_weak_lease": True, "count": 2}
    count = {"kind": "sql.query", "target": "db", "query": "select count(*) from orders", "at_least": ROWS}
    before = contents(target)
    for damage, outcome in ((rows, Outcome.PASS), (rows | {"damage": "swap", "column": "pieces"}, Outcome.VIOLATED)):
        plain = {
            "targets": {"db": target.model_dump(mode="json") | {"password": _password(target)}},
            "damage": [damage],
            "monitors": [{"name": "count", "probe": count}],
            "every_s": 0.1,
            "quiet_s": 0.2,
            "patience_s": 2,
            "max_targets": 2,
        }
        if _password(target) is None:
            plain["targets"]["db"].pop("password")  # type: ignore[index]
        directory = RunDirectory.create(tmp_path, "drill", SystemClock())
        with Run(DetectionKind(parse_drill(plain)), directory) as drilled:
            verdict = complete(drilled)
        assert verdict.outcome is outcome, verdict.reasons
        assert contents(target) == before


def _password(target: Target) -> str | None:
    secret = getattr(target, "password", None)
    return None if secret is None else str(secret.get_secret_value())
