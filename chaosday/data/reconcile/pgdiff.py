"""PostgreSQL against PostgreSQL: hash in the databases, fetch the buckets that differ, compare them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chaosday.data.reconcile.buckets import (
    NULL_BUCKET,
    BadBuckets,
    Buckets,
    Hasher,
    bad_buckets,
    choose_cut,
    hash_both,
)
from chaosday.data.reconcile.cells import Cell, plan_cell
from chaosday.data.reconcile.differences import Differences
from chaosday.data.reconcile.options import DiffOptions, Pair, pair_columns
from chaosday.data.reconcile.postgres import PostgresSide
from chaosday.data.reconcile.result import DiffResult
from chaosday.data.reconcile.rows import RowsMissing, TextRows
from chaosday.data.reconcile.sql import ident, listed, statement
from chaosday.errors import UsageError

ROWS_PER_CHUNK = 10_000
MEMORY_MB = 256
# Beyond this many buckets one sequential scan is cheaper than looking each of them up.
MOST_RANGES = 4_000
EXACT_BLIND = ["two different rows whose 64-bit hashes are equal by chance (about 5e-20 for each bucket that differs)"]


def diff_postgres(left: PostgresSide, right: PostgresSide, options: DiffOptions) -> DiffResult:
    """Compare two PostgreSQL sides, each in its own repeatable-read snapshot."""
    marks = [side.wal_position() for side in (left, right)]
    _same_encoding(left, right)
    keys, others = pair_columns([c.name for c in left.columns], [c.name for c in right.columns], options)
    key_cells = _cells(left, right, keys, fast=False)
    cells = _cells(left, right, others, fast=options.fast)
    result = _result(left, right, options, key_cells, cells)
    cut = choose_cut(left, right, [(pair.left, pair.right) for pair in keys], multiset=not keys)
    hashers = [
        Hasher(side, [pair.left if side is left else pair.right for pair in keys], cells, cut, key_cells)
        for side in (left, right)
    ]
    buckets = hash_both(*hashers)
    result.rows_left, result.rows_right = (side.total for side in buckets)
    bad = bad_buckets(*buckets)
    # A table's change shows in its rows' xmin; only a view or query needs its buckets again.
    seen = [None if hasher.side.is_plain_table else own for hasher, own in zip(hashers, buckets, strict=True)]
    del buckets
    _fetch_and_compare(hashers, bad, [*key_cells, *cells], result, options)
    for hasher, mark, before in zip(hashers, marks, seen, strict=True) if not options.moments else ():
        _note_changes(hasher, mark, before, result)
    return result


def _cells(left: PostgresSide, right: PostgresSide, pairs: Sequence[Pair], *, fast: bool) -> list[Cell]:
    return [
        plan_cell(number, left.column(pair.left), right.column(pair.right), fast=fast)
        for number, pair in enumerate(pairs, 1)
    ]


def _result(
    left: PostgresSide, right: PostgresSide, options: DiffOptions, keys: Sequence[Cell], cells: Sequence[Cell]
) -> DiffResult:
    blind = sorted({cell.blind_to for cell in cells if cell.blind_to}) if options.fast else []
    notes = [f"types differ, values compared: {cell.note}" for cell in (*keys, *cells) if cell.note]
    return DiffResult(
        left=str(left.side),
        right=str(right.side),
        mode="fast" if options.fast else "exact",
        key=[cell.name for cell in keys],
        columns=[cell.name for cell in cells],
        blind_to=[*blind, *EXACT_BLIND],
        notes=[*options.stated(), *notes],
    )


def _fetch_and_compare(
    hashers: Sequence[Hasher], bad: BadBuckets, cells: Sequence[Cell], result: DiffResult, options: DiffOptions
) -> None:
    if not len(bad.number) and options.output is None:
        return
    from chaosday.data.reconcile.workspace import Workspace, room

    by_range = len(bad.number) <= MOST_RANGES and all(_can_range(hasher) for hasher in hashers)
    with room(), Workspace(MEMORY_MB, threads=1) as workspace:
        differences = Differences(workspace.database, result, options)
        fetch = _Fetch(hashers, bad, cells, workspace.path)
        try:
            unexplained = fetch.compare(differences, by_range)
        except RowsMissing:
            # The heap holds rows that the index does not lead to, which is damage of its own.
            result.notes.append("an index does not lead to every row of its table: run amcheck on it")
            differences.discard()
            unexplained = _without_index(fetch, differences, result)
        differences.close()
    if unexplained and not options.tolerances:
        result.reasons.append(f"{unexplained} runs of buckets hash differently though their rows read the same as text")


def _without_index(fetch: _Fetch, differences: Differences, result: DiffResult) -> int:
    try:
        return fetch.compare(differences, by_range=False)
    except RowsMissing:
        result.reasons.append("a side gave other rows than it counted, in one snapshot: check its pages (pg_amcheck)")
        return 0


@dataclass(frozen=True)
class _Fetch:
    """The rows of the bad buckets of both sides, read in step."""

    hashers: Sequence[Hasher]
    bad: BadBuckets
    cells: Sequence[Cell]
    scratch: Path

    def compare(self, differences: Differences, by_range: bool) -> int:
        """Compare them chunk by chunk; gives the number of chunks in which nothing was found."""
        names = [*differences.keys, *differences.cells]
        streams = [self._stream(hasher, names, by_range) for hasher in self.hashers]
        unexplained = 0
        try:
            for first, last in _chunks(self.bad):
                counts = [int(rows[first:last].sum()) for rows in (self.bad.rows_left, self.bad.rows_right)]
                before = differences.result.duplicate_keys
                found = differences.compare(*(stream.take(n) for stream, n in zip(streams, counts, strict=True)))
                unexplained += not found and differences.result.duplicate_keys == before
            if not all(stream.finished() for stream in streams):
                raise RowsMissing
        finally:
            for stream in streams:
                stream.drain()
        return unexplained

    def _stream(self, hasher: Hasher, names: Sequence[str], by_range: bool) -> TextRows:
        texts = [cell.left_text if hasher.left else cell.right_text for cell in self.cells]
        pieces: Iterator[bytes] = iter(())
        if len(self.bad.number):
            sql = _rows_sql(hasher, self.bad.number, dict(zip(names, texts, strict=True)), by_range)
            pieces = hasher.side.copied(sql, "format csv, force_quote *")
        return TextRows(pieces, names, self.scratch / f"{hasher.side.label}.csv")


def _chunks(bad: BadBuckets) -> Iterator[tuple[int, int]]:
    """Runs of bad buckets of about ``ROWS_PER_CHUNK`` rows on both sides together."""
    ends = np.cumsum(bad.rows_left + bad.rows_right)
    first = 0
    while first < len(ends):
        start = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, start + ROWS_PER_CHUNK)))
        yield first, last
        first = last


def _can_range(hasher: Hasher) -> bool:
    name = hasher.key_names[0] if hasher.cut.how == "dense" else ""
    return bool(name) and hasher.side.indexed(name)


def _rows_sql(hasher: Hasher, numbers: np.typing.NDArray[np.int64], columns: dict[str, str], by_range: bool) -> str:
    side = hasher.side
    wanted = listed([f"{text} as {ident(name)}" for name, text in columns.items()])
    array = "'{" + ",".join(map(str, numbers)) + "}'::int8[]"
    side.execute(f"set local enable_sort = on; set local enable_indexscan = {'on' if by_range else 'off'}")
    side.execute(f"set local enable_seqscan = {'off' if by_range else 'on'}")
    if not by_range:
        return statement(
            "select {wanted} from {relation} t where {bucket} = any({array}) order by {bucket}",
            wanted=wanted,
            relation=side.relation,
            bucket=hasher.bucket(),
            array=array,
        )
    shift = hasher.cut.shift
    key = hasher.keys[0]
    plain = [number for number in numbers if number != NULL_BUCKET]
    array = "'{" + ",".join(map(str, plain)) + "}'::int8[]"
    ranged = statement(
        "select {wanted}, r.chaosday_bucket from unnest({array}) r(chaosday_bucket) join {relation} t"
        " on {key} >= r.chaosday_bucket << {shift} and {key} <= (r.chaosday_bucket << {shift}) + {width}",
        wanted=wanted,
        array=array,
        relation=side.relation,
        key=key,
        shift=shift,
        width=(1 << shift) - 1,
    )
    if len(plain) < len(numbers):
        null = "select {wanted}, {b}::int8 from {relation} t where {key} is null"
        null = statement(null, wanted=wanted, b=NULL_BUCKET, relation=side.relation, key=key)
        ranged = f"{ranged} union all {null}"
    template = "select {names} from ({ranged}) g order by chaosday_bucket"
    return statement(template, names=listed(map(ident, columns)), ranged=ranged)


def _same_encoding(left: PostgresSide, right: PostgresSide) -> None:
    """Text is hashed as the server's bytes; the hash function has to be the same one, too."""
    probe = "select getdatabaseencoding(), hashtextextended('chaosday', 1), hashint8extended(-3, 7)"
    said = [side.query(probe) for side in (left, right)]
    if said[0] != said[1]:
        raise UsageError(
            f"the servers hash differently (encodings {said[0][0][0]} and {said[1][0][0]}): compare with --pull"
        )


def _note_changes(hasher: Hasher, mark: str, seen: Buckets | None, result: DiffResult) -> None:
    """Was this side written to since its snapshot? Then the two sides are not of one moment.

    No WAL since then proves that nothing was. Otherwise a table is asked for rows that the snapshot
    could not see and for its count; a view or query is hashed again.
    """
    side = hasher.side
    if side.wal_position() == mark:
        return
    snapshot = side.snapshot
    side.renew_snapshot()
    if seen is None:
        count, newer = side.rows_written_since(snapshot)
        changed = bool(newer) or count != (result.rows_left if hasher.left else result.rows_right)
    else:
        changed = not hasher.run().agrees(seen)
    if changed:
        result.reasons.append(
            f"the {side.label} side changed during the comparison: stop its writers, then run it again"
        )
