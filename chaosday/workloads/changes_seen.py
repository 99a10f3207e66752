"""Changes seen: a reader at the sink of a stream of changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from chaosday.clients import changes
from chaosday.clients.clients import Client, ClientSettings, run_clients
from chaosday.clients.tables import drop_table, make_table, told
from chaosday.errors import TargetUnreachable, UsageError
from chaosday.model.sql import Sql, SqlConnection
from chaosday.model.target import Target
from chaosday.model.workload import Stop, Workload

if TYPE_CHECKING:
    import pyarrow as pa

SNAPSHOT = "repeatable read"
BEGUN_S = 60.0


class ChangesSeen(Workload):
    """One client that looks at the rows and marks of ``changes`` at the sink, in one snapshot each time.

    It makes the tables there. Listed after ``changes``, whose tables have to be in the stream by then. When the writers
    have ended it looks on until their last marks have arrived, or for ``patience_s``.
    """

    kind: Literal["changes_seen"] = "changes_seen"
    clients: int = Field(default=1, ge=1, le=1)
    rate_per_s: float = Field(default=5, ge=0)
    keyed: bool = True
    """Whether the table at the sink has a primary key."""
    subscription: str = ""
    """Name of PostgreSQL's subscription at the sink that is to take the tables up; empty where others write."""
    patience_s: float = Field(default=30, gt=0, le=50)
    """How long the last marks are waited for, in seconds."""
    operation_timeout_s: float = Field(default=10, gt=0)

    def prepare(self, target: Target) -> None:
        rows, marks = changes.tables(self.scope)
        sql = target.capability(Sql)
        key = " primary key" if self.keyed else ""
        make_table(sql, rows, f"{changes.ROW.format(key=key)}, {changes.EXTRA}", streamed=True)
        make_table(sql, marks, changes.MARKS.format(key=key), streamed=True)
        if self.subscription:
            self._taken_up(sql)

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        sql = target.capability(Sql)
        settings = ClientSettings(1, self.rate_per_s, self.operation_timeout_s, seed, changes.SINK_PROCESS)
        # An event of its own: the stop ends the writers, and then the reader looks on until it has seen their end.
        over, reader = threading.Event(), _Reader(self.target, self.scope, sql)
        threading.Thread(target=self._wait, args=(stop, reader, over), daemon=True).start()
        run_clients(sql, directory, over, settings, reader.step_for)

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        return {}

    def clean_up(self, target: Target) -> None:
        sql = target.capability(Sql)
        if self.subscription:
            self._let_arrive(sql)
        for name in changes.tables(self.scope):
            drop_table(sql, name)

    def _wait(self, stop: Stop, reader: _Reader, over: threading.Event) -> None:
        stop.wait()
        until = time.monotonic() + self.patience_s
        while not reader.ended and time.monotonic() < until:
            time.sleep(0.05)
        over.set()

    def _let_arrive(self, sql: Sql) -> None:
        """Wait for all that ``changes`` wrote: a subscription stops for ever at a row whose table is gone."""
        until = time.monotonic() + self.patience_s
        while not changes.has_come(sql, self.scope):
            if time.monotonic() > until:
                raise TargetUnreachable(
                    f"subscription {self.subscription} has not applied all that was written within"
                    f" {self.patience_s:g} s, and would stop for ever without"
                    f" {sql.dialect.table(changes.tables(self.scope)[0])}: let it go on, then 'chaosday recover'"
                )
            time.sleep(0.05)

    def _taken_up(self, sql: Sql) -> None:
        """Make the subscription take the tables up, and wait for it: before that a mark says nothing of the rows."""
        if sql.dialect.name != "PostgreSQL":
            raise UsageError(f"{self.kind}: {sql.dialect.name} has no subscriptions; leave 'subscription' out")
        ready = (
            "select count(*) from pg_subscription_rel r join pg_class c on c.oid = r.srrelid"
            " join pg_namespace n on n.oid = c.relnamespace where n.nspname || '.' || c.relname in (%s, %s)"
            " and r.srsubstate = 'r'"
        )
        names = [sql.dialect.table(name) for name in changes.tables(self.scope)]
        until = time.monotonic() + BEGUN_S
        with closing(sql.open()) as connection, told(sql):
            connection.execute(f"alter subscription {sql.dialect.named(self.subscription)} refresh publication", ())
            while connection.execute(ready, names).fetchone()[0] != len(names):
                if time.monotonic() > until:
                    raise TargetUnreachable(
                        f"subscription {self.subscription} has not taken up {' and '.join(names)} after"
                        f" {BEGUN_S:.0f} s: are they in its publication, and is 'changes' listed before 'changes_seen'?"
                    )
                time.sleep(0.05)


class _Reader:
    """Remembers the look before, so that only what is different has to be recorded."""

    def __init__(self, sink: str, scope: str, sql: Sql) -> None:
        self.ended = False
        self._sink = sink
        self._rows: changes.Rows = {}
        self._queries = changes.rows_read(sql.dialect, scope), changes.marks_read(sql.dialect, scope)

    def step_for(self, client: Client) -> Callable[[Client], None]:
        return self._step

    def _step(self, client: Client) -> None:
        client.attempt(changes.LOOK, self._look, key=self._sink)

    def _look(self, connection: SqlConnection) -> dict[str, Any]:
        with connection.transaction(SNAPSHOT):
            rows, marks = (connection.execute(query).fetchall() for query in self._queries)
        now = changes.held(rows)
        said = changes.look_of(self._rows, now, marks)
        self._rows, self.ended = now, bool(said["ended"])
        return said
