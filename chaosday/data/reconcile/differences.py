"""Rows of two sides compared value by value, and the Parquet file that gets what differs.

Rows arrive as relations of canonical text in DuckDB, ``k0 k1 ...`` for the key and ``c0 c1 ...`` for
the rest, a chunk at a time; a key's rows are in the same chunk on both sides. Whole rows are set
against each other as multisets, so that equal rows cancel one for one and NULLs are
equal. Of what is left over, a key with one row on each side changed; any other was added or removed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chaosday.clock import Clock, SystemClock, iso
from chaosday.data.reconcile.options import DiffOptions
from chaosday.data.reconcile.result import DiffResult
from chaosday.data.reconcile.sql import free_names, ident, listed, literal, statement
from chaosday.data.reconcile.tolerance import within
from chaosday.errors import EvidenceUnwritable, UsageError
from chaosday.record.outputs import unwritable

if TYPE_CHECKING:
    import duckdb

SAMPLE = 20


class Differences:
    """Compares chunks, adds up what it finds in a result, and writes the rows that differ."""

    def __init__(self, database: duckdb.DuckDBPyConnection, result: DiffResult, options: DiffOptions) -> None:
        self.database = database
        self.result = result
        self.output = options.output
        self.keys = [f"k{i}" for i in range(len(result.key))]
        self.cells = [f"c{i}" for i in range(len(result.columns))]
        self.tolerances = dict(options.tolerances)
        if self.tolerances:
            from duckdb.func import SPECIAL

            database.create_function(
                "within_tolerance", within, ["VARCHAR", "VARCHAR", "VARCHAR"], "BOOLEAN", null_handling=SPECIAL
            )
        if self.output and not self.output.parent.is_dir():
            raise UsageError(f"there is no folder {self.output.parent} to write the differences to")
        self._make_table()

    def compare(self, left: str, right: str) -> int:
        """Compare one chunk of two relations; gives the number of differences in it."""
        both = listed([*self.keys, *self.cells])
        for name, relation in (("l_rows", left), ("r_rows", right)):
            self.database.execute(statement("create or replace temp table {n} as select {both} from {r}", n=name,
                                            both=both, r=relation))  # fmt: skip
        [(rows,)] = self._ask("select (select count(*) from l_rows) + (select count(*) from r_rows)")
        self.result.rows_fetched += rows
        if self.keys:
            self._count_duplicates()
        # Plain aggregates where set operations and joins would do: those touch 20 MB more of the engine.
        self.database.execute(
            statement(
                "create or replace temp table left_over as select {both}, sum(n)::int8 as n from"
                " (select {both}, 1 as n from l_rows union all select {both}, -1 from r_rows)"
                " group by {every} having sum(n) <> 0",
                both=both,
                every=listed(map(str, range(1, 1 + len(self.keys) + len(self.cells)))),
            )
        )
        self.database.execute("create or replace temp table found as from differences limit 0")
        self._find()
        self.database.execute("insert into differences select * from found")
        return self._add_up()

    def close(self) -> None:
        """Write the file: always where one was asked for, else only when something differs."""
        [(count,)] = self._ask("select count(*) from differences")
        path = self.output
        if path is None and count:
            path = _kept(SystemClock())
        if path is not None:
            _written(self.database, path)
            self.result.differences = str(path)

    def discard(self) -> None:
        """Forget everything found so far: the chunks have to be read again."""
        self._make_table()
        result = self.result
        result.added = result.removed = result.changed = result.rows_fetched = 0
        result.duplicate_keys = result.duplicate_keys_left = result.duplicate_keys_right = 0
        for collected in (result.changed_columns, result.sample_keys, result.duplicate_sample):
            collected.clear()

    def _make_table(self) -> None:
        fixed = ["difference", "changed_columns"]
        cells = free_names((f"{side}_{name}" for name in self.result.columns for side in ("left", "right")), fixed)
        ours = {name.lower() for name in (*fixed, *cells)}
        self.key_names = free_names((f"key_{name}" if name.lower() in ours else name for name in self.result.key), ours)
        columns = ["difference varchar", *(f"{ident(name)} varchar" for name in self.key_names)]
        columns += ["changed_columns varchar[]", *(f"{ident(name)} varchar" for name in cells)]
        self.database.execute(f"create or replace table differences ({listed(columns)})")

    def _ask(self, sql: str) -> list[tuple[int, ...]]:
        return self.database.execute(sql).fetchall()

    def _count_duplicates(self) -> None:
        key = listed(self.keys)
        twice = "select {key}, count(*) from {rows} group by {key} having count(*) > 1"
        counted = [
            self._ask(statement("select count(*) from ({d})", d=statement(twice, key=key, rows=rows)))[0][0]
            for rows in ("l_rows", "r_rows")
        ]
        if not any(counted):
            return
        self.result.duplicate_keys_left += counted[0]
        self.result.duplicate_keys_right += counted[1]
        sides = (statement(twice, key=key, rows=rows) for rows in ("l_rows", "r_rows"))
        union = " union ".join(statement("select {key} from ({d})", key=key, d=side) for side in sides)
        found = self.database.execute(union).fetchall()
        self.result.duplicate_keys += len(found)
        room = SAMPLE - len(self.result.duplicate_sample)
        self.result.duplicate_sample += [_shown(row) for row in found[:room]]

    def _find(self) -> None:
        if not self.keys:
            self._insert_repeated("left_over")
            return
        key = listed(self.keys)
        # A row's cells as one list: expressions of a column each would take a time that grows with their square.
        self.database.execute(
            statement(
                "create or replace temp table by_key as select {key}, sum(greatest(n, 0)) as nl, sum(greatest(-n, 0))"
                " as nr, first(cells) filter (n > 0) as l, first(cells) filter (n < 0) as r"
                " from (select {key}, n, [{cells}]::varchar[] as cells from left_over) group by {key}",
                key=key,
                cells=listed(self.cells),
            )
        )
        self.database.execute(
            statement(
                "insert into found select case when nl = 0 then 'added' when nr = 0 then 'removed' else 'changed' end,"
                " {key}, d{cells} from"
                " (select *, case when nl = 1 and nr = 1 then {differs} else [] end as d from by_key"
                " where nl <= 1 and nr <= 1) where not (nl = 1 and nr = 1 and len(d) = 0)",
                key=key,
                differs=self._differing(),
                cells="".join(f", l[{number}], r[{number}]" for number, _ in enumerate(self.cells, 1)),
            )
        )
        if self._ask("select count(*) from by_key where nl > 1 or nr > 1")[0][0]:
            same = " and ".join(f"b.{k} is not distinct from s.{k}" for k in self.keys)
            several = f"left_over s where exists (from by_key b where (nl > 1 or nr > 1) and {same})"
            self._insert_repeated(several)

    def _insert_repeated(self, source: str) -> None:
        """Rows that cannot be paired, each as often as it is there."""
        cells = "".join(f", case when n > 0 then {c} end, case when n < 0 then {c} end" for c in self.cells)
        self.database.execute(
            statement(
                "insert into found select {word}{keys}, []{cells} from (select *, unnest(range(abs(n))) from {source})",
                word="case when n > 0 then 'removed' else 'added' end",
                keys="".join(f", {k}" for k in self.keys),
                cells=cells,
                source=source,
            )
        )

    def _differing(self) -> str:
        """The names of the columns that differ by more than their tolerance, as a list."""
        names = f"[{listed(literal(name) for name in self.result.columns)}]::varchar[]"
        if not self.tolerances:
            return statement("list_filter({names}, lambda name, i: l[i] is distinct from r[i])", names=names)
        allowed = (self.tolerances.get(name) for name in self.result.columns)
        limits = listed("null" if one is None else literal(repr(one)) for one in allowed)
        # Python is asked about what differs and has a tolerance, and about nothing else: a call costs much.
        return statement(
            "list_filter({names}, lambda name, i: case when l[i] is not distinct from r[i] then false"
            " when {limit} is null then true else not within_tolerance(l[i], r[i], {limit}) end)",
            names=names,
            limit=f"([{limits}]::varchar[])[i]",
        )

    def _add_up(self) -> int:
        result = self.result
        total = 0
        for kind, count in self.database.execute("select difference, count(*) from found group by 1").fetchall():
            setattr(result, kind, getattr(result, kind) + count)
            total += count
        counted = "select unnest(changed_columns) as c, count(*) from found group by 1"
        for name, count in self.database.execute(counted).fetchall():
            result.changed_columns[name] = result.changed_columns.get(name, 0) + count
        room = SAMPLE - len(result.sample_keys)
        if total and room > 0 and result.key:
            keys = listed(ident(name) for name in self.key_names)
            rows = self.database.execute(
                statement("select {keys} from differences limit {n}", keys=keys, n=SAMPLE)
            ).fetchall()
            result.sample_keys[:] = [_shown(row) for row in rows]
        return total


def _kept(clock: Clock) -> Path:
    """A new place for rows that differ, among the runs, where nobody but us looks and everybody clears."""
    # It brings Arrow with it, whose import takes as long as the rest of a short comparison.
    from chaosday.record.run_directory import runs_root

    folder = runs_root() / "diffs"
    moment = iso(clock.wall_ns()).replace(":", "").replace("-", "").partition(".")[0]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder / f"{moment}-{secrets.token_hex(3)}.parquet"


def _written(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    """The file appears whole, and readable to its owner only: rows are somebody's data."""
    import duckdb

    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.writing")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        template = "copy differences to {path} (format parquet, compression zstd, use_tmp_file false)"
        database.execute(statement(template, path=literal(str(partial))))
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    except duckdb.IOException as error:
        raise EvidenceUnwritable(f"{path} cannot be written: {str(error).splitlines()[0][:200]}") from None
    finally:
        partial.unlink(missing_ok=True)


def _shown(key: Sequence[str | None]) -> str:
    return ", ".join("NULL" if value is None else value for value in key)
