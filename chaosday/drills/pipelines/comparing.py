"""Outputs compared with those of the undisturbed run, row for row: lost, duplicated, changed, orphan.

Tables are compared as multisets of rows, by the sum of the rows' hashes first, which the server makes; where that
differs, row by row. A row that is there more often than it should be is duplicated, one that is missing lost; where as
many rows are missing as strange ones are there, they were changed; strange rows and tables beyond that are orphans.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from chaosday.drills.pipelines.differences import (
    CHANGED,
    COLUMNS,
    LOST,
    ORPHAN,
    TABLE,
    TORN,
    Difference,
    told_apart,
)
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.drills.pipelines.filed import Content, contents
from chaosday.errors import ChaosdayError
from chaosday.servers.copies import Copies

_PATIENCE = "set lock_timeout = '10s'"
"""Nobody is left who would let go of a lock, but for a prepared transaction, which never does by itself."""
_TABLES = """
select n.nspname, c.relname, array_agg(a.attname::text order by a.attnum),
    array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
    left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p', 'm') and not c.relispartition and c.relpersistence <> 't'
    and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_t%'
group by 1, 2 order by 1, 2
"""
_DIGEST = "select count(*), sum(('x' || left(h, 15))::bit(60)::bigint)::text from (select md5({}) h from {}) q"


@dataclass(frozen=True)
class Table:
    """A table of a store, with its columns and their types."""

    store: str
    schema: str
    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"{self.store}.{self.schema}.{self.name}"


@dataclass
class Comparator:
    """Compares two copies of all stores, each named by its copy; the empty name is the stores as they are now.

    It looks through one connection to each database, what is done in that and not committed included, until ``close``.
    What was kept does not change: of a named copy it looks at every table once.
    """

    copies: Copies
    value: PipelineDrill
    scratch: Path | None = None
    """The bench's folder, in which outputs that are files lie; without it they are not looked at."""
    _open: dict[str, Any] = field(default_factory=dict)
    _tables: dict[str, dict[str, Table]] = field(default_factory=dict)
    _digests: dict[tuple[str, Table, tuple[str, ...]], tuple[int, str]] = field(default_factory=dict)
    _files: dict[str, dict[str, Content]] = field(default_factory=dict)

    def connection(self, store: str, copy: str) -> Any:
        """The connection through which it looks at a copy of a store."""
        database = self.database(store, copy)
        if database not in self._open:
            self._open[database] = self.copies.connect(database)
            self._open[database].execute(_PATIENCE)
        return self._open[database]

    def close(self) -> None:
        """Let go of every database, so that it can be restored; any number of times."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def outputs(self, copy: str) -> dict[str, Table]:
        """The outputs that are there, by STORE.SCHEMA.TABLE."""
        return {name: table for name, table in self.tables(copy).items() if self._wanted(name)}

    def tables(self, copy: str) -> dict[str, Table]:
        """Every table of every store, whether it is an output or not."""
        if copy and copy in self._tables:
            return self._tables[copy]
        found: dict[str, Table] = {}
        for store in self.value.servers:
            for schema, name, columns, types in self.connection(store, copy).execute(_TABLES).fetchall():
                table = Table(store, schema, name, tuple(filter(None, columns)), tuple(filter(None, types)))
                found[table.words] = table
        self._tables[copy] = found
        return found

    def compare(self, golden: str, copy: str = "") -> list[Difference]:
        """What differs from the golden copy; nothing where the output is what it should be."""
        expected, found = self.tables(golden), self.tables(copy)
        differences = [Difference(name, ORPHAN, 1, TABLE) for name in found if name not in expected]
        for name, table in expected.items():
            if not self._wanted(name):
                continue
            if name not in found:
                differences.append(Difference(name, LOST, self.digest(golden, table)[0], TABLE))
            elif (found[name].columns, found[name].types) != (table.columns, table.types):
                differences.append(Difference(name, CHANGED, 1, COLUMNS))
            elif self.digest(golden, table) != self.digest(copy, table):
                differences += self._row_by_row(table, golden, copy)
        return [*differences, *self._compare_files(golden, copy)]

    def files(self, copy: str) -> dict[str, Content]:
        """The outputs that are files, by path, ``FOLDER/*.SUFFIX`` or ``PATH#TABLE``, and those that are tables of
        SQLite's and DuckDB's stores; a store that nobody can read is one by its name alone."""
        stores = self.value.embedded
        return {
            name: content
            for name, content in self._all_files(copy).items()
            if name in stores or name.partition(".")[0] not in stores or self._wanted(name)
        }

    def _all_files(self, copy: str) -> dict[str, Content]:
        if self.scratch is None or not (self.value.files or self.value.embedded):
            return {}
        if not copy:
            return self._read(self.scratch / "work", self.scratch)
        if copy not in self._files:
            self._files[copy] = self._read(self.scratch / "kept" / copy, self.scratch)
        return self._files[copy]

    def _read(self, folder: Path, aside: Path) -> dict[str, Content]:
        found = contents(folder, self.value.files, aside)
        for store, path in self.value.embedded.items():
            for name, content in contents(folder, [path], aside).items():
                table = name.removeprefix(path).removeprefix("#")
                # SQLite has no schemas but those of attached files, of which none lives on.
                table = f"main.{table}" if table and self.value.stores[store].type == "sqlite" else table
                found[f"{store}.{table}" if table else store] = content
        return found

    def _compare_files(self, golden: str, copy: str) -> list[Difference]:
        expected, found, known = self.files(golden), self._all_files(copy), self._all_files(golden)
        strange = {name: content for name, content in found.items() if name not in known}
        said = {
            name: (TORN, (content.unreadable,)) if content.unreadable else (ORPHAN, TABLE)
            for name, content in strange.items()
        }
        differences = [Difference(name, kind, 1, sample) for name, (kind, sample) in said.items()]
        # Of a database that nobody can read it is said once, and not of each of its tables.
        torn = tuple(name + sign for name, content in strange.items() if content.unreadable for sign in "#.")
        for name, content in expected.items():
            if name not in found and name.startswith(torn):
                continue
            if name not in found:
                differences.append(Difference(name, LOST, content.rows.total(), TABLE))
                continue
            if found[name].unreadable:
                differences.append(Difference(name, TORN, 1, (found[name].unreadable,)))
                continue
            columns = self.kept_columns(name, content.columns)
            if found[name].columns != content.columns or found[name].kinds_of(columns) != content.kinds_of(columns):
                differences.append(Difference(name, CHANGED, 1, COLUMNS))
            else:
                apart = told_apart(content.of(columns), found[name].of(columns))
                differences += [
                    Difference(name, kind, n, tuple(_shown(row) for row in rows)) for kind, (n, rows) in apart.items()
                ]
        return differences

    def digest(self, copy: str, table: Table, columns: Sequence[str] = ()) -> tuple[int, str]:
        """How many rows, and the sum of their hashes; of some columns, or all that are not ignored."""
        asked = (copy, table, tuple(columns or self.compared(table)))
        if not copy or asked not in self._digests:
            ((rows, total),) = self._ask(copy, table, _DIGEST, _row(asked[2]))
            self._digests[asked] = int(rows), str(total)
        return self._digests[asked]

    def compared(self, table: Table) -> list[str]:
        """The columns of a table that are not ignored."""
        return self.kept_columns(table.words, table.columns)

    def kept_columns(self, name: str, columns: Sequence[str]) -> list[str]:
        """Those of an output's columns that are not ignored."""
        ignored = {each for pattern, some in self.value.ignore.items() if fnmatchcase(name, pattern) for each in some}
        return [column for column in columns if column not in ignored]

    def randomness(self, one: str, other: str) -> dict[str, list[str]]:
        """Of two undisturbed runs: the outputs that differ, each with the columns that do by themselves."""
        found: dict[str, list[str]] = {}
        for difference in self.compare(one, other):
            first, second = (self.files(copy).get(difference.output) for copy in (one, other))
            if first is not None and second is not None and difference.kind != TORN:
                names = self.kept_columns(difference.output, first.columns)
                found[difference.output] = [name for name in names if first.of([name]) != second.of([name])]
                continue
            table = self.tables(one).get(difference.output)
            if table is None or difference.kind == ORPHAN:
                found.setdefault(difference.output, [])
                continue
            alone = [column for column in self.compared(table)
                     if self.digest(one, table, [column]) != self.digest(other, table, [column])]  # fmt: skip
            found[difference.output] = alone
        return found

    def by_reconcile(self, golden: str, table: Table) -> bool | None:
        """Whether ``chaosday diff`` finds the table as it is now equal to the golden one; None where it cannot say."""
        from chaosday.data.reconcile import diff
        from chaosday.data.reconcile.sql import ident
        from chaosday.data.reconcile.workspace import working_below

        ignored = frozenset(table.columns) - set(self.compared(table))
        with tempfile.TemporaryDirectory(dir=self.copies.folder) as folder:
            sides = [self.copies.address(self.database(table.store, copy)) for copy in (golden, "")]
            quoted = f"{ident(table.schema)}.{ident(table.name)}"
            output = Path(folder) / "differences.parquet"
            try:
                with working_below(Path(folder)):
                    result = diff(f"{sides[0]}#{quoted}", f"{sides[1]}#{quoted}", ignored=ignored, output=output)
            except ChaosdayError:
                return None
        return result.equal

    def database(self, store: str, copy: str) -> str:
        """The database in which a copy of a store is."""
        name = self.value.database_of(store)
        return self.copies.copy_of(name, copy) if copy else name

    def _wanted(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.value.outputs)

    def _row_by_row(self, table: Table, golden: str, copy: str) -> list[Difference]:
        expected, found = self._counted(golden, table), self._counted(copy, table)
        return [
            Difference(table.words, kind, rows, self._sample(golden if kind == LOST else copy, table, hashes))
            for kind, (rows, hashes) in told_apart(expected, found).items()
        ]

    def _counted(self, copy: str, table: Table) -> Counter[str]:
        words = "select h, count(*) from (select md5({}) h from {}) q group by h"
        return Counter(dict(self._ask(copy, table, words, _row(self.compared(table)))))

    def _sample(self, copy: str, table: Table, chosen: Sequence[str]) -> tuple[str, ...]:
        row = _row(self.compared(table))
        # No parameter: where one is given, every other % has to be doubled, and names may hold some.
        words = "select distinct left({}, 200) from {} where md5({}) = any({})"
        from psycopg import sql

        asked = sql.SQL(words).format(row, sql.Identifier(table.schema, table.name), row, sql.Literal(chosen))
        found = self.connection(table.store, copy).execute(asked).fetchall()
        return tuple(str(text) for (text,) in found)

    def _ask(self, copy: str, table: Table, words: str, row: Any) -> list[Any]:
        from psycopg import sql

        asked = sql.SQL(words).format(row, sql.Identifier(table.schema, table.name))
        rows: list[Any] = self.connection(table.store, copy).execute(asked).fetchall()
        return rows


def _shown(row: Sequence[str | None]) -> str:
    return ("(" + ",".join("" if value is None else value for value in row) + ")")[:200]


def _row(columns: Sequence[str]) -> Any:
    """A row as text, in which no two rows are the same that differ."""
    from psycopg import sql

    return sql.SQL("row({})::text").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
