"""Every SQL engine, and every workload that runs on each: what they have in common is asked of all of them."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaosday.checks.bank import BankCheck
from chaosday.checks.ledger import LedgerCheck
from chaosday.checks.list_append import ListAppend
from chaosday.checks.register import Register as RegisterCheck
from chaosday.checks.set import SetOfAdds
from chaosday.clients.asking import Asker, last_word
from chaosday.clients.store_workload import Option, StoreWorkload
from chaosday.lab.stands import stand
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.sql import Sql
from chaosday.model.target import Target
from chaosday.model.workload import Workload
from chaosday.record.recorder import seal
from chaosday.registry import member
from chaosday.workloads.bank import Bank
from chaosday.workloads.ledger import Ledger
from chaosday.workloads.register import Register
from chaosday.workloads.set import Set
from chaosday.workloads.transactions import Transactions
from tests.workloads.enough import OK, asked, once

FILES = {"sqlite_file": "db.sqlite", "duckdb_file": "db.duckdb"}
ENGINES = ("postgresql", "mariadb", *FILES)
SERVERS = ("postgresql", "mariadb")
LISTS = {"postgresql": "serializable", "mariadb": "serializable", "sqlite_file": "serializable"}
"""The consistency that transactions on lists are asked to keep, snapshot isolation where that is all there is."""


@contextmanager
def engine(kind: str) -> Iterator[Target]:
    """A target of that kind; ``CapabilityMissing`` where its server is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="chaosday-engine-"))
    folder.chmod(0o711)
    try:
        if kind in FILES:
            yield _target({"kind": kind, "path": str(folder / FILES[kind])})
            return
        with stand(kind, folder, {}) as facts:
            yield _target(facts["server"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _target(fields: Mapping[str, Any]) -> Target:
    made = member("targets", str(fields["kind"])).model_validate(fields)
    assert isinstance(made, Target)
    return made


def _ledger(connection: Any, table: str, mark: str) -> None:
    connection.execute(f"delete from {table} where id = (select max(id) from (select id from {table}) t)")


def _bank(connection: Any, table: str, mark: str) -> None:
    connection.execute(f"update {table} set balance = balance + 1 where account = 3")


def _set(connection: Any, table: str, mark: str) -> None:
    connection.execute(f"delete from {table}_set where v < 5")


def _register(connection: Any, table: str, mark: str) -> None:
    connection.execute(f"update {table} set v = '999999'")


def _lists(connection: Any, table: str, mark: str) -> None:
    connection.execute(f"update {table} set v = '999999,'")


@dataclass(frozen=True)
class Case:
    """A workload, the check that judges it, what has to be recorded of it, and damage to its table."""

    workload: Callable[[str], Workload]
    check: Callable[[str], Check]
    wanted: Mapping[str, int]
    damage: Callable[[Any, str, str], None]


def _transactions(kind: str) -> Workload:
    options: dict[str, Option] = {"isolation": LISTS[kind]} if kind in SERVERS else {}
    return Transactions(clients=2, scope="engine", writes_a_key=15, options=options, operation_timeout_s=5)


CASES = {
    "ledger": Case(lambda _: Ledger(clients=2, scope="engine"), lambda _: LedgerCheck(), {OK: 60}, _ledger),
    "bank": Case(
        lambda _: Bank(clients=2, scope="engine"),
        lambda _: BankCheck(),
        {OK: 40, asked("read"): 5, asked("transfer"): 20},
        _bank,
    ),
    "set": Case(lambda _: Set(clients=2, scope="engine", operation_timeout_s=5), lambda _: SetOfAdds(), {OK: 40}, _set),
    "register": Case(
        lambda _: Register(clients=2, scope="engine", operation_timeout_s=5),
        lambda _: RegisterCheck(),
        {OK: 40, asked("write"): 10, asked("read"): 10},
        _register,
    ),
    "list-append": Case(
        _transactions,
        lambda kind: ListAppend(consistency_models=(LISTS.get(kind, "snapshot-isolation"),)),
        {OK: 60},
        _lists,
    ),
}


def work(workload: Workload, target: Target, history: Path, wanted: Mapping[str, int]) -> None:
    """Run a workload in this process until so much was recorded."""
    stop = threading.Event()
    with once(history, wanted, stop.set):
        workload.run(target, history, stop, seed=7)


def recorded(history: Path, wanted: Mapping[str, int]) -> None:
    """Wait until so much was recorded."""
    enough = threading.Event()
    with once(history, wanted, enough.set):
        enough.wait()


def damaged(case: Case, workload: Workload, target: Target) -> None:
    """Do the damage to what the workload wrote, behind its back."""
    sql = target.capability(Sql)
    table = workload.space if isinstance(workload, StoreWorkload) else sql.dialect.table(workload.table)  # type: ignore[attr-defined]
    if isinstance(workload, StoreWorkload) and sql.dialect.name == "PostgreSQL":
        table = f"chaosday.{table}"
    with closing(sql.open()) as connection, connection.transaction():
        case.damage(connection, table, sql.dialect.mark)


def looked_again(workload: Workload, target: Target, history: Path) -> None:
    """What clients of a store read of it now, recorded as all they did."""
    if not isinstance(workload, StoreWorkload):
        return
    asking = workload.asking(target, history, seed=8)
    if isinstance(workload, Set):
        last_word(asking, "read")
        return
    asker = Asker(asking, asking.clients + 1, threading.Event())
    assert asker.connected()
    for key in range(8):
        if isinstance(workload, Register):
            asker.attempt("read", key)
        else:
            asker.attempt("txn", None, [["r", key, None]])
    asker.disconnect()


def evidence(workload: Workload, target: Target, history: Path) -> Evidence:
    """What a run with this workload alone would hold."""
    sealed = seal(history)
    rows = workload.read_back(target, {})
    return Evidence(history / "nowhere").replaced(history=sealed, rows=rows, observations=workload.facts())
