"""The manifest of rows that are read here, such as a snapshot of a lake table: a piece for each bucket of keys.

Rows are hashed in their canonical form, so that files that were compacted, or partitioned in another way, are the
same manifest as long as they hold the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import xxhash

from chaosday.clock import Clock, SystemClock, iso
from chaosday.data.connections.waiting import Patience
from chaosday.data.manifest.tree import Header, Manifest, Piece, with_past
from chaosday.data.reconcile.buckets import KEYS_PER_BUCKET, MOST_BUCKETS
from chaosday.data.reconcile.cross import Source, open_source, reading_files
from chaosday.data.reconcile.forms import canonical_sql, register
from chaosday.data.reconcile.kinds import Common
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import listed, statement
from chaosday.data.reconcile.workspace import Workspace, room
from chaosday.errors import MalformedInput, UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FORM = "md5"
"""How rows' hashes make a bucket's: manifests of another form do not compare."""


def of_rows(
    side: Side,
    key: Sequence[str],
    *,
    previous: Manifest | None = None,
    clock: Clock | None = None,
    patience: Patience | None = None,
) -> Manifest:
    """Hash the rows of a side in buckets of their key's hash; a piece's size is its rows.

    The number of buckets is kept in the manifest, and taken over from ``previous``.
    """
    source = open_source(side, "left", patience or Patience())
    try:
        names = [field.name for field in source.fields]
        unknown = [name for name in key if name not in names]
        if unknown or not key:
            raise UsageError(
                f"the key names no column: {', '.join(unknown) or 'give --key'}; there are {', '.join(names)}"
            )
        lossy = [f"{field.name} is {field.loss}" for field in source.fields if field.loss]
        if lossy:
            raise MalformedInput(f"{side} is not read to its last digit: {'; '.join(lossy)}")
        buckets, found = _hashed(source, key, previous)
    finally:
        source.close()
    pieces = [
        with_past(
            Piece(
                f"hash of {', '.join(key)} in bucket {number} of {buckets}",
                rows,
                xxhash.xxh3_128_digest(f"{rows}:{low}:{high}".encode()),
            ),
            previous,
        )
        for number, rows, low, high in found
    ]
    columns = {field.name: field.type for field in source.fields}
    made_at = iso((clock or SystemClock()).wall_ns())
    return Manifest.build(
        Header("table", str(side), made_at, "bytes", f"hashed:0:{buckets - 1}:{FORM}", columns=columns), pieces
    )


def _hashed(source: Source, key: Sequence[str], previous: Manifest | None) -> tuple[int, list[tuple[int, ...]]]:
    with reading_files(), room(), Workspace() as workspace:
        register(workspace.database)
        relation = source.stage(workspace)
        texts = {
            field.name: canonical_sql(f"f{place}", field, Common(field.kind, tree=field.tree))
            for place, field in enumerate(source.fields)
        }
        database = workspace.database
        # A list as JSON tells NULL from 'null', and where one value ends and the next begins.
        hashes = [
            statement("to_json([{texts}])::varchar", texts=listed(texts[name] for name in names))
            for names in (key, sorted(texts))
        ]
        sql = "create table hashed as select md5_number_lower({k}) as k, md5_number({all}) as h from {relation}"
        database.execute(statement(sql, k=hashes[0], all=hashes[1], relation=relation))
        rows = _count(database)
        if source.expected_rows not in {None, rows}:
            raise MalformedInput(f"{source.expected_rows} rows are there, of which their reader made {rows}")
        buckets = _buckets(previous, rows)
        grouped = (
            "select k & {mask} as bucket, count(*), sum((h & 18446744073709551615)::hugeint)::varchar,"
            " sum((h >> 64)::hugeint)::varchar from hashed group by 1 order by 1"
        )
        return buckets, database.execute(statement(grouped, mask=str(buckets - 1))).fetchall()


def _count(database: DuckDBPyConnection) -> int:
    return int(database.execute("select count(*) from hashed").fetchall()[0][0])


def _buckets(previous: Manifest | None, rows: int) -> int:
    if previous is None:
        return min(MOST_BUCKETS, 1 << max(0, math.ceil(math.log2(max(rows, 1) / KEYS_PER_BUCKET))))
    how, _, rest = previous.header.cut.partition(":")
    mask, _, form = rest.removeprefix("0:").partition(":")
    if how != "hashed" or form != FORM or not mask.isdecimal():
        raise UsageError("the previous manifest is not one of a table's rows in today's form; make it again")
    return int(mask) + 1
