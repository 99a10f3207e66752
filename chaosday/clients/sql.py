"""Small pieces of SQL plumbing that more than one workload or probe needs."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.model.target import Sql, Target

CATCH_UP_S = 15.0
# One running server: a copy of its data has the same identifier, but another start.
_SERVER = "(select system_identifier from pg_control_system())::text || ' ' || pg_postmaster_start_time()::text"


# "if not exists" does not keep two sessions from creating the same schema: one of them gets a unique violation in
# pg_namespace. Whoever makes or removes anything of ours in the catalogue therefore queues for this number.
_CATALOGUE_LOCK = 0x0C4A05DA


def execute_all(connection: Any, *statements: str) -> None:
    """Run statements that change the catalogue, in one transaction, and alone among our sessions on that database.

    Their table names come from validated fields, never from data. An error of the database is ours, in one line.
    """
    import psycopg

    try:
        with alone(connection):
            for statement in statements:
                connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise AccessDenied(f"the database refuses us: {_line(error)}") from None
    except psycopg.Error as error:
        raise TargetUnreachable(f"the database failed: {_line(error)}") from None


@contextmanager
def alone(connection: Any) -> Iterator[None]:
    """A transaction in which no other session of ours makes or removes anything in that database's catalogue."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (_CATALOGUE_LOCK,))
        yield


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def copy_out(connection: Any, query: str, schema: pa.Schema) -> pa.Table:
    """The rows of a query as Arrow, through COPY and Arrow's CSV reader: no Python object per row."""
    from pyarrow import csv

    buffer = io.BytesIO()
    with connection.cursor().copy(f"copy ({query}) to stdout (format csv)") as copy:
        for block in copy:
            buffer.write(block)
    if buffer.tell() == 0:
        return schema.empty_table()
    buffer.seek(0)
    return csv.read_csv(
        buffer,
        read_options=csv.ReadOptions(column_names=schema.names),
        convert_options=csv.ConvertOptions(column_types=schema),
    )


def read_everywhere(
    query: str, schema: pa.Schema, store: str, target: Target, replicas: Mapping[str, Target]
) -> dict[str, pa.Table]:
    """The rows of ``query`` on the target, and on every replica once it has replayed what the target had."""
    with target.capability(Sql).connect() as connection:
        found = {store: _held(connection, query, schema)}
        position, origin = connection.execute(f"select pg_current_wal_lsn(), {_SERVER}").fetchone()
    for name, replica in replicas.items():
        with replica.capability(Sql).connect() as connection:
            # Where no failover came, the server that was to become a replica is still the one written to.
            if connection.execute(f"select {_SERVER}").fetchone()[0] != origin:
                _wait_for(connection, position, name)
            found[f"{store}.{name}"] = _held(connection, query, schema)
    return found


def _held(connection: Any, query: str, schema: pa.Schema) -> pa.Table:
    """The rows of ``query``; none where the server says that it has no such table: then every one of them is lost."""
    import psycopg

    try:
        with connection.transaction():
            return copy_out(connection, query, schema)
    except psycopg.errors.UndefinedTable:
        return schema.empty_table()


def _wait_for(connection: Any, position: str | None, name: str) -> None:
    deadline = time.monotonic() + CATCH_UP_S
    reached = "select pg_is_in_recovery() and pg_last_wal_replay_lsn() >= %s::pg_lsn"
    while not connection.execute(reached, (position,)).fetchone()[0]:
        if time.monotonic() > deadline:
            raise TargetUnreachable(f"replica {name} did not reach {position} within {CATCH_UP_S:.0f} s")
        time.sleep(0.05)
