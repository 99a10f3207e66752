"""SQL, once for all: what differs between databases is data, and a connection has one way to ask any of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from chaosday.errors import ChaosdayError, UsageError

BATCH = 10_000


def _rows(raw: Any, query: str, schema: pa.Schema) -> pa.Table:
    """The rows of a query as Arrow, batch by batch."""
    cursor, batches = raw.cursor(), []
    cursor.execute(query)
    while rows := cursor.fetchmany(BATCH):
        columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _as_it_is(connection: Any) -> None:
    """The driver's own limit costs nothing."""


@dataclass(frozen=True)
class Dialect:
    """What differs between databases. ``mark`` is the driver's placeholder; statements take ``{table}``."""

    name: str
    errors: tuple[type[Exception], ...]
    """What the driver raises."""
    definite: Callable[[Exception], bool]
    """Whether an error says that the statement, and its transaction, provably had no effect; all others are unknown."""
    absent: Callable[[Exception], bool]
    """Whether an error says that there is no such table."""
    denied: Callable[[Exception], bool]
    """Whether an error says that we may not."""
    code: Callable[[Exception], str]
    """The error's code, short and without anybody's data; empty where it has none."""
    cut: Callable[[Any], None]
    """Ends what a connection is waiting for, from another thread."""
    make: tuple[str, ...]
    """The tables of registers (``k``, ``v``) and of a set (``v``)."""
    upsert: str
    append: str
    new: str
    """Inserts a row of ``{columns}`` and ``{marks}`` where its key is free, and nothing where it is not."""
    position: str
    """The definition of a column that the database numbers in the order of insertion."""
    begin: tuple[str, ...]
    isolated: tuple[str, ...]
    """Begins a transaction at ``{level}``."""
    level: str
    """The isolation level that is meant where none is named."""
    mark: str = "%s"
    quote: str = '"'
    prefix: str = "chaosday_"
    """What names of our tables begin with: words or a schema."""
    first: tuple[str, ...] = ()
    """Has to be there before any table of ours."""
    beside: tuple[str, ...] = ()
    """Is made before ``{table}``, for ``position``."""
    beside_gone: tuple[str, ...] = ()
    stored: str = ""
    """Ends the definition of a table of ours: how it is stored, where that is not to be left to the server."""
    alone: tuple[str, ...] = ()
    """Within a transaction keeps other sessions of ours from changing the catalogue."""
    left_waiting: Callable[[Any], None] = _as_it_is
    """Leaves the end of each wait to whoever may ``cut`` it, where to look at the clock oneself costs operations."""
    limits: tuple[str, ...] = ()
    """Make the server give up a statement, or a wait for a lock, after ``{ms}`` or ``{s}``."""
    published: str = ""
    """Asks for the names of whatever would send a table of ours to others that may lack it; NULL where nothing does."""
    read_only: tuple[str, ...] = ()
    """Begins what can change nothing."""
    read: Callable[[Any, str, pa.Schema], pa.Table] = _rows
    """The rows of a query as Arrow."""
    server: str = ""
    """Asks which running server it is, and ``moment`` what it has written; ``reached`` whether a copy has that."""
    moment: str = ""
    reached: str = ""

    def table(self, name: str) -> str:
        """The full name of a table of ours."""
        return f"{self.prefix}{name}"

    def marks(self, count: int) -> str:
        """So many placeholders."""
        return ", ".join([self.mark] * count)

    def insert_new(self, table: str, *columns: str) -> str:
        """A statement that inserts a row where its key is free."""
        return self.new.format(table=table, columns=", ".join(columns), marks=self.marks(len(columns)))

    def named(self, *names: str) -> str:
        """Somebody's name, fit for a statement with arguments: ``UsageError`` where it cannot be one."""
        if any("\0" in each or not each for each in names):
            raise UsageError("a name of a table or column is empty or holds a NUL")
        quoted = ".".join(f"{self.quote}{each.replace(self.quote, self.quote * 2)}{self.quote}" for each in names)
        # What stands for a parameter elsewhere in the same statement.
        return quoted.replace("%", "%%") if self.mark == "%s" else quoted


class SqlConnection:
    """One connection in autocommit mode, one statement at a time."""

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        self.raw, self.dialect = raw, dialect
        self.usable = True

    def execute(self, statement: str, arguments: Sequence[Any] | None = None) -> Any:
        """A cursor: ``rowcount``, ``fetchone``, ``fetchall``. Errors are the driver's (``dialect.errors``).

        Without ``arguments`` the statement is taken as it is written; with them, were they none, every ``%`` in it is
        the driver's, as ``Dialect.named`` expects.
        """
        cursor = self.raw.cursor()
        if arguments is None:
            cursor.execute(statement)
        else:
            cursor.execute(statement, tuple(arguments))
        return cursor

    @contextlib.contextmanager
    def transaction(self, level: str = "") -> Iterator[None]:
        """What is done inside is done together, or not at all; at an isolation level, if one is named."""
        for statement in self.dialect.isolated if level else self.dialect.begin:
            self.execute(statement.format(level=level))
        committed = False
        try:
            yield
            self.execute("commit")
            committed = True
        finally:
            if not committed:
                self._undo()

    def _undo(self) -> None:
        try:
            self.execute("rollback")
        except self.dialect.errors:
            self.usable = False

    def cut(self) -> None:
        """End what it waits for, from another thread; it is of no more use."""
        self.usable = False
        with contextlib.suppress(*self.dialect.errors, OSError, ValueError, AttributeError):
            self.dialect.cut(self.raw)

    def close(self) -> None:
        """Let go of it; any number of times."""
        with contextlib.suppress(*self.dialect.errors, ChaosdayError):
            self.raw.close()


@runtime_checkable
class Sql(Protocol):
    """A database that speaks SQL through a DB-API connection, in one of the dialects."""

    @property
    def dialect(self) -> Dialect: ...

    def where(self) -> str:
        """What and where it is, without secrets."""

    def open(self, *, timeout_s: float = 5, answer_s: float = 0) -> SqlConnection:
        """A new connection; ``TargetUnreachable`` or ``AccessDenied`` in words.

        ``answer_s``: how long each statement is waited for on our side; 0 leaves that to the caller.
        """
