"""Sets, registers and lists in tables of a SQL database, and databases as ``Sql``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chaosday.errors import UsageError
from chaosday.model.sql import Dialect, SqlConnection
from chaosday.model.store import NoEffect, Options, Unanswered
from chaosday.stores.numbers import number


class SqlSession:
    """One connection; registers and lists are rows ``(k, v)`` of one table, a set is the keys of another."""

    def __init__(self, connection: Any, dialect: Dialect, table: str, options: Options, reader: Any = None) -> None:
        self._connection = connection
        self._reader = reader
        self._dialect = dialect
        self._level = str(options.get("isolation", dialect.level)).replace("-", " ")
        if not self._level.replace(" ", "").isalpha():
            raise UsageError(f"{self._level!r} is no isolation level")
        self._table = table
        self._width = int(options.get("width", 0))

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``read``, ``write``, ``add`` and ``txn``; a register that was never written reads as None."""
        try:
            if f == "txn":
                return self._transaction(value)
            if f == "add":
                self._run(self._connection, f"insert into {self._table}_set (v) values ({self._dialect.mark})", value)
                return None
            if f == "read" and key is None:
                rows = self._run(self._connection, f"select v from {self._table}_set order by v").fetchall()
                return [int(row[0]) for row in rows]
            done = self._transaction([["r", key, None] if f == "read" else ["w", key, value]])
            return done[0][2] if f == "read" else None
        except self._dialect.errors as error:
            self._undo()
            words = f"{getattr(error, 'sqlstate', None) or ''} {error}".strip()
            if f == "read" and key is None and self._dialect.absent(error):
                # The table was there before the first add. If it is gone, so is all that was in it.
                return []
            if self._dialect.definite(error):
                raise NoEffect(words) from None
            raise Unanswered(words) from None

    def close(self) -> None:
        for each in (self._connection, self._reader):
            if each is not None:
                with contextlib.suppress(*self._dialect.errors):
                    each.close()

    def _transaction(self, mops: list[list[Any]]) -> list[list[Any]]:
        reads = all(f == "r" for f, _, _ in mops)
        connection = self._reader if reads and self._reader is not None else self._connection
        for statement in self._dialect.isolated:
            self._run(connection, statement.format(level=self._level))
        done: list[list[Any]] = []
        for f, key, value in mops:
            if f == "r":
                done.append([f, key, self._read(connection, key)])
            else:
                statement = self._dialect.upsert if f == "w" else self._dialect.append
                self._run(connection, statement.format(table=self._table), key, str(value).zfill(self._width))
                done.append([f, key, value])
        self._run(connection, "commit")
        return done

    def _read(self, connection: Any, key: Any) -> Any:
        row = self._run(connection, f"select v from {self._table} where k = {self._dialect.mark}", key).fetchone()
        if row is None:
            return None
        # A list always ends in a comma, so that a list of one is no register.
        text = str(row[0])
        return [number(each) for each in text.split(",") if each] if "," in text else number(text)

    def _run(self, connection: Any, statement: str, *arguments: Any) -> Any:
        cursor = connection.cursor()
        cursor.execute(statement, arguments)
        return cursor

    def _undo(self) -> None:
        for connection in (self._connection, self._reader):
            if connection is not None:
                with contextlib.suppress(*self._dialect.errors):
                    self._run(connection, "rollback")


@dataclass(frozen=True)
class Database:
    """A target's database as ``Sql``: ``connect`` takes how long to connect and how long to wait for each answer."""

    words: Callable[[], Dialect]
    """Asked when it is needed: a target may be described where its driver is not installed."""
    connect: Callable[[float, float], Any]
    place: str

    @property
    def dialect(self) -> Dialect:
        return self.words()

    def where(self) -> str:
        """What and where it is, without secrets."""
        return self.place

    def open(self, *, timeout_s: float = 5, answer_s: float = 0) -> SqlConnection:
        """A new connection in autocommit mode."""
        return SqlConnection(self.connect(timeout_s, answer_s), self.dialect)
