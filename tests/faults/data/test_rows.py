"""Damaged rows: only those that were chosen, only in a scratch table, and back to the byte."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest

from chaosday.errors import LeaseError, Refused, ScratchMarkMissing, UsageError
from chaosday.faults.data import rows
from chaosday.faults.data.files import DataFiles
from chaosday.faults.data.rows import Damage, DataRows
from chaosday.mechanisms.hosts.scratch import SCRATCH
from chaosday.model.lease import LeaseHolder
from chaosday.processes.limits.within import within
from chaosday.record.journal import Journal, open_faults
from chaosday.running.lifecycle import Lifecycle
from chaosday.servers.postgres import Node
from chaosday.targets.local_host import LocalHost
from chaosday.targets.postgresql import PostgreSQL
from chaosday.undo import watchdog
from chaosday.undo.recovery import heal_open, recover

pytestmark = pytest.mark.lab

ROWS = 40


@pytest.fixture
def target(pair: tuple[Node, Node]) -> Iterator[PostgreSQL]:
    """A scratch table with a generated column, an identity and a NULL, and another table that is nobody's business."""
    node = pair[0]
    made = PostgreSQL.model_validate({"port": node.port, "password": node.password})
    with made.connect() as connection:
        connection.execute(
            "create table orders (id int generated always as identity primary key, name text, pieces int, "
            "twice int generated always as (pieces * 2) stored)"
        )
        connection.execute(f"insert into orders (name, pieces) select 'n' || g, g from generate_series(1, {ROWS}) g")
        connection.execute("comment on table orders is 'chaosday-scratch'")
        connection.execute("create table precious as select * from orders")
    yield made
    with made.connect() as connection:
        connection.execute("drop table orders, precious")


def contents(target: PostgreSQL, table: str = "orders") -> list[Any]:
    with target.connect() as connection:
        return connection.execute(f"select t::text from {table} t order by id").fetchall()


def fault(damage: str, /, **fields: Any) -> DataRows:
    return DataRows.model_validate(
        {"target": "db", "table": "orders", "damage": damage, "count": 4, "accept_weak_lease": True, "ttl_s": 30}
        | ({} if damage == "delete" else {"column": "name" if damage in ("truncate", "trailing_space") else "pieces"})
        | fields
    )


@pytest.mark.parametrize("damage", get_args(Damage))
def test_it_hurts_what_it_chose_and_puts_it_back(target: PostgreSQL, tmp_path: Path, damage: str) -> None:
    """Four rows read otherwise during the fault, the others and the other table do not; heal five times over."""
    before, precious = contents(target), contents(target, "precious")
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault(damage))
        life.arm(plan)
        assert contents(target) == before
        life.inject(plan)
        bite = life.attest(plan)
        assert bite.bit and bite.during.value == 4, bite.why
        assert len(set(before) - set(contents(target))) == 4
        for _ in range(5):
            assert life.heal(plan).clean
        assert contents(target) == before
    assert contents(target, "precious") == precious
    with target.connect() as connection:
        assert connection.execute("select to_regnamespace('chaosday_kept')").fetchone()[0] is None


def test_a_row_goes_back_whatever_its_columns_are_called(target: PostgreSQL, tmp_path: Path) -> None:
    """Also what stands for a parameter elsewhere in the same statement."""
    with target.connect() as connection:
        connection.execute('alter table orders add column "of %s {n}" int default 7')
    before = contents(target)
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault("delete"))
        life.arm(plan)
        life.inject(plan)
        assert len(contents(target)) == ROWS - 4
        assert life.heal(plan).clean
    assert contents(target) == before


