"""Changes: rows inserted, changed, deleted and inserted again, with marks of how far each writer is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from chaosday.clients import changes
from chaosday.clients.clients import Client, ClientSettings, run_clients
from chaosday.clients.tables import drop_table, make_table
from chaosday.model.sql import Dialect, Sql, SqlConnection
from chaosday.model.store import NoEffect
from chaosday.model.target import Target
from chaosday.model.workload import Stop, Workload

if TYPE_CHECKING:
    import pyarrow as pa

LAST_MARKS_S = 20.0


class Changes(Workload):
    """Each client changes rows of its own in the source of a stream, and marks its progress in a table beside them.

    A row of which an operation was not acknowledged is never touched again. When all have ended the last marks say so,
    by which everything is at or below a mark. ``changes_seen`` reads what arrives, ``change_stream`` judges it.
    """

    kind: Literal["changes"] = "changes"
    rows: int = Field(default=50, ge=1, le=100_000)
    """How many rows each client has at a time."""
    delete_share: float = Field(default=0.15, ge=0, le=0.9)
    """Share of operations on a row that is there which delete it; the others change it."""
    mark_every: int = Field(default=10, ge=1)
    """Operations of a client between two marks."""
    add_column_after_s: float = Field(default=0, ge=0)
    """When a column is added to the source's table, and written from then on; 0 leaves it as it is. The sink has it."""
    operation_timeout_s: float = Field(default=5, gt=0)

    def prepare(self, target: Target) -> None:
        rows, marks = changes.tables(self.scope)
        sql = target.capability(Sql)
        extra = "" if self.add_column_after_s else f", {changes.EXTRA}"
        make_table(sql, rows, changes.ROW.format(key=" primary key") + extra, streamed=True)
        make_table(sql, marks, changes.MARKS.format(key=" primary key"), streamed=True)

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        sql = target.capability(Sql)
        settings = ClientSettings(self.clients, self.rate_per_s, self.operation_timeout_s, seed)
        widening = _Widening(self.add_column_after_s, sql.dialect.table(changes.tables(self.scope)[0]))
        writers: dict[int, _Writer] = {}

        def step_for(client: Client) -> Callable[[Client], None]:
            writers[client.process] = _Writer(self, sql.dialect, widening, client.process)
            return writers[client.process].step

        run_clients(sql, directory, stop, settings, step_for)
        last = ClientSettings(1, 0, self.operation_timeout_s, seed, self.clients)
        over = threading.Event()
        _LastMarks(over, list(writers.values()), sql, directory, last).run_until_said()

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        return {}

    def clean_up(self, target: Target) -> None:
        sql = target.capability(Sql)
        changes.say_last(sql, self.scope)
        for name in changes.tables(self.scope):
            drop_table(sql, name)


class _Widening:
    """The one change of the schema: who comes first after its time does it, and then all write the column."""

    def __init__(self, after_s: float, table: str) -> None:
        self.done = not after_s
        self.writes = not after_s
        self._at = time.monotonic() + after_s
        self._statement = f"alter table {table} add column {changes.EXTRA}"
        self._lock = threading.Lock()

    def due(self) -> bool:
        """Whether it is this client's to do, now."""
        return not self.done and time.monotonic() >= self._at and self._lock.acquire(blocking=False)

    def act(self, client: Client) -> None:
        """Add the column; where the answer was lost it is not tried again, and not written."""
        self.done = True

        def alter(connection: SqlConnection) -> None:
            connection.execute(self._statement)

        self.writes = client.attempt(changes.ALTER, alter)


