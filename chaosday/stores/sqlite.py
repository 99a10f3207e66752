"""SQLite as a Store, through the standard library."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from chaosday.errors import TargetUnreachable
from chaosday.model.sql import Dialect
from chaosday.model.store import Options, Session
from chaosday.stores.sql import Database, SqlSession

BUSY_SHARE = 0.8
"""Of the time that an operation has, how much it waits for the lock: being told "busy" is better than being cut."""
# "busy" and "locked" are said before anything is written, or by a commit that can be tried again, and is then rolled
# back; a constraint, and a file that cannot be written to, before it. Any other error may come from the commit itself.
_DEFINITE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_READONLY,
             sqlite3.SQLITE_MISMATCH)  # fmt: skip


@cache
def dialect() -> Dialect:
    """SQLite's words; its one level is serializable."""
    return Dialect(
        name="SQLite",
        errors=(sqlite3.Error, OSError),
        definite=lambda error: getattr(error, "sqlite_errorcode", 0) & 0xFF in _DEFINITE or _absent(error),
        absent=_absent,
        denied=lambda error: (
            getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
        ),
        code=lambda error: str(getattr(error, "sqlite_errorname", "")),
        cut=lambda connection: connection.interrupt(),
        make=(
            "create table if not exists {table} (k integer primary key, v text not null)",
            "create table if not exists {table}_set (v integer primary key)",
        ),
        upsert="insert into {table} values (?, ?) on conflict (k) do update set v = excluded.v",
        append="insert into {table} values (?, ? || ',') on conflict (k) do update set v = {table}.v || excluded.v",
        new="insert or ignore into {table} ({columns}) values ({marks})",
        position="integer primary key autoincrement",
        begin=("begin immediate",),
        isolated=("begin immediate",),
        read_only=("pragma query_only = on", "begin"),
        level="serializable",
        mark="?",
        limits=("pragma busy_timeout = {ms}",),
    )


def _absent(error: Exception) -> bool:
    return "no such table" in str(error)


def database(path: Path) -> Database:
    """A file as ``Sql``."""
    store = SQLiteStore(path)
    return Database(
        dialect, lambda timeout_s, answer_s: store.connect((answer_s or timeout_s) * BUSY_SHARE, {}), str(path)
    )


class SQLiteStore:
    """Tables in a file. Options: ``synchronous`` and ``journal_mode``, as in SQLite's pragmas."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self, space: str, options: Options) -> None:
        """The tables."""
        connection = self.connect(5, options)
        for statement in dialect().make:
            connection.execute(statement.format(table=space))
        connection.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A connection that waits for the lock for ``timeout_s`` at most."""
        return SqlSession(self.connect(timeout_s, options), dialect(), space, options)

    def drop(self, space: str) -> None:
        """The tables."""
        connection = self.connect(5, {})
        for name in (space, f"{space}_set"):
            connection.execute(f"drop table if exists {name}")
        connection.close()

    def connect(self, timeout_s: float, options: Options) -> sqlite3.Connection:
        """A connection that waits so long for the lock."""
        try:
            connection = sqlite3.connect(self._path, timeout=timeout_s, isolation_level=None)
            for name in ("journal_mode", "synchronous"):
                if (value := str(options.get(name, ""))).isalnum():
                    connection.execute(f"pragma {name} = {value}")
        except sqlite3.Error as error:
            raise TargetUnreachable(f"{self._path}: {error}") from None
        return connection
