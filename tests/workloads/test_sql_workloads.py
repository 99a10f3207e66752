"""The SQL workloads, against a real PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from chaosday.clients.driver import Driver
from chaosday.clients.ledger import checksum
from chaosday.model.history import FAILED, OK, STATUSES, UNKNOWN, History
from chaosday.model.target import Postgres
from chaosday.model.workload import Workload
from chaosday.record.recorder import seal
from chaosday.servers.postgres import Node
from chaosday.workloads.bank import Bank
from chaosday.workloads.ledger import Ledger
from tests.targets.test_postgresql import target_of
from tests.workloads.enough import OK as ACKNOWLEDGED
from tests.workloads.enough import asked, once


def work(workload: Workload, node: Node, directory: Path, wanted: dict[str, int]) -> History:
    """Run a workload in this process until so much was recorded."""
    target = target_of(node)
    workload.prepare(target)
    stop, history = threading.Event(), directory / "history"
    with once(history, wanted, stop.set):
        workload.run(target, history, stop, seed=7)
    return seal(history)


def test_the_ledger_accounts_for_every_row(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """On a healthy database what was acknowledged is exactly what is there, and every checksum fits."""
    workload = Ledger(clients=3, scope="account")
    history = work(workload, pair[0], tmp_path, {ACKNOWLEDGED: 200})
    rows = workload.read_back(target_of(pair[0]), {})["survivor"]
    inserted = history.where(history.is_f("insert") & (history.statuses() == OK))
    assert len(inserted) > 0
    assert sorted(inserted.table["key"].to_pylist()) == sorted(rows["id"].to_pylist())
    assert all(
        row["checksum"] == checksum(row["id"], row["version"], row["value"]) for row in rows.slice(0, 200).to_pylist()
    )
    workload.clean_up(target_of(pair[0]))


def test_updates_count_versions_up(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """The version of a row is one more than its acknowledged updates."""
    workload = Ledger(clients=2, update_share=0.6, scope="versions")
    history = work(workload, pair[0], tmp_path, {ACKNOWLEDGED: 200})
    rows = workload.read_back(target_of(pair[0]), {})["survivor"].to_pylist()
    done = history.where(history.statuses() == OK)
    writes = Counter(done.table["key"].to_pylist())
    assert {row["id"]: row["version"] for row in rows} == dict(writes)
    assert max(writes.values()) > 2


def test_a_replica_is_read_once_it_has_caught_up(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """The standby's rows equal the primary's, without a pause in between."""
    workload = Ledger(clients=2, scope="replica")
    work(workload, pair[0], tmp_path, {ACKNOWLEDGED: 100})
    found = workload.read_back(target_of(pair[0]), {"standby": target_of(pair[1])})
    key = [("id", "ascending")]
    assert found["survivor"].sort_by(key).equals(found["survivor.standby"].sort_by(key))
    assert found["survivor"].num_rows > 0


def test_the_bank_keeps_its_total(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Transfers move money and make none; reads see the total at every moment."""
    import json

    workload = Bank(clients=3, scope="total", accounts=8)
    history = work(workload, pair[0], tmp_path, {ACKNOWLEDGED: 100, asked("read"): 5, asked("transfer"): 40})
    reads = history.where(history.is_f("read") & (history.statuses() == OK)).table["result"].to_pylist()
    transfers = history.where(history.is_f("transfer") & (history.statuses() == OK))
    assert len(transfers) > 0
    assert reads
    assert {sum(json.loads(read).values()) for read in reads} == {8000}
    assert sum(workload.read_back(target_of(pair[0]), {})["bank"]["balance"].to_pylist()) == 8000