class _Writer:
    """What one client knows of its rows: the version of each that is there, and of each that was deleted."""

    def __init__(self, told: Changes, dialect: Dialect, widening: _Widening, writer: int) -> None:
        rows, marks = (dialect.table(name) for name in changes.tables(told.scope))
        mark = dialect.mark
        self.writer, self.told, self.widening = writer, told, widening
        self.marked = self.since = 0
        self._versions: dict[int, int] = {}
        self._there: dict[int, bool] = {}
        self._known: list[int] = []
        self._next = 0
        self._insert = {
            wide: f"insert into {rows} ({changes.COLUMNS}{', extra' * wide}) values ({dialect.marks(3 + wide)})"
            for wide in (False, True)
        }
        self._update = {
            wide: f"update {rows} set version = {mark}, value = {mark}{f', extra = {mark}' * wide} where id = {mark}"
            for wide in (False, True)
        }
        self._delete = f"delete from {rows} where id = {mark}"
        self._first = f"insert into {marks} (mark, writers, ended, writer) values ({dialect.marks(4)})"
        self._again = f"update {marks} set mark = {mark}, writers = {mark}, ended = {mark} where writer = {mark}"

    def step(self, client: Client) -> None:
        """One operation."""
        if self.widening.due():
            self.widening.act(client)
        elif self.since >= self.told.mark_every:
            self.mark(client)
        else:
            self._change(client)

    def mark(self, client: Client, *, ended: bool = False) -> bool:
        """Say that everything up to now is below the next mark; whether that was acknowledged."""
        self.marked += 1
        arguments = (self.marked, self.told.clients, int(ended), self.writer)

        def act(connection: SqlConnection) -> None:
            # A mark whose answer was lost may be there.
            if connection.execute(self._again, arguments).rowcount != 1:
                connection.execute(self._first, arguments)

        done = client.attempt(changes.MARK, act, key=self.writer, value=self.marked)
        self.since = 0
        return done

    def _change(self, client: Client) -> None:
        self.since += 1
        place = self._chosen(client)
        row = self._known[place]
        there, version = self._there[row], self._versions[row] + 1
        wide = self.widening.writes
        value = int(client.rng.integers(1 << 40))
        written = (version, value, changes.extra_of(value)) if wide else (version, value)
        if there and client.rng.random() < self.told.delete_share:
            done = client.attempt(changes.DELETE, _one(self._delete, (row,)), key=row, value=[version])
            self._there[row] = False
        else:
            statement = (
                _one(self._update[wide], (*written, row)) if there else _one(self._insert[wide], (row, *written))
            )
            asked = [version, value, changes.extra_of(value) if wide else None]
            done = client.attempt(changes.PUT, statement, key=row, value=asked)
            self._there[row] = True
        self._versions[row] = version
        if not done:
            self._known[place] = self._known[-1]
            self._known.pop()

    def _chosen(self, client: Client) -> int:
        """The place of one of the client's rows, or of a new one, in place of those that are not to be touched."""
        if len(self._known) >= self.told.rows:
            return int(client.rng.integers(len(self._known)))
        row = changes.row_of(self.writer, self._next)
        self._next += 1
        self._versions[row], self._there[row] = 0, False
        self._known.append(row)
        return len(self._known) - 1


class _LastMarks:
    """After all writers have ended: one client more that says for each of them that it has."""

    def __init__(
        self, over: threading.Event, writers: list[_Writer], sql: Sql, directory: Path, settings: ClientSettings
    ) -> None:
        self._over, self._left = over, writers
        self._client = Client(sql, directory, settings.first_process, settings, over)

    def run_until_said(self) -> None:
        """Try each until it was acknowledged, for some seconds."""
        self._client.drive(self._step)
        until = time.monotonic() + LAST_MARKS_S
        while self._left and time.monotonic() < until and not self._over.wait(0.02):
            self._client.reap(time.monotonic())
        self._over.set()
        self._client.join(1)

    def _step(self, client: Client) -> None:
        if self._left and self._left[0].mark(client, ended=True):
            self._left.pop(0)
        if not self._left:
            self._over.set()


def _one(statement: str, arguments: tuple[object, ...]) -> Callable[[SqlConnection], None]:
    """Runs a statement that has to touch one row."""

    def act(connection: SqlConnection) -> None:
        if connection.execute(statement, arguments).rowcount != 1:
            raise NoEffect("no such row")

    return act
