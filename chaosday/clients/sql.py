"""Small pieces of PostgreSQL plumbing that more than one store or probe needs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from chaosday.errors import AccessDenied, TargetUnreachable

# "if not exists" does not keep two sessions from creating the same schema: one of them gets a unique violation in
# pg_namespace. Whoever makes or removes anything of ours in the catalogue therefore queues for this number.
CATALOGUE_LOCK = 0x0C4A05DA


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
        connection.execute("select pg_advisory_xact_lock(%s)", (CATALOGUE_LOCK,))
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
