"""DuckDB as a Store: one process has the file, and each session is a connection within it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from chaosday.errors import TargetUnreachable
from chaosday.model.sql import Dialect
from chaosday.model.store import Options, Session
from chaosday.stores.sql import Database, SqlSession

REFUSED = (
    "PRIMARY KEY or UNIQUE constraint", "Constraint Error", "Violates foreign key constraint", "Conflict on",
    "Transaction conflict", "write-write conflict", "Catalog write-write conflict",
)  # fmt: skip
"""Why a commit failed before anything was written; any other failure may have come after that."""


@cache
def dialect() -> Dialect:
    """DuckDB's words; its one level is snapshot isolation, and who comes second is refused."""
    import duckdb

    return Dialect(
        name="DuckDB",
        errors=(duckdb.Error, OSError),
        definite=_definite,
        absent=lambda error: isinstance(error, duckdb.CatalogException),
        denied=lambda error: isinstance(error, duckdb.PermissionException),
        code=lambda error: type(error).__name__,
        cut=lambda connection: connection.interrupt(),
        make=(
            "create table if not exists {table} (k bigint primary key, v varchar not null)",
            "create table if not exists {table}_set (v bigint primary key)",
        ),
        upsert="insert into {table} values (?, ?) on conflict (k) do update set v = excluded.v",
        append="insert into {table} values (?, ? || ',') on conflict (k) do update set v = v || excluded.v",
        new="insert into {table} ({columns}) values ({marks}) on conflict do nothing",
        beside=("create sequence if not exists {table}_positions",),
        beside_gone=("drop sequence if exists {table}_positions",),
        position="bigint not null default nextval('{table}_positions')",
        begin=("begin transaction",),
        isolated=("begin transaction",),
        read_only=("begin transaction read only",),
        level="snapshot",
        mark="?",
        read=_read,
    )


def _definite(error: Exception) -> bool:
    import duckdb

    # What follows may hold anybody's values and paths.
    _, failed, why = str(error).partition("Failed to commit: ")
    if failed:
        return why.startswith(REFUSED)
    return isinstance(error, (duckdb.TransactionException, duckdb.ConstraintException, duckdb.CatalogException))


def _read(connection: Any, query: str, schema: pa.Schema) -> pa.Table:
    """DuckDB's own Arrow: no Python object per row."""
    table: pa.Table = connection.cursor().sql(query).to_arrow_table()
    return table.cast(schema)


class Connection:
    """A connection whose cursor is itself: DuckDB's ``cursor()`` is another connection, outside of the transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.execute, self.interrupt = connection.execute, connection.interrupt

    def cursor(self) -> Any:
        return self._connection

    def close(self) -> None:
        self._connection.close()


class DuckDBStore:
    """Tables in a file that is open while a session is: this process has it then, and no other one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self, space: str, options: Options) -> None:
        """The tables."""
        connection = self.connect()
        for statement in dialect().make:
            connection.execute(statement.format(table=space))
        connection.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A connection; nothing waits in DuckDB, so there is no time-out."""
        return SqlSession(self.connect(), dialect(), space, options)

    def drop(self, space: str) -> None:
        """The tables."""
        connection = self.connect()
        for name in (space, f"{space}_set"):
            connection.execute(f"drop table if exists {name}")
        connection.close()

    def connect(self) -> Connection:
        """A connection; all of this process share the file, which is let go of with the last one."""
        import duckdb

        try:
            return Connection(duckdb.connect(str(self._path)))
        except duckdb.Error as error:
            raise TargetUnreachable(f"{self._path}: {str(error).splitlines()[0]}") from None


def database(path: Path) -> Database:
    """A file as ``Sql``."""
    return Database(dialect, lambda timeout_s, answer_s: DuckDBStore(path).connect(), str(path))