def test_a_rate_is_kept(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """At a set rate no more operations are begun than the rate allows."""
    history = work(Ledger(clients=2, rate_per_s=50, scope="rate"), pair[0], tmp_path, {ACKNOWLEDGED: 50})
    begun_ns = history.table["start_ns"].to_pylist()
    assert len(history) <= 50 * (max(begun_ns) - min(begun_ns)) / 1e9 + 5


def test_an_error_of_the_statement_is_failed_and_a_lost_connection_is_unknown(
    pair: tuple[Node, Node], tmp_path: Path
) -> None:
    """Only what the server itself says had no effect is failed; a backend that was killed leaves unknown."""
    workload = Ledger(clients=1, update_share=0, scope="ends")
    target = target_of(pair[0])
    workload.prepare(target)
    stop = threading.Event()
    runner = threading.Thread(target=workload.run, args=(target, tmp_path / "history", stop, 1))
    with target.capability(Postgres).connect() as admin, target.capability(Postgres).connect() as observer:
        admin.execute(f"alter table chaosday.{workload.table} add constraint small check (id % 50 <> 49)")
        runner.start()
        killed = 0
        while killed < 3:
            # Killed in the middle of an insert, which a lock on the table holds up.
            with admin.transaction():
                admin.execute(f"lock table chaosday.{workload.table} in exclusive mode")
                waiting = (
                    "select pid from pg_stat_activity where application_name = 'chaosday' and wait_event_type = 'Lock'"
                )
                while not (found := observer.execute(waiting).fetchall()):
                    pass
                for (pid,) in found:
                    observer.execute("select pg_terminate_backend(%s)", (pid,))
                    killed += 1
    stop.set()
    runner.join()
    history = seal(tmp_path / "history")
    ended = Counter(STATUSES[code] for code in history.statuses())
    assert ended["unknown"] >= 3
    errors = history.table["error"].to_pylist()
    for status, error, key in zip(history.statuses(), errors, history.table["key"].to_pylist(), strict=True):
        assert (status == FAILED) == (error == "23514") == (key % 50 == 49) or status == UNKNOWN


def test_a_hanging_operation_is_cut_and_unknown(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """An operation that outlives its time-out ends unknown, and the client goes on."""
    workload = Ledger(clients=1, update_share=0, operation_timeout_s=0.3, scope="hang")
    target = target_of(pair[0])
    workload.prepare(target)
    stop = threading.Event()
    runner = threading.Thread(target=workload.run, args=(target, tmp_path / "history", stop, 1))
    with target.capability(Postgres).connect() as admin, admin.transaction():
        admin.execute(f"lock table chaosday.{workload.table} in exclusive mode")
        runner.start()
        waited = threading.Event()
        while sum(b'"status":"unknown"' in file.read_bytes() for file in (tmp_path / "history").glob("*.jsonl")) == 0:
            waited.wait(0.05)
    stop.set()
    runner.join()
    history = seal(tmp_path / "history")
    assert (history.statuses() == UNKNOWN).any()


def test_the_driver_runs_it_in_a_process_of_its_own(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Started, it records; stopped, it is gone; its password is in no argument and no environment variable."""
    import psutil

    workload = Ledger(clients=2, scope="driver")
    target = target_of(pair[0])
    workload.prepare(target)
    driver = Driver.begin(workload, target, tmp_path, seed=3)
    process = psutil.Process(driver.pid)
    seen = " ".join(process.cmdline()) + " ".join(process.environ().values())
    while not any(ACKNOWLEDGED in path.read_text() for path in tmp_path.glob("client-*.jsonl")):
        assert driver.alive()
    assert driver.stop() == ""
    assert not driver.alive()
    assert pair[0].password not in seen
    assert len(seal(tmp_path, tmp_path / "out.parquet")) > 0


@pytest.mark.parametrize("workload", [Ledger(scope="again"), Bank(scope="again")])
def test_preparing_and_cleaning_up_can_be_repeated(pair: tuple[Node, Node], workload: Workload) -> None:
    """Both may run twice, and cleaning up leaves no table."""
    target = target_of(pair[0])
    for act in (workload.prepare, workload.prepare, workload.clean_up, workload.clean_up):
        act(target)
    with target.capability(Postgres).connect() as connection:
        left = connection.execute("select count(*) from pg_tables where tablename like '%\\_again'").fetchone()
    assert left == (0,)
