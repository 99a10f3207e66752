"""A stream of changes between two databases: the tables that carry it, and what its writers and its reader record.

Every row belongs to one writer (``row // ROWS_OF_A_WRITER``), which inserts it, changes it, deletes it and inserts it
again; its version only grows. What a writer has done so far it marks in a table of its own, which travels in the same
stream. The reader at the sink looks at rows and marks in one snapshot and records what is not as it was::

    put     key=ROW     value=[version, value, extra]     extra is null before the column was added
    delete  key=ROW     value=[version]
    mark    key=WRITER  value=MARK                        everything the writer did before is at or below it
    look    key=SINK      result={"marks": {WRITER: MARK}, "ended": whether these are the last,
                                  "put": [[ROW, version, value, extra], ...], "gone": [ROW, ...]}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from chaosday.clients.tables import told
from chaosday.model.sql import Dialect, Sql, SqlConnection

ROWS_OF_A_WRITER = 1_000_000
PUT, DELETE, MARK, LOOK, ALTER = "put", "delete", "mark", "look", "alter"
SINK_PROCESS = 3_000
"""Numbers of clients at the sink begin here, so that no writer has the same."""
COLUMNS = "id, version, value"
ROW = "id bigint{key} not null, version int not null, value bigint not null"
EXTRA = "extra bigint"
MARKS = "writer bigint{key} not null, mark bigint not null, writers int not null, ended int not null"

NOBODY = -1
"""The writer of the mark behind which nothing more comes: the tables are taken away."""

State = tuple[int, int, int | None]
"""Version, value, and what the column that was added later holds."""
Rows = dict[int, tuple[State, ...]]


def row_of(writer: int, number: int) -> int:
    """The id of a writer's row, from number 0."""
    return writer * ROWS_OF_A_WRITER + number


def writer_of(row: int) -> int:
    """Whose row it is."""
    return row // ROWS_OF_A_WRITER


def extra_of(value: int) -> int:
    """What the later column holds beside a value."""
    return value ^ 0x5A5A


def tables(scope: str) -> tuple[str, str]:
    """The names of the table of rows and of the table of marks, which the dialect completes."""
    return f"changes_{scope}", f"changes_{scope}_marks"


def rows_read(dialect: Dialect, scope: str) -> str:
    """The query for the rows at the sink."""
    return f"select {COLUMNS}, extra from {dialect.table(tables(scope)[0])}"  # noqa: S608 - our own names


def marks_read(dialect: Dialect, scope: str) -> str:
    """The query for the marks at the sink."""
    return f"select writer, mark, writers, ended from {dialect.table(tables(scope)[1])}"  # noqa: S608 - our own names


def say_last(sql: Sql, scope: str) -> None:
    """Mark at the source that nothing more comes, where anything came; to be called before its tables are dropped."""
    marks = sql.dialect.table(tables(scope)[1])
    with closing(sql.open()) as connection, told(sql):
        # Where nothing was written nobody need have the tables: a first row would stop a subscriber that lacks them.
        if _count(connection, f"select count(*) from {marks}"):  # noqa: S608 - our own names
            connection.execute(sql.dialect.insert_new(marks, "writer", "mark", "writers", "ended"), (NOBODY, 0, 0, 0))


def has_come(sql: Sql, scope: str) -> bool:
    """Whether the last mark is at the sink, and so all that was written; also where there are no tables."""
    marks = sql.dialect.table(tables(scope)[1])
    with closing(sql.open()) as connection, told(sql):
        return _count(connection, f"select count(*) from {marks} where writer = {NOBODY}") != 0  # noqa: S608


def _count(connection: SqlConnection, query: str) -> int | None:
    try:
        return int(connection.execute(query).fetchone()[0])
    except connection.dialect.errors as error:
        if connection.dialect.absent(error):
            return None
        raise


def held(rows: Iterable[Sequence[Any]]) -> Rows:
    """What is there by row; of a row that is there more than once, every copy."""
    found: dict[int, list[State]] = {}
    for row, version, value, extra in rows:
        found.setdefault(row, []).append((version, value, extra))
    return {row: tuple(states if len(states) == 1 else sorted(states, key=str)) for row, states in found.items()}


def look_of(before: Rows, now: Rows, marks: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """What a look says: the marks, and which rows are not as in the look before."""
    listed = list(marks)
    highest: dict[int, int] = {}
    for writer, mark, _, _ in listed:
        highest[writer] = max(mark, highest.get(writer, mark))
    ended = {writer for writer, _, _, done in listed if done}
    return {
        "marks": {str(writer): mark for writer, mark in sorted(highest.items())},
        "ended": bool(listed) and len(ended) >= max(writers for _, _, writers, _ in listed),
        "put": [[row, *state] for row, states in now.items() if before.get(row) != states for state in states],
        "gone": sorted(before.keys() - now.keys()),
    }
