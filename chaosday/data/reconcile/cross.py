"""Any engine against any other: canonical text in DuckDB, hashed in buckets, joined where they differ.

A database's rows are staged once, in a snapshot, in a DuckDB file of ours (files are read where they
are); memory is limited and what does not fit spills. Buckets are compared by the sum of their rows'
hashes, which counts how often a row is there; only buckets that differ, or hold a key twice, are
compared row by row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile.differences import Differences
from chaosday.data.reconcile.forms import canonical_sql, register
from chaosday.data.reconcile.kinds import Field, common_kind
from chaosday.data.reconcile.options import DiffOptions, Pair, pair_columns
from chaosday.data.reconcile.result import DiffResult
from chaosday.data.reconcile.sides import LAKES, Side
from chaosday.data.reconcile.sql import listed, statement
from chaosday.data.reconcile.workspace import Workspace, room
from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    import duckdb

BUCKETS = 1 << 14
BUCKETS_PER_CHUNK = 256
BLIND = ["two different rows whose 64-bit hashes are equal by chance (about 5e-20 for each bucket that differs)"]


class Source(Protocol):
    """One side's rows, as of one moment."""

    label: str
    fields: list[Field]
    notes: list[str]
    expected_rows: int | None

    def stage(self, workspace: Workspace) -> str:
        """Bring the rows where DuckDB can read them; the relation, with a column ``f0``, ``f1`` ... for each field."""

    def changed(self) -> bool:
        """Whether the rows were written to since they were staged."""

    def close(self) -> None:
        """Let go of the snapshot."""


def open_source(side: Side, label: str, patience: Patience) -> Source:
    """The source for a side's engine; imported only when asked for."""
    if side.engine in LAKES:
        from chaosday.data.reconcile.sources.lake import LakeSource

        return LakeSource(side, label)
    return _of_files(side, label) if side.engine in {"duckdb", "s3", "file"} else _of_server(side, label, patience)


def _of_server(side: Side, label: str, patience: Patience) -> Source:
    """Of what is asked by a client, and may make it wait."""
    if side.engine == "postgresql":
        from chaosday.data.reconcile.sources.postgresql import PostgresSource

        return PostgresSource(side, label, patience)
    if side.engine == "mysql":
        from chaosday.data.reconcile.sources.mysql import MysqlSource

        return MysqlSource(side, label, patience)
    from chaosday.data.reconcile.sources.sqlite import SqliteSource

    return SqliteSource(side, label, patience)


def _of_files(side: Side, label: str) -> Source:
    if side.engine == "duckdb":
        from chaosday.data.reconcile.sources.duckdb_file import DuckdbSource

        return DuckdbSource(side, label)
    if side.engine == "s3":
        from chaosday.data.reconcile.sources.s3 import S3Source

        return S3Source(side, label)
    from chaosday.data.reconcile.sources.files import FileSource

    return FileSource(side, label)


def diff_across(left: Side, right: Side, options: DiffOptions) -> DiffResult:
    """Compare two sides of any engines by their canonical rows."""
    with reading_files(), room(), contextlib.ExitStack() as stack:
        sources = []
        for side, label in ((left, "left"), (right, "right")):
            sources.append(open_source(side, label, options.patience))
            stack.callback(sources[-1].close)
        workspace = stack.enter_context(Workspace())
        register(workspace.database)
        relations = [source.stage(workspace) for source in sources]
        names = [[field.name for field in source.fields] for source in sources]
        keys, others = pair_columns(names[0], names[1], options)
        result = DiffResult(
            left=str(left),
            right=str(right),
            mode="exact",
            key=[pair.left for pair in keys],
            columns=[pair.left for pair in others],
            blind_to=list(BLIND),
            notes=[*options.stated(), *sources[0].notes, *sources[1].notes],
        )
        if options.fast:
            result.notes.append("--fast is for PostgreSQL against PostgreSQL only: compared exactly")
        views = _canonical_views(workspace.database, sources, relations, (keys, others), result)
        _compare(workspace.database, views, result, options)
        _count_checked(sources, result)
        for source in sources:
            if source.changed():
                result.reasons.append(
                    f"the {source.label} side changed during the comparison: stop its writers, then run it again"
                )
        return result


