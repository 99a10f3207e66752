"""The manifest of a PostgreSQL table: one piece for each range of keys."""

from __future__ import annotations

from collections.abc import Sequence

import xxhash

from chaosday.clock import Clock, SystemClock, iso
from chaosday.data.connections.waiting import Patience
from chaosday.data.manifest.tree import Header, Manifest, Piece, with_past
from chaosday.data.reconcile.buckets import NULL_BUCKET, Cut, Hasher, choose_cut
from chaosday.data.reconcile.cells import key_text, plan_cell, seeded
from chaosday.data.reconcile.postgres import PostgresSide
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import free_names, ident, listed, statement
from chaosday.errors import UsageError

FORM = "sum"
"""How rows' hashes make a range's: manifests of another form do not compare."""


def of_table(
    side: Side,
    key: Sequence[str],
    *,
    previous: Manifest | None = None,
    clock: Clock | None = None,
    patience: Patience | None = None,
) -> Manifest:
    """Hash a table in its database, exactly, in ranges of its key (or of the key's hash).

    A piece's size is its rows. The cut into ranges is kept in the manifest, and taken over from
    ``previous``, because only manifests of the same cut can be compared.
    """
    if side.engine != "postgresql":
        raise UsageError("a table's manifest is made in PostgreSQL; for another engine make a diff")
    store = PostgresSide(side, "left", patience)
    try:
        names = [column.name for column in store.columns]
        unknown = [name for name in key if name not in names]
        if unknown or not key:
            raise UsageError(
                f"the key names no column: {', '.join(unknown) or 'give --key'}; there are {', '.join(names)}"
            )
        cut = _cut(previous.header.cut) if previous else choose_cut(store, store, [(name, name) for name in key], False)
        ranges = store.query(_ranges_sql(store, key, cut))
    finally:
        store.close()
    pieces = [
        with_past(
            Piece(_name(int(number), cut, key), int(rows), xxhash.xxh3_128_digest(f"{rows}:{digest}".encode())),
            previous,
        )
        for number, rows, digest in ranges
    ]
    made_at = iso((clock or SystemClock()).wall_ns())
    columns = {column.name: column.type for column in store.columns}
    cut_text = f"{cut.how}:{cut.shift}:{cut.mask}:{FORM}"
    header = Header("table", str(side), made_at, "bytes", cut_text, columns=columns)
    return Manifest.build(header, pieces)


def _ranges_sql(store: PostgresSide, key: Sequence[str], cut: Cut) -> str:
    """Number, rows and hash of each range.

    Rows' hashes are added up, not XORed: two equal rows would cancel, and (5, x) twice look like (5, y)
    twice. Columns are numbered by name, so that a table whose columns stand in another order hashes the
    same; a row's key is hashed as a whole, so that a NULL in it leaves the other values in sight.
    """
    names = [column.name for column in store.columns]
    [hashed] = free_names(["chaosday_key"], names)
    cells = [plan_cell(0, store.column(name), store.column(name), fast=False) for name in sorted(set(names) - set(key))]
    row = " # ".join([f"t.{hashed}", *(seeded(cell.left, f"(t.{hashed} # {i})") for i, cell in enumerate(cells, 1))])
    whole = statement(
        'hashtextextended({text} collate pg_catalog."C", 0)', text=key_text([f"t.{ident(name)}" for name in key])
    )
    return statement(
        "select {bucket}, count(*), sum({row})::text from"
        " (select {whole} as {hashed}, {columns} from {relation} t offset 0) t group by 1 order by 1",
        bucket=Hasher(store, key, [], cut).bucket(),
        row=row,
        whole=whole,
        hashed=hashed,
        columns=listed(f"t.{ident(name)}" for name in names),
        relation=store.relation,
    )


def _name(number: int, cut: Cut, key: Sequence[str]) -> str:
    if cut.how != "dense":
        return f"hash of {', '.join(key)} in bucket {number} of {cut.mask + 1}"
    if number == NULL_BUCKET:
        return f"{key[0]} is null"
    return f"{key[0]} from {number << cut.shift} to {((number + 1) << cut.shift) - 1}"


def _cut(text: str) -> Cut:
    how, _, rest = text.partition(":")
    numbers, _, form = rest.rpartition(":")
    shift, _, mask = numbers.partition(":")
    if how not in {"dense", "hashed"} or form != FORM or not (shift.isdecimal() and mask.isdecimal()):
        raise UsageError("the previous manifest is not one of a table in today's form; make it again")
    return Cut("dense" if how == "dense" else "hashed", int(shift), int(mask))
