"""Tables of ours in any SQL database: made, read back, and taken away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import pyarrow as pa

from chaosday.clients.published import refuse_published
from chaosday.errors import AccessDenied, ChaosdayError, TargetUnreachable, UsageError
from chaosday.model.sql import Dialect, Sql, SqlConnection
from chaosday.model.target import Target
from chaosday.processes.limits.within import GARBLED, in_a_line

CATCH_UP_S = 15.0
ANSWER_S = 60.0
"""How long a statement on the catalogue is waited for."""
SAID_S = 1.0
"""The database's own time-out comes first, where it has one: what it says then is how the statement ended."""
END_AGAIN_S = 0.1


def make_table(
    sql: Sql,
    name: str,
    columns: str,
    *filled: tuple[str, tuple[object, ...]],
    wait_s: float = ANSWER_S,
    streamed: bool = False,
) -> None:
    """Make a table of ours, and run ``filled`` (statements with ``{table}`` and their arguments) in the same go.

    Names and columns come from validated fields, never from data; ``columns`` may say ``{position}``. ``streamed`` says
    that the table is meant to be replicated; any other is refused where it would be.
    """
    dialect, table = sql.dialect, sql.dialect.table(name)
    with _changing(sql, wait_s) as connection:
        if dialect.published and not streamed:
            refuse_published(connection, dialect.published)
        for each in (*dialect.first, *dialect.beside):
            connection.execute(each.format(table=table))
        position = dialect.position.format(table=table)
        columns = columns.format(position=position)
        connection.execute(f"create table if not exists {table} ({columns}){dialect.stored}")
        for statement, arguments in filled:
            connection.execute(statement.format(table=table), arguments)


def drop_table(sql: Sql, name: str) -> None:
    """Take a table of ours away, and what was made beside it; any number of times."""
    dialect, table = sql.dialect, sql.dialect.table(name)
    with _changing(sql) as connection:
        for each in ("drop table if exists {table}", *dialect.beside_gone):
            connection.execute(each.format(table=table))


def can_follow(sql: Sql, replicas: list[str], kind: str) -> None:
    """``UsageError`` where rows are to be read from replicas of a database whose replicas cannot be waited for."""
    if replicas and not sql.dialect.reached:
        raise UsageError(f"{kind}: replicas of {sql.dialect.name} cannot be waited for; leave 'replicas' out")


def read_everywhere(
    query: str, schema: pa.Schema, store: str, target: Target, replicas: Mapping[str, Target]
) -> dict[str, pa.Table]:
    """The rows of ``query`` on the target, and on every replica once it has replayed what the target had."""
    sql = target.capability(Sql)
    with closing(sql.open()) as connection, told(sql):
        found = {store: _held(connection, query, schema)}
        if replicas:
            origin = connection.execute(sql.dialect.server).fetchone()[0]
            moment = connection.execute(sql.dialect.moment).fetchone()[0]
    for name, replica in replicas.items():
        copy = replica.capability(Sql)
        with closing(copy.open()) as connection, told(copy):
            # Where no failover came, the server that was to become a replica is still the one written to.
            if connection.execute(sql.dialect.server).fetchone()[0] != origin:
                _wait_for(connection, moment, name)
            found[f"{store}.{name}"] = _held(connection, query, schema)
    return found


@contextmanager
def told(sql: Sql) -> Iterator[None]:
    """Inside, an error of the database is ours, in one line."""
    try:
        yield
    except ChaosdayError:
        raise
    except sql.dialect.errors as error:
        raise explained(error, sql.dialect, sql.where()) from None
    except GARBLED as error:
        raise TargetUnreachable(f"{sql.where()} does not answer: {in_a_line(error)}") from None


def limited(connection: SqlConnection, timeout_s: float) -> None:
    """Make the database give up statements, and waits for locks, after so long."""
    for each in connection.dialect.limits:
        connection.execute(each.format(ms=max(1, round(timeout_s * 1000)), s=max(1, round(timeout_s))))


@contextmanager
def ended_after(sql: Sql, connection: SqlConnection, timeout_s: float) -> Iterator[None]:
    """Inside, a statement that is still at work after ``timeout_s`` is ended from outside: ``TargetUnreachable``.

    What nobody waits for any longer would be committed after its undo. A cut connection ends nothing in MySQL, which
    has no limit for a statement that writes.
    """
    over, cut = threading.Event(), threading.Event()

    def end() -> None:
        # Again, for whom it met between two statements.
        while not over.wait(END_AGAIN_S if cut.is_set() else timeout_s + SAID_S):
            cut.set()
            connection.cut()

    watcher = threading.Thread(target=end, daemon=True)
    watcher.start()
    try:
        yield
    except sql.dialect.errors:
        if not cut.is_set():
            raise
        raise TargetUnreachable(f"{sql.where()}: the statement was ended after {timeout_s:g} s") from None
    finally:
        over.set()
        watcher.join()


def explained(error: Exception, dialect: Dialect, where: str) -> AccessDenied | TargetUnreachable:
    """An error of a database in one line of ours."""
    said = " ".join(str(error).split())[:200] or type(error).__name__
    if dialect.denied(error):
        return AccessDenied(f"{where} refuses us: {said}")
    return TargetUnreachable(f"{where} failed: {said}")


@contextmanager
def _changing(sql: Sql, wait_s: float = ANSWER_S) -> Iterator[SqlConnection]:
    """A transaction in which no other session of ours makes or removes anything in that catalogue."""
    with (
        closing(sql.open(timeout_s=min(wait_s, 5), answer_s=wait_s)) as connection,
        told(sql),
        connection.transaction(),
    ):
        for each in sql.dialect.alone:
            connection.execute(each)
        yield connection


def _held(connection: SqlConnection, query: str, schema: pa.Schema) -> pa.Table:
    """The rows of ``query``; none where the database says that it has no such table: then every one of them is lost."""
    try:
        return connection.dialect.read(connection.raw, query, schema)
    except connection.dialect.errors as error:
        if connection.dialect.absent(error):
            return schema.empty_table()
        raise


def _wait_for(connection: SqlConnection, moment: str | None, name: str) -> None:
    deadline = time.monotonic() + CATCH_UP_S
    while not connection.execute(connection.dialect.reached, (moment,)).fetchone()[0]:
        if time.monotonic() > deadline:
            raise TargetUnreachable(f"replica {name} did not reach {moment} within {CATCH_UP_S:.0f} s")
        time.sleep(0.05)
