"""Marks: a number in a table of the source that travels to the sink in the same stream as the rows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from chaosday.clock import Clock
from chaosday.data.connections.postgresql import Session, connected, explained
from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import ident, literal, statement
from chaosday.errors import AccessDenied, Refused, UsageError
from chaosday.processes.limits.within import within
from chaosday.undo.firing import firing
from chaosday.undo.table_owner import as_owner, user_table

TABLE = "chaosday.stream_marks"
POLL_S = (0.01, 0.25)
STATEMENT_S = 30
ANSWER_S = STATEMENT_S + 10.0
"""A server that does not keep to its own time-out is not waited for any longer."""


class Marks:
    """The marks of one stream, by name: set in the source, and looked for at the sink."""

    def __init__(self, table: str, stream: str) -> None:
        self.table, self.stream = table, stream
        schema, dot, name = table.rpartition(".")
        if not name or (dot and not schema) or "\0" in table:
            raise UsageError(f"{table!r} is no name of a table for marks; write SCHEMA.TABLE")
        self.schema = schema
        self._quoted = f"{ident(schema)}.{ident(name)}" if dot else ident(name)

    def make(self, sides: Sequence[Side]) -> None:
        """Make the table on every side where it is not there yet."""
        for label, side in zip(("source", "sink"), sides, strict=True):
            schema = statement("create schema if not exists {name}", name=ident(self.schema)) if self.schema else ""
            made = "create table if not exists {table} (stream text primary key, mark bigint not null)"
            for each in filter(None, (schema, statement(made, table=self._quoted))):
                self._written(side, label, each)

    def set(self, source: Side) -> int:
        """Set the next mark in the source; its number."""
        rows = self._written(
            source,
            "source",
            statement(
                "insert into {table} as t values ({stream}, 1) on conflict (stream) do update set mark = t.mark + 1"
                " returning mark",
                table=self._quoted,
                stream=literal(self.stream),
            ),
            mark=True,
        )
        return int(str(rows[0][0]))

    def reached(self, sink: Session, mark: int, timeout_s: float, clock: Clock) -> tuple[float | None, int | None]:
        """After how long the sink had the mark, in seconds, None where it never did; and where it stands."""
        asked = statement(
            "select max(mark) from {table} where stream = {stream}", table=self._quoted, stream=literal(self.stream)
        )
        began_ns, pause_s = clock.monotonic_ns(), POLL_S[0]
        while True:
            with sink.errors():
                row = sink.connection.execute(asked.encode()).fetchone()
            at = row[0] if row else None
            passed_s = (clock.monotonic_ns() - began_ns) / 1e9
            if at is not None and at >= mark:
                return passed_s, int(at)
            if passed_s > timeout_s:
                return None, at
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, POLL_S[1])

    def checked(self, session: Session, label: str) -> None:
        """``UsageError`` that says what to do, where a side has no such table; ``Refused`` for a view, which would run
        what its owner likes with the rights of whoever reads it."""
        with session.errors():
            row = session.connection.execute(b"select to_regclass(%s)", (self._quoted,)).fetchone()
            if row is not None and row[0] is not None:
                user_table(session.connection, self._quoted)
        if row is None or row[0] is None:
            raise UsageError(
                f"the {label} has no table {self.table} for marks: make it on both sides with --make-mark, and let the "
                "stream carry it (a publication that is not for all tables: alter publication NAME add table ...; "
                "at the sink: alter subscription NAME refresh publication)"
            )

    def _written(self, side: Side, label: str, sql: str, *, mark: bool = False) -> list[tuple[object, ...]]:
        import psycopg

        connection = connected(side.url, label)
        limits = f"set statement_timeout = '{STATEMENT_S}s'".encode()

        def act() -> list[tuple[object, ...]]:
            connection.execute(limits)
            with self._nobodys_code(connection) if mark else contextlib.nullcontext():
                cursor = connection.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []

        try:
            return within(ANSWER_S, act, f"the {label}")
        except psycopg.errors.InsufficientPrivilege as error:
            raise AccessDenied(
                f"the {label} refuses us a mark: {str(error).splitlines()[0]}; grant INSERT and UPDATE on {self.table}"
            ) from None
        except psycopg.Error as error:
            raise explained(error, label) from None
        finally:
            connection.close()

    @contextlib.contextmanager
    def _nobodys_code(self, connection: Any) -> Iterator[None]:
        """What a table runs when it is written to runs with the rights of whoever writes: none of it may be there, and
        where the table is somebody else's a mark is written as that one, who could do so anyway."""
        table = user_table(connection, self._quoted)
        if fires := firing(connection, table.oid, ("insert", "update")):
            raise Refused(
                f"{self.table} has the {fires[0].what} {fires[0].name}, which would run with our rights: a table for "
                "marks has none"
            )
        asked = b"select rolsuper from pg_catalog.pg_roles where rolname = %s"
        [(above_us,)] = connection.execute(asked, (table.owner,)).fetchall()
        if table.ours or above_us:
            yield
        else:
            with as_owner(connection, table):
                yield


def patience_of(timeout_s: float) -> Patience:
    """How long a silent server is waited for in a reading."""
    return Patience(lock_timeout_s=timeout_s, silence_s=timeout_s)
