"""Buckets of rows: hashed where the data is, so that only those that differ have to travel.

Two ways to cut. *Dense*: one whole-number key with few gaps; a bucket is 64 neighbouring keys
(``key >> 6``), the OR of ``1 << (key & 63)`` proves that its keys are distinct, and bad buckets are
fetched through the index. *Hashed*: any other key; a bucket is the low bits of the key's hash, and a
second pass over the left side looks for keys that occur twice. Where both sides' buckets agree they
hold the same rows, so that looking on one side is enough.

Without a key a row is its own key and equal rows are normal: then hashes are summed, not XORed.

The planner's traps: it takes ``key >> 6`` for nearly unique, expects as many groups as rows and sorts
them on disk (``enable_sort=off``, ``hash_mem_multiplier``), and compiles for seconds (``jit=off``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from chaosday.data.reconcile.cells import Cell, key_text, seeded
from chaosday.data.reconcile.postgres import Column, PostgresSide
from chaosday.data.reconcile.sql import free_names, ident, listed, literal, statement

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEYS_PER_BUCKET = 64
MOST_BUCKETS = 1 << 16
# A quarter of the slots of a bucket filled, on average, is dense enough for fetching by range.
LEAST_DENSITY = 1 / 8
NULL_BUCKET = -(2**63)
_ROW = np.dtype(
    [("n", ">i2"), ("l0", ">i4"), ("bucket", ">i8"), ("l1", ">i4"), ("rows", ">i8"), ("l2", ">i4"), ("hash", ">i8"),
     ("l3", ">i4"), ("distinct", "i1")]
)  # fmt: skip
_HEADER_BYTES, _TRAILER_BYTES = 19, 2


@dataclass(frozen=True)
class Cut:
    """How rows fall into buckets: by ``key >> shift``, or by ``hash & mask``."""

    how: Literal["dense", "hashed", "multiset"]
    shift: int = 6
    mask: int = 0


@dataclass(frozen=True)
class Buckets:
    """One side's buckets in ascending order: number, rows, hash, and whether its keys are proved distinct."""

    number: NDArray[np.int64]
    rows: NDArray[np.int64]
    hash: NDArray[np.int64]
    distinct: NDArray[np.bool_]

    @property
    def total(self) -> int:
        """Rows in all."""
        return int(self.rows.sum())

    def agrees(self, other: Buckets) -> bool:
        """Whether two readings of the same side are the same."""
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in ("number", "rows", "hash"))


@dataclass(frozen=True)
class BadBuckets:
    """Buckets that have to be looked at, with the rows that each side has in them."""

    number: NDArray[np.int64]
    rows_left: NDArray[np.int64]
    rows_right: NDArray[np.int64]


