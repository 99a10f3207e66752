"""PostgreSQL as a Store, through psycopg."""

from __future__ import annotations

import contextlib
import os
import socket
from functools import cache
from typing import Any, Protocol, Self

from chaosday.clients.answering import answering
from chaosday.clients.published import PUBLISHED, refuse_published
from chaosday.clients.sql import CATALOGUE_LOCK, copy_out
from chaosday.clients.sqlstates import DEFINITE
from chaosday.model.sql import Dialect
from chaosday.model.store import Options, Session
from chaosday.model.target import Postgres
from chaosday.stores.sql import Database, SqlSession

SCHEMA = "chaosday"
MAKE_S = 60.0
PATIENCE_S = 5.0
"""The server's own time-out comes first: what it says then is how the operation ended."""


# One running server: a copy of its data has the same identifier, but another start.
_SERVER = "select (select system_identifier from pg_control_system())::text || ' ' || pg_postmaster_start_time()::text"


@cache
def dialect() -> Dialect:
    """PostgreSQL's words; class 57 is not definite: a backend that waits for a standby has committed locally."""
    import psycopg

    return Dialect(
        name="PostgreSQL",
        errors=(psycopg.Error, OSError),
        definite=lambda error: _state(error).startswith(DEFINITE),
        absent=lambda error: _state(error) == "42P01",
        denied=lambda error: _state(error) == "42501",
        code=_state,
        cut=_cut,
        left_waiting=_left_waiting,
        prefix=f"{SCHEMA}.",
        first=(f"create schema if not exists {SCHEMA}",),
        make=(
            f"create schema if not exists {SCHEMA}",
            "create table if not exists {table} (k bigint primary key, v text not null)",
            "create table if not exists {table}_set (v bigint primary key)",
        ),
        upsert="insert into {table} values (%s, %s) on conflict (k) do update set v = excluded.v",
        append="insert into {table} as t values (%s, %s || ',') on conflict (k) do update set v = t.v || excluded.v",
        new="insert into {table} ({columns}) values ({marks}) on conflict do nothing",
        position="bigserial not null",
        begin=("begin",),
        isolated=("begin isolation level {level}",),
        published=PUBLISHED,
        read_only=("begin read only",),
        level="read committed",
        alone=(f"select pg_advisory_xact_lock({CATALOGUE_LOCK})",),
        limits=("set statement_timeout = {ms}", "set lock_timeout = {ms}"),
        read=copy_out,
        server=_SERVER,
        moment="select pg_current_wal_lsn()::text",
        reached="select pg_is_in_recovery() and pg_last_wal_replay_lsn() >= %s::pg_lsn",
    )


def _state(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _left_waiting(connection: Any) -> None:
    connection.answer_s = 0.0


def _cut(connection: Any) -> None:
    """Under libpq's feet: whoever waits for an answer finds the end of the connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def database(target: Server) -> Database:
    """A target's database as ``Sql``; each answer has ``PATIENCE_S`` more, for what the server says by itself."""

    def connect(timeout_s: float, answer_s: float) -> Any:
        return target.connect(timeout_s=timeout_s, answer_s=answer_s + PATIENCE_S if answer_s else 0)

    return Database(dialect, connect, target.name())


class Server(Postgres, Protocol):
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

    def __init__(self, database: Server) -> None:
        self._sql = database

    def make(self, space: str, options: Options) -> None:
        """Schema and tables; alone among our sessions, since PostgreSQL does not keep two from colliding."""
        from chaosday.clients.sql import execute_all

        with self._sql.connect(answer_s=MAKE_S) as connection:
            with answering(self._sql.name(), *dialect().errors):
                refuse_published(connection)
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