def _count_checked(sources: Sequence[Source], result: DiffResult) -> None:
    for source, rows in zip(sources, (result.rows_left, result.rows_right), strict=True):
        if source.expected_rows not in {None, rows}:
            raise MalformedInput(
                f"the {source.label} side has {source.expected_rows} records, of which its reader made {rows} rows"
            )


def _canonical_views(
    database: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    relations: Sequence[str],
    pairs: tuple[list[Pair], list[Pair]],
    result: DiffResult,
) -> list[str]:
    """Make ``left_rows`` and ``right_rows``: k0 ..., c0 ..., and the bucket and hash of each row."""
    columns: list[list[str]] = [[], []]
    places = [{field.name: number for number, field in enumerate(source.fields)} for source in sources]
    for letter, some in zip("kc", pairs, strict=True):
        for number, pair in enumerate(some):
            at = places[0][pair.left], places[1][pair.right]
            fields = [source.fields[place] for source, place in zip(sources, at, strict=True)]
            common = common_kind(*fields)
            result.notes += [common.note] if common.note else []
            for source, side, field, place in zip(sources, columns, fields, at, strict=True):
                side.append(f"{canonical_sql(f'f{place}', field, common)} as {letter}{number}")
                if field.loss and common.kind != "verbatim":
                    result.reasons.append(f"the {source.label} side's {field.name} is {field.loss}")
    for source, relation, expressions in zip(sources, relations, columns, strict=True):
        database.execute(
            statement(
                "create or replace table {label}_rows as select *, hash({key}) % {buckets} as bucket,"
                " hash(hash({all})) as h from (select {expressions} from {relation})",
                label=source.label,
                key=listed(f"k{i}" for i in range(len(pairs[0]))) or listed(f"c{i}" for i in range(len(pairs[1]))),
                all=listed([*(f"k{i}" for i in range(len(pairs[0]))), *(f"c{i}" for i in range(len(pairs[1])))]),
                buckets=BUCKETS,
                expressions=listed(expressions),
                relation=relation,
            )
        )
    return [f"{source.label}_rows" for source in sources]


def _compare(
    database: duckdb.DuckDBPyConnection, views: Sequence[str], result: DiffResult, options: DiffOptions
) -> None:
    counted = [database.execute(statement("select count(*) from {v}", v=view)).fetchall()[0][0] for view in views]
    result.rows_left, result.rows_right = counted
    bad = _bad_buckets(database, views, keyed=bool(result.key))
    differences = Differences(database, result, options)
    for first in range(0, len(bad), BUCKETS_PER_CHUNK):
        some = listed(map(str, bad[first : first + BUCKETS_PER_CHUNK]))
        template = "(select * from {v} where bucket in ({some}))"
        differences.compare(*(statement(template, v=view, some=some) for view in views))
    differences.close()


def _bad_buckets(database: duckdb.DuckDBPyConnection, views: Sequence[str], *, keyed: bool) -> list[int]:
    summed = "select bucket, count(*) as n, sum(h::hugeint) as s from {v} group by 1"
    sides = [statement(summed, v=view) for view in views]
    sql = statement(
        "select coalesce(l.bucket, r.bucket) from ({l}) l full join ({r}) r on l.bucket = r.bucket"
        " where l.n is distinct from r.n or l.s is distinct from r.s",
        l=sides[0],
        r=sides[1],
    )
    if keyed:
        keys = database.execute(statement("select * from {v} limit 0", v=views[0])).description or []
        key = listed(name for name, *_ in keys if name.startswith("k"))
        twice = "select distinct bucket from (select bucket from {v} group by bucket, {key} having count(*) > 1)"
        sql = f"{sql} union {statement(twice, v=views[0], key=key)}"
    return sorted(row[0] for row in database.execute(sql).fetchall())


@contextlib.contextmanager
def reading_files() -> Iterator[None]:
    """Inside, what DuckDB cannot read of a file is one line."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        # What Parquet's own decoder meets (Thrift, a buffer that ends) comes without a class of its own.
        known = (duckdb.OperationalError, duckdb.DataError, duckdb.InvalidInputException)
        if not isinstance(error, known) and type(error) is not duckdb.Error:
            raise
        raise MalformedInput(f"a file cannot be read: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """The first line of what a library said."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
