"""Rows of a DuckDB file, opened read-only: nobody else can write to it meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

from chaosday.data.reconcile.duckdb_types import described, exported
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import ident
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import TargetUnreachable, UsageError

_PART = re.compile(r'"((?:[^"]|"")*)"(?=\.|$)|([^.]+)')
"""A part of a table's name: in quotes it may have a dot in it."""


def _relation(table: str) -> str:
    return ".".join(ident(part[2] if part[1] is None else part[1].replace('""', '"')) for part in _PART.finditer(table))


class DuckdbSource:
    """A DuckDB side; its rows stream into the workspace as Arrow."""

    def __init__(self, side: Side, label: str) -> None:
        import duckdb

        self.label = label
        self.notes: list[str] = []
        self.expected_rows: int | None = None
        path = Path(side.file_path)
        if not path.is_file():
            raise TargetUnreachable(f"the {label} side has no file {path}")
        try:
            # A view in it may read any file and any address, with the rights of whoever compares.
            self.connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": False})
        except duckdb.Error as error:
            raise TargetUnreachable(f"the {label} side cannot be opened: {str(error).splitlines()[0]}") from None
        self.connection.execute("set timezone = 'UTC'")
        self.relation = side.subquery if side.query else _relation(side.table)
        try:
            self.fields = described(self.connection, self.relation, "duckdb")
        except duckdb.Error as error:
            self.connection.close()
            raise UsageError(f"the {label} side cannot be read as asked: {str(error).splitlines()[0]}") from None

    def stage(self, workspace: Workspace) -> str:
        # Arrow has no room for all of DuckDB's types: those that it would change leave as text.
        select = exported(self.fields, self.relation, self.connection)
        arriving = self.connection.sql(select).to_arrow_reader(50_000)
        workspace.database.register("arriving", arriving)
        workspace.database.execute(f"create table {self.label}_staged as from arriving")
        workspace.database.unregister("arriving")
        return f"{self.label}_staged"

    def changed(self) -> bool:
        return False

    def close(self) -> None:
        self.connection.close()
