"""SQLite as a Store, through the standard library."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from chaosday.errors import TargetUnreachable
from chaosday.model.store import Options, Session
from chaosday.stores.sql import Dialect, SqlSession

# "busy" and "locked" are said before anything is written; every other error may come from the commit itself.
_DEFINITE = ("locked", "busy", "UNIQUE", "no such table")


def dialect() -> Dialect:
    """SQLite's words; its one level is serializable."""
    return Dialect(
        make=(
            "create table if not exists {table} (k integer primary key, v text not null)",
            "create table if not exists {table}_set (v integer primary key)",
        ),
        upsert="insert into {table} values (?, ?) on conflict (k) do update set v = excluded.v",
        append="insert into {table} values (?, ? || ',') on conflict (k) do update set v = {table}.v || excluded.v",
        begin=("begin immediate",),
        level="serializable",
        definite=lambda error: any(word in str(error) for word in _DEFINITE),
        absent=lambda error: "no such table" in str(error),
        errors=(sqlite3.Error, OSError),
        mark="?",
    )


class SQLiteStore:
    """Tables in a file. Options: ``synchronous`` and ``journal_mode``, as in SQLite's pragmas."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self, space: str, options: Options) -> None:
        """The tables."""
        connection = self._connect(5, options)
        for statement in dialect().make:
            connection.execute(statement.format(table=space))
        connection.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A connection that waits for the lock for ``timeout_s`` at most."""
        return SqlSession(self._connect(timeout_s, options), dialect(), space, options)

    def drop(self, space: str) -> None:
        """The tables."""
        connection = self._connect(5, {})
        for name in (space, f"{space}_set"):
            connection.execute(f"drop table if exists {name}")
        connection.close()

    def _connect(self, timeout_s: float, options: Options) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, timeout=timeout_s, isolation_level=None)
            for name in ("journal_mode", "synchronous"):
                if (value := str(options.get(name, ""))).isalnum():
                    connection.execute(f"pragma {name} = {value}")
        except sqlite3.Error as error:
            raise TargetUnreachable(f"{self._path}: {error}") from None
        return connection