class Hasher:
    """The hash pass over one side: what it asks, and how the answer is read."""

    def __init__(
        self, side: PostgresSide, keys: Sequence[str], cells: Sequence[Cell], cut: Cut, key_cells: Sequence[Cell] = ()
    ) -> None:
        self.side = side
        self.cut = cut
        self.left = side.label == "left"
        self.key_names = list(keys)
        self.keys = [f"t.{ident(name)}" for name in keys]
        # Where the types of a key differ, its columns are hashed as the text in which they are compared.
        mixed = any(cell.note for cell in key_cells)
        self.key_texts = [cell.left_text if self.left else cell.right_text for cell in key_cells] if mixed else []
        self.cells = [cell.left if self.left else cell.right for cell in cells]
        self.texts = [cell.left_text if self.left else cell.right_text for cell in cells]

    def bucket(self) -> str:
        """The expression for a row's bucket."""
        if self.cut.how == "dense":
            return f"coalesce(({self.keys[0]} >> {self.cut.shift})::int8, {NULL_BUCKET})"
        return f"({self.row_hash()} & {self.cut.mask})"

    def row_hash(self) -> str:
        """The hash of a key or, without one, of the whole row."""
        if self.cut.how == "multiset":
            text = key_text(self.texts)
        elif len(self.keys) == 1 and not self.key_texts and self._key_column().base in {"text", "varchar"}:
            text = self.keys[0] if self._key_column().not_null else f"coalesce('=' || {self.keys[0]}, '')"
        else:
            text = key_text(self.key_texts or self.keys)
        hashed = statement('hashtextextended({text} collate pg_catalog."C", 0)', text=text)
        # NOT NULL in the catalogue is a promise: a row whose key breaks it has to be in a bucket, too.
        return f"coalesce({hashed}, {NULL_BUCKET})"

    def _key_column(self) -> Column:
        return self.side.column(self.key_names[0])

    def run(self) -> Buckets:
        """Hash this side; one scan of it."""
        return _read(
            self.side, {"dense": self._dense, "hashed": self._hashed, "multiset": self._multiset}[self.cut.how]()
        )

    def suspects(self) -> NDArray[np.int64]:
        """Buckets with a key that occurs more than once, for cuts that cannot prove it on the way."""
        sql = statement(
            "select distinct k & {mask} from (select {k} as k from {relation} t group by 1 having count(*) > 1) d",
            mask=self.cut.mask,
            k=self.row_hash(),
            relation=self.side.relation,
        )
        return np.array([row[0] for row in self.side.query(sql)], dtype=np.int64)

    def _dense(self) -> str:
        key = self.keys[0]
        # A seed is mixed in as thoroughly as the value, so that key and column number need no hash of their own.
        cells = [seeded(cell, f"({key} # {i << 48}::int8)") for i, cell in enumerate(self.cells, 1)]
        # NULL for a key that is NULL, whatever the catalogue says of it: such rows are one group, which is never
        # proved distinct, and so always compared row by row. Asking of groups and not of rows what is NULL is quick.
        row = " # ".join([f"hashint8extended({key}, 0)", *cells])
        # Keys are proved distinct on the left alone; the right needs no finer groups for it.
        fine = self.cut.shift <= 6 or not self.left
        mask = f"bit_or(1::int8 << ({key} & 63)::int4)" if self.left else "null::int8"
        inner = statement(
            "select {bucket} as b, count(*) as n, bit_xor({row}) as h, {mask} as m from {relation} t group by 1",
            bucket=f"({key} >> {self.cut.shift if fine else 6})::int8",
            row=row,
            mask=mask,
            relation=self.side.relation,
        )
        distinct = "bit_count(m::bit(64)) = n" if self.left else "true"
        outer = f"coalesce({'b' if fine else f'b >> {self.cut.shift - 6}'}, {NULL_BUCKET})"
        template = (
            "select {outer}, n, coalesce(h, 0), coalesce({d}, false) from ({inner}) g"
            if fine
            else "select {outer}, sum(n)::int8, coalesce(bit_xor(h), 0), bool_and(coalesce({d}, false))"
            " from ({inner}) g group by 1"
        )
        return statement(template, outer=outer, d=distinct, inner=inner)

    def _hashed(self) -> str:
        # OFFSET 0 keeps the planner from copying the key's hash into every cell and doing it again there.
        names = [column.name for column in self.side.columns]
        [key] = free_names(["chaosday_key"], names)
        cells = listed([f"{self.row_hash()} as {key}", *(f"t.{ident(name)}" for name in names)])
        row = " # ".join([key, *(seeded(cell, f"({key} # {i})") for i, cell in enumerate(self.cells, 1))])
        return statement(
            "select {k} & {mask}, count(*), bit_xor({row}), true from (select {cells} from {relation} t offset 0) t"
            " group by 1",
            k=key,
            mask=self.cut.mask,
            row=row,
            cells=cells,
            relation=self.side.relation,
        )

    def _multiset(self) -> str:
        return statement(
            "select k & {mask}, count(*), (sum(k) % 9223372036854775783)::int8, true"
            " from (select {k} as k from {relation} t offset 0) t group by 1",
            mask=self.cut.mask,
            k=self.row_hash(),
            relation=self.side.relation,
        )


