"""Rows of one snapshot of a Delta or Iceberg table.

The format's own library reads them. Beside it the rows are counted: what the data files hold by their footers, less
what the delete files name; a reader that had left a delete aside, or a file, would give another number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chaosday.clients.lake.snapshot import DataFile, Snapshot, column_in
from chaosday.clients.lake.storage import explained
from chaosday.data.reconcile.duckdb_types import described, exported
from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.parquet_losses import losses
from chaosday.data.reconcile.sql import listed, statement
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    import pyarrow as pa

_WIDTHS = ("int8", "int16", "int32", "int64")


def open_snapshot(side: Side) -> Snapshot:
    """The snapshot that a side names; errors are one line."""
    if side.engine == "delta":
        from chaosday.clients.lake.delta import DeltaSnapshot

        return DeltaSnapshot(side.path, int(side.version) if side.version else None)
    from chaosday.clients.lake.iceberg import IcebergSnapshot

    return IcebergSnapshot(side.url, side.table, side.version)


class LakeSource:
    """A snapshot: whatever is committed meanwhile, the rows are those that it names."""

    def __init__(self, side: Side, label: str) -> None:
        import duckdb

        self.label, self.side = label, side
        self.snapshot = open_snapshot(side)
        self.notes = [f"the {label} side is {self.snapshot.words} of {replace(side, version='')}"]
        self.expected_rows: int | None = None
        self._names = [f"f{number}" for number in range(len(self.snapshot.schema))]
        with duckdb.connect() as database:
            nothing = self.snapshot.schema.empty_table().rename_columns(self._names)
            database.register("arriving", nothing)
            found = described(database, "arriving", side.engine)
        lost = self._lost()
        self.fields = [
            Field(name, one.kind, one.type, one.raw, one.engine, lost.get(name, one.loss), one.tree)
            for name, one in zip(self.snapshot.schema.names, found, strict=True)
        ]

    def stage(self, workspace: Workspace) -> str:
        import duckdb
        import pyarrow as pa

        table = f"{self.label}_lake"
        try:
            rows = self.snapshot.rows()
            if rows.schema.names != self.snapshot.schema.names:
                raise MalformedInput(f"{self.side} is read with other columns than its schema says")
            renamed = pa.RecordBatchReader.from_batches(
                pa.schema([one.with_name(name) for one, name in zip(rows.schema, self._names, strict=True)]),
                (batch.rename_columns(self._names) for batch in rows),
            )
            workspace.database.register("arriving", renamed)
            workspace.database.execute(f"create table {table} as from arriving")
        except (pa.ArrowException, OSError, ValueError, duckdb.InvalidInputException) as error:
            raise explained(error, str(self.side)) from None
        finally:
            workspace.database.unregister("arriving")
        query = exported(self.fields, table, workspace.database)
        return statement("(select {names} from ({query}))", names=listed(self._names), query=query)

    def changed(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _lost(self) -> dict[str, str]:
        """What the table's types would not hold of its files; counts their rows on the way."""
        import pyarrow as pa

        lost: dict[str, str] = {}
        total = 0
        for file in self.snapshot.files:
            try:
                rows, found = _looked_at(self.snapshot, file)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise explained(error, f"{file.name} of {self.side}") from None
            if file.rows not in {None, rows}:
                raise MalformedInput(
                    f"{file.name} of {self.side} has {rows} rows and its metadata says {file.rows}:"
                    " it is not the file that was written"
                )
            total += rows
            lost |= found
        self.expected_rows = total - self.snapshot.deleted_rows()
        return lost


def _looked_at(snapshot: Snapshot, file: DataFile) -> tuple[int, dict[str, str]]:
    """The rows by the footer, and what would be lost of each column."""
    import pyarrow.parquet as pq

    with snapshot.open(file.path) as opened, pq.ParquetFile(opened) as parquet:
        inside = parquet.schema_arrow
        lossy = losses(opened)
        lost = {}
        for column in snapshot.schema:
            place = column_in(snapshot, inside, column.name)
            if place is None:
                continue
            name = inside.field(place).name
            words = lossy.get(name, "")
            if not words and not _is_int96(parquet, name):
                words = _narrowed(inside.field(place).type, column.type)
            if not words and snapshot.empties_null_lists and _has_null_lists(parquet, name, column.type):
                words = "a NULL where lists or maps hold structs, which its library reads as empty; read the files"
            if words:
                lost[column.name] = words
        return parquet.metadata.num_rows, lost


def _is_int96(parquet: pa.parquet.ParquetFile, name: str) -> bool:
    columns = [parquet.schema.column(number) for number in range(len(parquet.schema))]
    return any(one.path == name and one.physical_type == "INT96" for one in columns)


def _narrowed(inside: pa.DataType, outside: pa.DataType) -> str:
    """Words, where a file's type holds values that the table's does not."""
    import pyarrow as pa

    pairs = list(zip(_leaves(inside), _leaves(outside), strict=False))
    for ours, theirs in pairs:
        if pa.types.is_timestamp(ours) and pa.types.is_timestamp(theirs):
            units = ("s", "ms", "us", "ns")
            narrower = units.index(ours.unit) > units.index(theirs.unit)
        elif pa.types.is_integer(ours) and str(theirs) in _WIDTHS:
            narrower = str(ours) not in _WIDTHS or _WIDTHS.index(str(ours)) > _WIDTHS.index(str(theirs))
        elif pa.types.is_float64(ours):
            narrower = not pa.types.is_float64(theirs)
        elif pa.types.is_decimal(ours) and pa.types.is_decimal(theirs):
            narrower = ours.scale > theirs.scale or ours.precision - ours.scale > theirs.precision - theirs.scale
        else:
            narrower = False
        if narrower:
            return f"{theirs} in the table and {ours} in one of its files, which is cut; read that file by itself"
    return ""


def _has_null_lists(parquet: pa.parquet.ParquetFile, name: str, kind: pa.DataType) -> bool:
    if not _holds_structs_in_lists(kind):
        return False
    return any(_null_lists(batch.column(0)) for batch in parquet.iter_batches(columns=[name]))


def _holds_structs_in_lists(kind: pa.DataType) -> bool:
    import pyarrow as pa

    inner = [kind.field(number).type for number in range(kind.num_fields)]
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind)
    return (listed and any(map(pa.types.is_struct, inner))) or any(map(_holds_structs_in_lists, inner))


def _null_lists(column: pa.Array) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(column.type):
        return any(_null_lists(child) for child in column.flatten())
    if pa.types.is_map(column.type):
        return bool(column.null_count) or _null_lists(column.items)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return bool(column.null_count) or _null_lists(column.flatten())
    return False


def _leaves(kind: pa.DataType) -> list[pa.DataType]:
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    return [leaf for one in inner for leaf in _leaves(one)] or [kind]
