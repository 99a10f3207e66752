"""Rows of PostgreSQL as text, by COPY, out of one repeatable-read snapshot."""

from __future__ import annotations

from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.postgres import Column, PostgresSide
from chaosday.data.reconcile.rows import csv_relation
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import ident, listed, statement
from chaosday.data.reconcile.workspace import Workspace

_KINDS = {
    "int2": "int", "int4": "int", "int8": "int", "oid": "int", "numeric": "decimal", "float4": "float32",
    "float8": "float", "bool": "bool", "bytea": "bytes", "date": "date", "time": "time", "timetz": "timetz",
    "timestamp": "timestamp", "timestamptz": "timestamptz", "interval": "interval", "uuid": "uuid", "json": "json",
    "jsonb": "json", "money": "decimal", "inet": "network", "cidr": "network",
}  # fmt: skip


class PostgresSource:
    """A PostgreSQL side that is read here, because the other side is not PostgreSQL."""

    def __init__(self, side: Side, label: str, patience: Patience | None = None) -> None:
        self.label = label
        self.notes: list[str] = []
        self.expected_rows: int | None = None
        self.inner = PostgresSide(side, label, patience)
        self.mark = self.inner.wal_position()
        self.fields = [_field(column) for column in self.inner.columns]
        self.rows = 0

    def stage(self, workspace: Workspace) -> str:
        columns = listed(f"{_exported(c)} as f{number}" for number, c in enumerate(self.inner.columns))
        sql = statement("select {columns} from {relation} t", columns=columns, relation=self.inner.relation)
        path = workspace.path / f"{self.label}.csv"
        longest = 0
        with path.open("wb") as file:
            for piece in self.inner.copied(sql, "format csv, force_quote *"):
                self.rows += 1
                longest = max(longest, len(piece))
                file.write(piece)
        return csv_relation(path, [f"f{number}" for number in range(len(self.fields))], longest)

    def changed(self) -> bool:
        if self.inner.wal_position() == self.mark:
            return False
        if not self.inner.is_plain_table:
            # Without row versions to ask, a write anywhere in the cluster may have been one under the query.
            return True
        snapshot = self.inner.snapshot
        self.inner.renew_snapshot()
        count, newer = self.inner.rows_written_since(snapshot)
        return bool(newer) or count != self.rows

    def close(self) -> None:
        self.inner.close()


def _field(column: Column) -> Field:
    if column.category == "A":
        element = _KINDS.get(column.base.removeprefix("_"), "text")
        return Field(column.name, "nested", column.type, "array", "postgresql", tree=("list", element))
    loss = (
        ""
        if column.category != "C"
        else "a row of its own, whose columns have no types as text; take it apart in a query"
    )
    kind = _KINDS.get(column.base, "text")
    return Field(column.name, kind, column.type, "hex" if kind == "bytes" else "text", "postgresql", loss)


def _exported(column: Column) -> str:
    name = f"t.{ident(column.name)}"
    if column.base == "bytea":
        return f"encode({name}, 'hex')"
    if column.base == "money":
        return f"{name}::numeric::text"
    return f"{name}::float8::text" if column.base == "float4" else f"{name}::text"