def choose_cut(left: PostgresSide, right: PostgresSide, keys: Sequence[tuple[str, str]], multiset: bool) -> Cut:
    """Dense where the key allows it, hashed otherwise; the same for both sides."""
    rows = max(left.estimated_rows(), right.estimated_rows(), 1)
    mask = 1
    while mask < min(rows // KEYS_PER_BUCKET, MOST_BUCKETS):
        mask <<= 1
    hashed = Cut("multiset" if multiset else "hashed", mask=mask - 1)
    if multiset or len(keys) != 1:
        return hashed
    sides = ((left, keys[0][0]), (right, keys[0][1]))
    if any(side.column(name).base not in {"int2", "int4", "int8"} for side, name in sides):
        return hashed
    bounds = [bound for side, name in sides for bound in _bounds(side, name) if bound is not None]
    if not bounds:
        return Cut("dense")
    span = max(bounds) - min(bounds) + 1
    if rows < span * LEAST_DENSITY and span > KEYS_PER_BUCKET * KEYS_PER_BUCKET:
        return hashed
    return Cut("dense", shift=max(6, (span // MOST_BUCKETS).bit_length()))


def _bounds(side: PostgresSide, name: str) -> tuple[int | None, int | None]:
    [(low, high)] = side.query(
        statement(
            "select min({k})::int8, max({k})::int8 from {relation} t", k=f"t.{ident(name)}", relation=side.relation
        )
    )
    return low, high


def hash_both(left: Hasher, right: Hasher) -> tuple[Buckets, Buckets]:
    """Hash both sides at the same time.

    A server on this machine shares its processors with the other side's: more parallel workers than
    processors only make more partial groups to merge.
    """
    for hasher in (left, right):
        if hasher.side.is_local:
            import os

            spare = max(0, (os.cpu_count() or 1) // 2 - 1)
            hasher.side.execute(f"set local max_parallel_workers_per_gather = {spare}")
        hasher.side.execute(f"set local enable_indexscan = {literal('off')}")
        hasher.side.execute(f"set local enable_indexonlyscan = {literal('off')}")
        hasher.side.execute(f"set local enable_bitmapscan = {literal('off')}")
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(hasher.run) for hasher in (left, right)]
        suspects = np.zeros(0, np.int64)
        buckets = jobs[0].result()
        if left.cut.how == "hashed":
            suspects = left.suspects()
        other = jobs[1].result()
    if suspects.size:
        buckets = Buckets(buckets.number, buckets.rows, buckets.hash, ~np.isin(buckets.number, suspects))
    return buckets, other


def bad_buckets(left: Buckets, right: Buckets) -> BadBuckets:
    """Buckets that differ in rows or hash, are on one side only, or hold a key twice."""
    if not np.array_equal(left.number, right.number):
        number = np.union1d(left.number, right.number)
        left, right = _spread(left, number), _spread(right, number)
    bad = (left.rows != right.rows) | (left.hash != right.hash)
    bad |= ~(left.distinct & right.distinct)
    return BadBuckets(left.number[bad], left.rows[bad], right.rows[bad])


def _spread(side: Buckets, number: NDArray[np.int64]) -> Buckets:
    """The same buckets with empty ones between, so that both sides have the same numbers."""
    at = np.searchsorted(number, side.number)
    rows, hashed = np.zeros((2, len(number)), np.int64)
    distinct = np.ones(len(number), np.bool_)
    rows[at], hashed[at], distinct[at] = side.rows, side.hash, side.distinct
    return Buckets(number, rows, hashed, distinct)


def _read(side: PostgresSide, sql: str) -> Buckets:
    """Every column has a fixed width in binary COPY, so the answer is an array as it comes."""
    data = bytearray()
    for piece in side.copied(sql, "format binary"):
        data += piece
    table = np.frombuffer(data, dtype=_ROW, count=(len(data) - _HEADER_BYTES - _TRAILER_BYTES) // _ROW.itemsize,
                          offset=_HEADER_BYTES)  # fmt: skip
    order = np.argsort(table["bucket"].astype(np.int64), kind="stable")
    number, rows, hashed = (table[name].astype(np.int64)[order] for name in ("bucket", "rows", "hash"))
    return Buckets(number, rows, hashed, table["distinct"].astype(np.bool_)[order])
