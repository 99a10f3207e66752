"""Rows of a SQLite database, out of one read transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaosday.data.connections.sqlite import Session, explained
from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.staging import stage_rows
from chaosday.data.reconcile.sql import ident, listed, literal, statement
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import ChaosdayError, TargetUnreachable, UsageError

# Declared types are words without force: the first that matches decides, in this order.
_WORDS = (
    ("BOOL", "bool"), ("INT", "int"), ("REAL", "float"), ("FLOA", "float"), ("DOUB", "float"), ("DEC", "decimal"),
    ("NUM", "decimal"), ("CHAR", "text"), ("CLOB", "text"), ("TEXT", "text"), ("TIMESTAMPTZ", "timestamptz"),
    ("DATETIME", "timestamp"), ("TIMESTAMP", "timestamp"), ("DATE", "date"), ("TIME", "time"), ("UUID", "uuid"),
    ("JSON", "json"), ("BLOB", "bytes"),
)  # fmt: skip


class SqliteSource:
    """A SQLite side; every value leaves SQLite as text that loses nothing, whatever its column claims to hold."""

    def __init__(self, side: Side, label: str, patience: Patience | None = None) -> None:
        self.label = label
        self.notes: list[str] = []
        self.expected_rows: int | None = None
        path = Path(side.file_path)
        if not path.is_file():
            raise TargetUnreachable(f"the {label} side has no file {path}")
        self.session = Session(path, label, patience)
        self.connection = self.session.connection
        try:
            self.relation = side.subquery if side.query else ident(side.table)
            self.fields = self.session.once_unlocked(lambda: self._describe(side))
            self.version = self._version()
        except sqlite3.Error as error:
            self.connection.close()
            raise explained(error, label) from None
        except ChaosdayError:
            self.connection.close()
            raise

    def stage(self, workspace: Workspace) -> str:
        columns = listed(_exported(f"t.{ident(field.name)}") for field in self.fields)
        sql = statement("select {columns} from {relation} t", columns=columns, relation=self.relation)
        return stage_rows(workspace, self.label, self.fields, self._rows(sql))

    def changed(self) -> bool:
        # data_version moves when another connection committed; inside our transaction it stands still.
        self.connection.execute("commit")
        return self._version() != self.version

    def close(self) -> None:
        self.connection.close()

    def _rows(self, sql: str) -> Iterator[list[tuple[Any, ...]]]:
        try:
            cursor = self.connection.execute(sql)
            while rows := cursor.fetchmany(20_000):
                yield [_tagged(row) for row in rows] if any(map(_has_real, rows)) else rows
        except sqlite3.Error as error:
            raise explained(error, self.label) from None

    def _version(self) -> int:
        return int(self.connection.execute("pragma data_version").fetchone()[0])

    def _describe(self, side: Side) -> list[Field]:
        if side.query:
            described = self.connection.execute(statement("select * from {r} t limit 0", r=self.relation)).description
            return [Field(name, "any", "any", "tagged", "sqlite") for name, *_ in described]
        rows = self.connection.execute(f"pragma table_xinfo({literal(side.table)})").fetchall()
        if not rows:
            raise UsageError(f"the {self.label} side has no table {side.table!r}")
        fields = []
        for _, name, declared, *_ in rows:
            kind = next((kind for word, kind in _WORDS if word in declared.upper()), "any")
            fields.append(Field(name, kind, declared or "any", "tagged", "sqlite"))
        return fields


def _exported(name: str) -> str:
    """A letter for the storage class, then the value as text; a real comes as it is, for Python to write.

    SQLite writes 15 digits of a real, which is too few to tell all of them apart.
    """
    cases = f"when 'integer' then 'i' || {name} when 'text' then 't' || {name} when 'blob' then 'b' || hex({name})"
    return f"case typeof({name}) when 'real' then {name} {cases} end"


def _has_real(row: tuple[Any, ...]) -> bool:
    return float in map(type, row)


def _tagged(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(f"r{value!r}" if isinstance(value, float) else value for value in row)
