"""Rows of Parquet and CSV files: exactly those that the name says, every row, every column."""

from __future__ import annotations

import glob
import itertools
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from chaosday.data.reconcile.duckdb_types import described, exported
from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.csv_shape import CsvShape, examine
from chaosday.data.reconcile.sources.parquet_losses import column_names, losses
from chaosday.data.reconcile.sql import listed, literal, statement
from chaosday.data.reconcile.workspace import Workspace, temporary_folder
from chaosday.errors import MalformedInput, TargetUnreachable

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
FOLDER = "folder"
# Parts may differ in the width of these: DuckDB's union of them holds both without loss.
_WIDENING = {"int", "decimal"}


class FileSource:
    """A path or glob; the files' names, sizes and times before and after tell whether they changed."""

    def __init__(self, side: Side, label: str) -> None:
        self.label = label
        self.side = side
        self.seen = self._stat()
        if not self.seen:
            raise TargetUnreachable(f"the {label} side has no file {side.path}")
        self.parts = Parts({Path(path): path for path in self.seen}, side, label)
        self.fields, self.notes, self.expected_rows = self.parts.fields, self.parts.notes, self.parts.rows

    def stage(self, workspace: Workspace) -> str:
        return self.parts.relation(workspace)

    def changed(self) -> bool:
        return self._stat() != self.seen

    def close(self) -> None:
        self.parts.close()

    def _stat(self) -> dict[str, tuple[int, int, int]]:
        # A file of exactly that name is meant, whatever brackets and stars are in it.
        literally = [self.side.path] if Path(self.side.path).is_file() else []
        found = {}
        for path in literally or sorted(glob.glob(self.side.path, recursive=True)):  # noqa: PTH207 - absolute globs
            if Path(path).is_file():
                stat = Path(path).stat()
                found[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        return found


class Parts:
    """Files that are one table together: the same columns in each, and those that their folders name.

    ``files`` maps a path to read to the name that it is shown under, and whose folders may say
    ``column=value``. DuckDB sees links with plain names: it would take a bracket in a path for a glob.
    """

    def __init__(self, files: Mapping[Path, str], side: Side, label: str) -> None:
        import duckdb

        self.form, self.label = side.form, label
        self.shown = list(files.values())
        self.folder = tempfile.TemporaryDirectory(prefix="chaosday-parts-", dir=temporary_folder())
        self.notes: list[str] = []
        try:
            self.paths = [self._linked(number, path) for number, path in enumerate(files)]
            self.folders = [partitions(name, side.path) for name in self.shown]
            self.shapes = self._shapes()
            with duckdb.connect() as database:
                database.execute("set timezone = 'UTC'")
                self.fields = self._described(database)
        except duckdb.Error as error:
            self.close()
            raise MalformedInput(
                f"the {label} side cannot be read as {self.form}: {str(error).splitlines()[0]}"
            ) from None
        except MalformedInput:
            self.close()
            raise

    @property
    def rows(self) -> int | None:
        """How many rows the files have, where somebody other than the reader has counted."""
        return sum(shape.records for shape in self.shapes) if self.form == "csv" else None

    def relation(self, workspace: Workspace) -> str:
        """All rows as a relation of ``f0``, ``f1`` ..."""
        names = [field.name for field in self.fields]
        table = f"{self.label}_folders"
        rows = listed(
            f"({literal(str(path))}" + "".join(f", {_or_null(folder[key])}" for key in folder) + ")"
            for path, folder in zip(self.paths, self.folders, strict=True)
        )
        keys = list(self.folders[0])
        if keys:
            columns = listed(["path", *(f"f{names.index(key)}" for key in keys)])
            made = statement("create table {t} as select * from (values {r}) v({c})", t=table, r=rows, c=columns)
            workspace.database.execute(made)
        selects = [self._select(workspace, indexes, names, keys, table) for indexes in self._groups()]
        return "(" + " union all ".join(selects) + ")"

    def table(self) -> pa.Table:
        """All rows in memory, in their order, by the files' own types; a CSV's and the folders' columns are texts."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.form == "csv":
            with Workspace(ordered=True) as workspace:
                names = [field.name for field in self.fields]
                found = workspace.database.sql(statement("from {r}", r=self.relation(workspace))).to_arrow_table()
                if len(found) != self.rows:
                    raise MalformedInput(f"{self.rows} records, of which their reader made {len(found)} rows")
                return found.select([f"f{number}" for number in range(len(names))]).rename_columns(names)
        tables = []
        for path, folder in zip(self.paths, self.folders, strict=True):
            read = pq.read_table(path, partitioning=None)
            for key, value in folder.items():
                read = read.append_column(key, pa.array([value] * len(read), pa.string()))
            tables.append(read)
        return pa.concat_tables(tables, promote_options="permissive")

    def close(self) -> None:
        self.folder.cleanup()

    def _linked(self, number: int, path: Path) -> Path:
        ending = "parquet" if self.form == "parquet" else "tsv" if ".tsv" in path.suffixes[-2:] else "csv"
        compressed = ".gz" if self.form == "csv" and path.name.endswith(".gz") else ""
        link = Path(self.folder.name) / f"{number}.{ending}{compressed}"
        link.symlink_to(path.absolute())
        return link

    def _shapes(self) -> list[CsvShape]:
        if self.form != "csv":
            return []
        shapes = [examine(path, name) for path, name in zip(self.paths, self.shown, strict=True)]
        other = sorted({shape.delimiter for shape in shapes} - {","})
        if other and not any(".tsv" in path.suffixes for path in self.paths):
            self.notes.append(f"the {self.label} side is read with {' and '.join(map(repr, other))} between fields")
        blank = sum(shape.blank_lines for shape in shapes)
        if blank:
            self.notes.append(f"the {self.label} side has {blank} blank lines, which are no rows")
        return shapes

    def _groups(self) -> list[list[int]]:
        """The files that one reader can read: those of one header and dialect."""
        if self.form != "csv":
            return [list(range(len(self.paths)))]

        def alike(number: int) -> tuple[object, ...]:
            shape = self.shapes[number]
            return shape.names, shape.delimiter, shape.line_end

        return [list(some) for _, some in itertools.groupby(sorted(range(len(self.paths)), key=alike), key=alike)]

    def _select(
        self, workspace: Workspace, indexes: Sequence[int], names: list[str], keys: list[str], table: str
    ) -> str:
        paths = listed(literal(str(self.paths[number])) for number in indexes)
        inner = self._csv(paths, indexes, names) if self.form == "csv" else self._parquet(paths, workspace)
        joined = f"join {table} on path = chaosday_path" if keys else ""
        every = listed(f"f{number}" for number in range(len(names)))
        return statement("select {every} from ({inner}) t {joined}", every=every, inner=inner, joined=joined)

    def _csv(self, paths: str, indexes: Sequence[int], names: list[str]) -> str:
        shapes = [self.shapes[number] for number in indexes]
        widest = replace(
            shapes[0],
            longest_bytes=max(shape.longest_bytes for shape in shapes),
            broken_lines=any(shape.broken_lines for shape in shapes),
        )
        columns = listed(f"t.f{at} as f{names.index(name)}" for at, name in enumerate(shapes[0].names))
        template = "select {columns}, t.chaosday_path from read_csv([{paths}], {options}, filename = 'chaosday_path') t"
        return statement(template, columns=columns, paths=paths, options=widest.reader_options)

    def _parquet(self, paths: str, workspace: Workspace) -> str:
        inner = _parquet_reader(paths, ", filename = 'chaosday_path'")
        fields = [field for field in self.fields if field.type != FOLDER]
        query = exported([*fields, Field("chaosday_path", "text", "VARCHAR")], inner, workspace.database)
        return statement("select * rename (f{n} as chaosday_path) from ({q})", n=len(fields), q=query)

    def _described(self, database: duckdb.DuckDBPyConnection) -> list[Field]:
        each = [self._one(database, number) for number in range(len(self.paths))]
        for name, fields, folder in zip(self.shown, each, self.folders, strict=True):
            self._refuse_other_columns(each[0], fields, folder, name)
            if both := set(folder) & {field.name for field in fields}:
                raise MalformedInput(
                    f"{name} has the column {', '.join(sorted(both))} both inside and in its folders' names;"
                    " name the folder instead of a glob to read what is inside"
                )
        whole = each[0] if len(each) == 1 else self._union(database, each[0])
        return [*whole, *(Field(key, "text", FOLDER, "text", "csv") for key in self.folders[0])]

    def _refuse_other_columns(
        self, first: Sequence[Field], fields: Sequence[Field], folder: Mapping[str, object], name: str
    ) -> None:
        """A part that lacks a column would be filled with NULLs, and one of another type rounded."""
        known, found = ({field.name: field for field in some} for some in (first, fields))
        odd = sorted(set(found) ^ set(known)) or sorted(set(folder) ^ set(self.folders[0]))
        if odd:
            raise MalformedInput(
                f"the {self.label} side's parts have different columns: {', '.join(odd)} not in both"
                f" {self.shown[0]} and {name}; compare them one by one"
            )
        if len({column.lower() for column in found}) < len(found) and list(found) != list(known):
            raise MalformedInput(
                f"the {self.label} side's parts have columns that differ in case only, in different orders:"
                f" {self.shown[0]} and {name}; compare them one by one"
            )
        for column, field in found.items():
            kind = known[column]
            if field.type != kind.type and not (field.kind == kind.kind and field.kind in _WIDENING):
                raise MalformedInput(
                    f"the {self.label} side's parts have different types: {column} is {kind.type} in"
                    f" {self.shown[0]} and {field.type} in {name}; compare them one by one"
                )

    def _one(self, database: duckdb.DuckDBPyConnection, number: int) -> list[Field]:
        path = self.paths[number]
        names = list(self.shapes[number].names) if self.form == "csv" else column_names(path, self.shown[number])
        doubled = {name for name, times in Counter(names).items() if times > 1}
        if doubled:
            raise MalformedInput(f"{self.shown[number]} has several columns called {', '.join(sorted(doubled))}")
        if self.form == "csv":
            return [Field(name, "text", "text", "text", "csv") for name in names]
        fields = described(database, _parquet_reader(literal(str(path))), "parquet")
        if len(names) == len(fields):
            fields = [replace(field, name=name) for field, name in zip(fields, names, strict=True)]
        lost = losses(path)
        return [replace(field, loss=lost.get(field.name, field.loss)) for field in fields]

    def _union(self, database: duckdb.DuckDBPyConnection, first: list[Field]) -> list[Field]:
        if self.form == "csv":
            return first
        paths = listed(literal(str(path)) for path in self.paths)
        inner = _parquet_reader(paths)
        lost = {name: words for path in self.paths for name, words in losses(path).items()}
        # The union's columns are those of the first file, perhaps wider.
        wide = zip(described(database, inner, "parquet"), first, strict=True)
        return [replace(f, name=one.name, loss=lost.get(one.name, f.loss)) for f, one in wide]


def _parquet_reader(paths: str, more: str = "") -> str:
    return f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false{more})"


def partitions(name: str, pattern: str) -> dict[str, str | None]:
    """The columns that a file's folders name (``year=2024``), below where the pattern begins to be one."""
    if name == pattern:
        return {}
    fixed = list(itertools.takewhile(lambda part: not set("*?[") & set(part), pattern.split("/")))
    found: dict[str, str | None] = {}
    for folder in name.split("/")[len(fixed) : -1]:
        key, equals, value = folder.partition("=")
        if equals and key:
            found[unquote(key)] = None if value == HIVE_NULL else unquote(value)
    return found


def _or_null(value: str | None) -> str:
    return "null::varchar" if value is None else f"{literal(value)}::varchar"
