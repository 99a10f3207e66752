"""DuckDB as a Store: one process has the file, and each session is a connection within it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.model.store import Options, Session
from chaosday.stores.sql import Dialect, SqlSession


def dialect() -> Dialect:
    """DuckDB's words; its one level is snapshot isolation, and who comes second is refused."""
    import duckdb

    refused = (duckdb.TransactionException, duckdb.ConstraintException, duckdb.CatalogException)
    return Dialect(
        make=(
            "create table if not exists {table} (k bigint primary key, v varchar not null)",
            "create table if not exists {table}_set (v bigint primary key)",
        ),
        upsert="insert into {table} values (?, ?) on conflict (k) do update set v = excluded.v",
        append="insert into {table} values (?, ? || ',') on conflict (k) do update set v = v || excluded.v",
        begin=("begin transaction",),
        level="snapshot",
        definite=lambda error: isinstance(error, refused),
        absent=lambda error: isinstance(error, duckdb.CatalogException),
        errors=(duckdb.Error, OSError),
        mark="?",
    )


class _Connection:
    """A connection whose cursor is itself: DuckDB's ``cursor()`` is another connection, outside of the transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def cursor(self) -> Any:
        return self._connection

    def close(self) -> None:
        self._connection.close()


class DuckDBStore:
    """Tables in a file that is opened when it is first needed, and stays open."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._database: Any = None

    def make(self, space: str, options: Options) -> None:
        """The tables."""
        connection = self._connect()
        for statement in dialect().make:
            connection.execute(statement.format(table=space))
        connection.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A connection; nothing waits in DuckDB, so there is no time-out."""
        return SqlSession(_Connection(self._connect()), dialect(), space, options)

    def drop(self, space: str) -> None:
        """The tables."""
        connection = self._connect()
        for name in (space, f"{space}_set"):
            connection.execute(f"drop table if exists {name}")
        connection.close()

    def _connect(self) -> Any:
        import duckdb

        try:
            with self._lock:
                if self._database is None:
                    self._database = duckdb.connect(str(self._path))
                return self._database.cursor()
        except duckdb.Error as error:
            raise TargetUnreachable(f"{self._path}: {str(error).splitlines()[0]}") from None
