"""What restores of any SQL database share: a ledger is written to the source, and looked for in the copy."""

from __future__ import annotations

import shutil
import time
from abc import abstractmethod
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa

from chaosday.clients.ledger import checksum, operations
from chaosday.clients.tables import make_table, told
from chaosday.drills.restoring.subject import RESTORED, Subject, newest
from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import Ended
from chaosday.model.history import NEVER_NS, OK, History
from chaosday.model.sql import Sql
from chaosday.model.target import Target
from chaosday.servers.account import Account
from chaosday.workloads.ledger import Ledger

ANSWER_S = 60.0


class LedgerSubject(Subject):
    """A SQL database and one way to back it up; what is made on this machine is under ``folder``, closed to others.

    ``folder`` is the account's, which may put links there: with more rights than its own nothing is written or read in
    it. ``ours`` is above it.
    """

    workload: Ledger

    def __init__(self, source: Target, ledger: Ledger, account: Account, folder: Path) -> None:
        super().__init__()
        self.workload, self.account, self.folder, self.ours = ledger, account, folder, folder.parent
        self.place = source.capability(Sql).where()

    def restore(self) -> None:
        began_s = time.monotonic()
        self.bring_up()
        # What a method tells of itself is a part of it.
        opened_s = time.monotonic()
        self.parts["open_s"] = opened_s - began_s - sum(self.parts.values())
        sql = self.copy().capability(Sql)
        write = f"insert into {{table}} (v) values ({sql.dialect.mark})"  # noqa: S608
        make_table(sql, "first_write", "v bigint primary key", (write, (1,)))
        self.parts["first_write_s"] = time.monotonic() - opened_s

    def first_answer(self, promised: History) -> bool | None:
        """By the newest row that it owes, read by its key."""
        ops = operations(promised)
        owed = np.flatnonzero(ops.insert & (ops.status == OK) & (ops.end_ns < NEVER_NS))
        if not len(owed):
            return None
        key = int(ops.key[owed[np.argmax(ops.end_ns[owed])]])
        began_s, sql = time.monotonic(), self.copy().capability(Sql)
        table, mark = sql.dialect.table(self.workload.table), sql.dialect.mark
        query = f"select version, value, checksum from {table} where id = {mark}"  # noqa: S608
        with closing(sql.open(answer_s=ANSWER_S)) as connection, told(sql):
            try:
                row = connection.execute(query, (key,)).fetchone()
            except sql.dialect.errors as error:
                if not sql.dialect.absent(error):
                    raise
                row = None
        if row is None or checksum(key, int(row[0]), int(row[1])) != int(row[2]):
            return False
        self.parts["first_right_answer_s"] = time.monotonic() - began_s
        return True

    @abstractmethod
    def bring_up(self) -> None:
        """Make the copy, and have it answer."""

    @abstractmethod
    def copy(self) -> Target:
        """The restored database as a target."""

    def holds_ledger(self) -> bool:
        """Whether the copy has the table that the drill's clients write to."""
        sql = self.copy().capability(Sql)
        query = f"select 1 from {sql.dialect.table(self.workload.table)} where 1 = 0"  # noqa: S608
        with closing(sql.open(answer_s=ANSWER_S)) as connection, told(sql):
            try:
                connection.execute(query)
            except sql.dialect.errors as error:
                if not sql.dialect.absent(error):
                    raise
                return False
        return True

    def read(self) -> pa.Table:
        return self.workload.read_back(self.copy(), {})[RESTORED]

    def behind(self, history: History, rows: pa.Table) -> tuple[int, float | None]:
        """A write is there where its row has its version or a later one."""
        ops = operations(history)
        sure = (ops.status == OK) & (ops.end_ns < NEVER_NS)
        key, version, end = ops.key[sure], ops.version[sure], ops.end_ns[sure]
        ids = rows["id"].to_numpy()
        if not len(ids):
            return newest(end, np.zeros(len(end), dtype=bool))
        order = np.argsort(ids, kind="stable")
        ids, held = ids[order], rows["version"].to_numpy()[order]
        at = np.minimum(np.searchsorted(ids, key), len(ids) - 1)
        return newest(end, (ids[at] == key) & (held[at] >= version))

    def tidy(self) -> tuple[list[str], list[str]]:
        shutil.rmtree(self.folder, ignore_errors=True)
        return [], ([f"{self.folder} is still there"] if self.folder.exists() else [])

    def described(self) -> str:
        return f"a copy of {self.place} in a scratch folder of this machine"

    def room(self, name: str) -> Path:
        """A new folder for the account alone."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        self.account.own(folder)
        return folder


def made(done: Ended) -> None:
    """``TargetUnreachable`` with the last words of a program that failed."""
    if done.exit_code:
        raise TargetUnreachable(f"{Path(done.command[0]).name} failed: {(done.lines or ['it printed nothing'])[-1]}")


def removed(folder: Path | None) -> None:
    """Take a folder of sockets away, if there was one."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
