"""PostgreSQL as a Store, through psycopg."""

from __future__ import annotations

import contextlib
from typing import Protocol, Self

from chaosday.clients.answering import answering
from chaosday.clients.sqlstates import DEFINITE
from chaosday.model.store import Options, Session
from chaosday.model.target import Sql
from chaosday.stores.sql import Dialect, SqlSession

SCHEMA = "chaosday"
MAKE_S = 60.0
PATIENCE_S = 5.0
"""The server's own time-out comes first: what it says then is how the operation ended."""


def dialect() -> Dialect:
    """PostgreSQL's words; class 57 is not definite: a backend that waits for a standby has committed locally."""
    import psycopg

    return Dialect(
        make=(
            f"create schema if not exists {SCHEMA}",
            "create table if not exists {table} (k bigint primary key, v text not null)",
            "create table if not exists {table}_set (v bigint primary key)",
        ),
        upsert="insert into {table} values (%s, %s) on conflict (k) do update set v = excluded.v",
        append="insert into {table} as t values (%s, %s || ',') on conflict (k) do update set v = t.v || excluded.v",
        begin=("begin isolation level {level}",),
        level="read committed",
        definite=lambda error: str(getattr(error, "sqlstate", None) or "").startswith(DEFINITE),
        absent=lambda error: getattr(error, "sqlstate", None) == "42P01",
        errors=(psycopg.Error, OSError),
    )


class Database(Sql, Protocol):
    """A database that can be reached: the target, as far as its store has to know it."""

    def name(self) -> str:
        """Where it is, without secrets."""
        ...

    def on_port(self, port: int) -> Self:
        """Another server beside it, with the same account."""
        ...


class PostgreSQLStore:
    """Tables in the schema ``chaosday``. Options: ``isolation``; ``port``, of another server with the same account;
    ``settings``, as in ``SET`` (``a=b,c=d``)."""

    def __init__(self, database: Database) -> None:
        self._sql = database

    def make(self, space: str, options: Options) -> None:
        """Schema and tables; alone among our sessions, since PostgreSQL does not keep two from colliding."""
        from chaosday.clients.sql import execute_all

        with self._sql.connect(answer_s=MAKE_S) as connection:
            execute_all(connection, *(each.format(table=_table(space)) for each in dialect().make))

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A connection, with a statement time-out on the server's side too."""
        server = self._sql.on_port(int(options["port"])) if "port" in options else self._sql
        connection = server.connect(timeout_s=timeout_s, answer_s=timeout_s + PATIENCE_S)
        settings = {"statement_timeout": f"{int(timeout_s * 1000)}ms"}
        settings |= dict(each.split("=", 1) for each in str(options.get("settings", "")).split(",") if "=" in each)
        with answering(server.name(), *dialect().errors):
            for name, value in settings.items():
                connection.execute("select set_config(%s, %s, false)", (name, value))
        return SqlSession(connection, dialect(), _table(space), options)

    def drop(self, space: str) -> None:
        """The tables; the schema only where nobody else has tables in it."""
        import psycopg

        from chaosday.clients.sql import execute_all

        with self._sql.connect(answer_s=MAKE_S) as connection:
            execute_all(connection, f"drop table if exists {_table(space)}, {_table(space)}_set")
            with contextlib.suppress(psycopg.Error):
                connection.execute(f"drop schema if exists {SCHEMA}")


def _table(space: str) -> str:
    return f"{SCHEMA}.{space}"