def test_a_lock_of_somebody_else_does_not_hold_up_the_undo(
    target: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are back, and a table that refers to them cannot be read: said within a while, and not clean."""
    before = contents(target)
    with target.connect() as admin:
        admin.execute("alter table orders add constraint one unique (pieces)")
        admin.execute("create table child (pieces int references orders (pieces))")
        try:
            life = Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4)
            plan = life.plan(fault("truncate"))
            life.arm(plan)
            life.inject(plan)
            with target.connect(autocommit=False) as holder, monkeypatch.context() as hurried:
                holder.execute("lock table child in access exclusive mode")
                hurried.setattr(rows, "ANSWER_S", 1)
                seen = within(120, lambda: life.heal(plan), "the undo")
                holder.rollback()
            assert "no answer within 1 s" in seen.words and not seen.clean
            assert contents(target) == before
            assert life.heal(plan).clean
        finally:
            admin.execute("drop table child")


def test_a_killed_run_is_recovered_from_its_journal_or_without_one(target: PostgreSQL, tmp_path: Path) -> None:
    """SIGKILL with rows deleted: the database still has them, and whoever finds the lease puts them back."""
    before = contents(target)
    journal = tmp_path / "journal.jsonl"

    def run() -> None:
        life = Lifecycle("dead", Journal.create(journal, "dead"), {"db": target}, max_affected=4)
        plan = life.plan(fault("delete"))
        life.arm(plan)
        life.inject(plan)
        signal.raise_signal(signal.SIGKILL)

    for journals in ([journal], []):
        journal.unlink(missing_ok=True)
        process = multiprocessing.get_context("fork").Process(target=run)
        process.start()
        process.join()
        assert len(contents(target)) == ROWS - 4
        did = recover(journals, {"db": target}, end_marked=False)
        assert [each.ok for each in did] == [True], did
        assert contents(target) == before


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"accept_weak_lease": False}, Refused, "accept_weak_lease"),
        ({"table": "precious"}, ScratchMarkMissing, "comment on table precious"),
        ({"table": "nowhere"}, UsageError, "no table nowhere"),
        ({"damage": "null"}, UsageError, "column"),
        ({"damage": "shift", "column": "id"}, UsageError, "another column"),
        ({"damage": "zero", "column": "twice"}, UsageError, "generated"),
        ({"damage": "zero", "column": "nothing"}, UsageError, "no column nothing"),
        ({"count": ROWS + 1}, Refused, "too few"),
    ],
)
def test_it_refuses_before_it_touches(
    target: PostgreSQL, tmp_path: Path, fields: dict[str, Any], error: type[Exception], words: str
) -> None:
    """No mark, no table, no column, too few rows, no consent: refused in the plan, in words."""
    life = Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=100)
    with life, pytest.raises(error, match=words):
        life.plan(fault("delete", **fields))


@pytest.mark.parametrize(
    ("made", "damage", "words"),
    [
        ("create table child (id int references orders on delete cascade)", "delete", "foreign key"),
        ("create table child (id int references orders on delete set null)", "delete", "foreign key"),
        ("create table child (pieces int references orders (pieces) on update cascade)", "zero", "foreign key"),
        ("create rule also as on update to orders do also delete from precious", "zero", "rule also"),
        ("create rule also as on insert to orders do also delete from precious", "delete", "rule also"),
        ("create table child (id int)", "zero", "unique index, one"),
        ("create unique index two on orders (id) where pieces > 1", "zero", "unique index, two"),
        ("create unique index two on orders (abs(pieces))", "zero", "unique index, two"),
        ("create unique index two on orders (twice)", "zero", "unique index, two"),
    ],
)
def test_what_would_do_more_than_its_undo_is_refused(
    target: PostgreSQL, tmp_path: Path, made: str, damage: str, words: str
) -> None:
    """A cascade, a rule: whatever carries the change further than the rows that are put back."""
    with target.connect() as connection:
        connection.execute("alter table orders add constraint one unique (pieces)")
        connection.execute(made)
    life = Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4)
    try:
        with life, pytest.raises(Refused, match=words):
            life.plan(fault(damage))
    finally:
        with target.connect() as connection:
            connection.execute("drop table if exists child")
            connection.execute("drop index if exists two")
            connection.execute("alter table orders drop constraint one cascade")


def test_what_others_wrote_meanwhile_stays(target: PostgreSQL, tmp_path: Path) -> None:
    """Of four damaged rows one is corrected, one renamed and one deleted by its users: only the damage goes back."""
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault("zero"))
        life.arm(plan)
        life.inject(plan)
        first, second, third, fourth = plan.data["keys"]
        with target.connect() as connection:
            connection.execute("update orders set pieces = 777 where id::text = %s", (first,))
            connection.execute("update orders set name = 'renamed' where id::text = %s", (second,))
            connection.execute("delete from orders where id::text = %s", (third,))
        look = life.look(plan)
        assert look is not None and look.during.value == 2, look
        life.heal(plan)
    with target.connect() as connection:
        rows = connection.execute(
            "select id::text, name, pieces from orders where id::text = any(%s)", (plan.data["keys"],)
        ).fetchall()
    expected = {(first, f"n{first}", 777), (second, "renamed", int(second)), (fourth, f"n{fourth}", int(fourth))}
    assert set(rows) == expected


@pytest.mark.parametrize("damage", ["zero", "delete"])
def test_what_others_wrote_between_arming_and_the_injection_stays(
    target: PostgreSQL, tmp_path: Path, damage: str
) -> None:
    """What is put back is the row as it was when it was hurt, not as it was when that was prepared; one that its users
    had deleted by then is not brought to life."""
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault(damage))
        life.arm(plan)
        first, second, *_ = plan.data["keys"]
        with target.connect() as connection:
            connection.execute("update orders set pieces = 777, name = 'late' where id::text = %s", (first,))
            connection.execute("delete from orders where id::text = %s", (second,))
        meant = contents(target)
        life.inject(plan)
        assert life.attest(plan).during.value == 3
        life.heal(plan)
    assert contents(target) == meant


def test_a_row_that_its_users_wrote_again_is_not_doubled(target: PostgreSQL, tmp_path: Path) -> None:
    """Deleted by the fault and written anew by an application under the same key: the newer one stays."""
    with Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4) as life:
        plan = life.plan(fault("delete"))
        life.arm(plan)
        life.inject(plan)
        key = plan.data["keys"][0]
        with target.connect() as connection:
            connection.execute(
                "insert into orders (id, name, pieces) overriding system value values (%s, 'anew', 1)", (int(key),)
            )
        life.heal(plan)
    with target.connect() as connection:
        found = connection.execute("select name from orders where id::text = %s", (key,)).fetchall()
        assert (found, connection.execute("select count(*) from orders").fetchone()[0]) == ([("anew",)], ROWS)


def test_a_lease_that_is_over_cannot_be_renewed(target: PostgreSQL, tmp_path: Path) -> None:
    """Nothing is injected under a lease whose deadline has passed."""
    life = Lifecycle("r", Journal.create(tmp_path / "journal.jsonl", "r"), {"db": target}, max_affected=4)
    before = contents(target)
    with life:
        plan = life.plan(fault("delete"))
        life.arm(plan)
        with target.connect() as connection, pytest.raises(psycopg.Error):
            connection.execute(f'create table chaosday_kept."{plan.lease.id}" (x int)')
        with target.connect() as connection:
            connection.execute("update chaosday_kept.leases set deadline = now() - interval '1 s'")
        with pytest.raises(LeaseError):
            life.inject(plan)
        assert len(target.capability(LeaseHolder).leases()) == 1
    assert contents(target) == before


def test_files_at_rest_need_a_scratch_mark(tmp_path: Path) -> None:
    """A directory without the mark is refused, with the command that would mark it."""
    (tmp_path / "file").write_text("precious")
    life = Lifecycle("r", Journal.create(tmp_path / "j" / "journal.jsonl", "r"), {"here": LocalHost()})
    with life, pytest.raises(ScratchMarkMissing, match=r"touch .*\.chaosday-scratch"):
        life.plan(DataFiles(target="here", path=str(tmp_path)))


def test_the_same_seed_draws_the_same_files(tmp_path: Path) -> None:
    """A run again with its seed damages the same bytes of the same files, and another seed others."""
    (tmp_path / "here").mkdir()
    for name in (SCRATCH, *(f"file{number:02}" for number in range(40))):
        (tmp_path / "here" / name).write_bytes(bytes(1000))
    here, drawn = LocalHost(state_dir=str(tmp_path / "leases")), []
    for number, seed in enumerate((7, 7, 8)):
        journal = Journal.create(tmp_path / f"j{number}" / "journal.jsonl", "r")
        with Lifecycle("r", journal, {"here": here}, seed=seed, max_affected=6) as life:
            drawn.append(life.plan(DataFiles(target="here", path=str(tmp_path / "here"), count=6)).data["files"])
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_file_that_was_repaired_by_hand_is_not_written_again(tmp_path: Path) -> None:
    """Nobody reads it cut off while the fault is undone, and its times and mode are those from before."""
    folder, file = tmp_path / "here", tmp_path / "here" / "large"
    folder.mkdir()
    (folder / SCRATCH).touch()
    whole = bytes(64 << 20)
    file.write_bytes(whole)
    before = file.stat()
    here = LocalHost(state_dir=str(tmp_path / "leases"))
    sizes: set[int] = set()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            sizes.add(file.stat().st_size)

    with Lifecycle("r", Journal.create(tmp_path / "j" / "journal.jsonl", "r"), {"here": here}) as life:
        plan = life.plan(DataFiles(target="here", path=str(folder), damage="truncate"))
        life.arm(plan)
        life.inject(plan)
        assert life.attest(plan).bit
        file.write_bytes(whole)
        file.chmod(0o600)
        reader = threading.Thread(target=read)
        reader.start()
        try:
            assert life.heal(plan).clean
        finally:
            over.set()
            reader.join()
    assert sizes == {len(whole)}
    after = file.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_a_login_that_is_refused_is_not_tried_ten_times(
    target: PostgreSQL, pair: tuple[Node, Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watchdog that lacks the password asks twice and says so: more would shut the account out; the fault stays open
    for whoever has it."""
    journal = Journal.create(tmp_path / "run-r" / "journal.jsonl", "run-r")
    life = Lifecycle("run-r", journal, {"db": target}, max_affected=4)
    before = contents(target)
    plan = life.plan(fault("zero", ttl_s=600))
    life.arm(plan)
    life.inject(plan)
    monkeypatch.setenv("PGPASSWORD", "not the right one")
    refusals = pair[0].log.read_text().count("password authentication failed")
    did: list[str] = []
    (open_fault,) = open_faults(journal.reading())
    watchdog._heal(open_fault, {}, journal, did)
    (said,) = did
    assert said.startswith("could not heal data.rows on db") and "refuses us" in said
    assert pair[0].log.read_text().count("password authentication failed") - refusals == 2
    assert contents(target) != before
    assert heal_open(open_fault, {"db": target}, journal, "recover").ok
    assert contents(target) == before
