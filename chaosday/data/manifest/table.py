"""The manifest of a PostgreSQL table: one piece for each range of keys."""

from __future__ import annotations

from collections.abc import Sequence

import xxhash

from chaosday.clock import Clock, SystemClock, iso
from chaosday.data.manifest.tree import Header, Manifest, Piece, with_past
from chaosday.data.reconcile.buckets import NULL_BUCKET, Cut, Hasher, choose_cut
from chaosday.data.reconcile.cells import plan_cell
from chaosday.data.reconcile.postgres import PostgresSide
from chaosday.data.reconcile.sides import Side
from chaosday.errors import UsageError


def of_table(
    side: Side, key: Sequence[str], *, previous: Manifest | None = None, clock: Clock | None = None
) -> Manifest:
    """Hash a table in its database, exactly, in ranges of its key (or of the key's hash).

    A piece's size is its rows. The cut into ranges is kept in the manifest, and taken over from
    ``previous``, because only manifests of the same cut can be compared.
    """
    if side.engine != "postgresql":
        raise UsageError("a table's manifest is made in PostgreSQL; for another engine make a diff")
    store = PostgresSide(side, "left")
    try:
        names = [column.name for column in store.columns]
        unknown = [name for name in key if name not in names]
        if unknown or not key:
            raise UsageError(
                f"the key names no column: {', '.join(unknown) or 'give --key'}; there are {', '.join(names)}"
            )
        cut = _cut(previous.header.cut) if previous else choose_cut(store, store, [(name, name) for name in key], False)
        cells = [
            plan_cell(number, store.column(name), store.column(name), fast=False)
            for number, name in enumerate((name for name in names if name not in key), 1)
        ]
        hasher = Hasher(store, key, cells, cut)
        buckets = hasher.run()
    finally:
        store.close()
    pieces = [
        with_past(
            Piece(_name(int(number), cut, key), int(rows), xxhash.xxh3_128_digest(f"{rows}:{digest}".encode())),
            previous,
        )
        for number, rows, digest in zip(buckets.number, buckets.rows, buckets.hash, strict=True)
    ]
    header = Header(
        "table", str(side), iso((clock or SystemClock()).wall_ns()), "bytes", f"{cut.how}:{cut.shift}:{cut.mask}"
    )
    return Manifest.build(header, pieces)


def _name(number: int, cut: Cut, key: Sequence[str]) -> str:
    if cut.how != "dense":
        return f"hash of {', '.join(key)} in bucket {number} of {cut.mask + 1}"
    if number == NULL_BUCKET:
        return f"{key[0]} is null"
    return f"{key[0]} from {number << cut.shift} to {((number + 1) << cut.shift) - 1}"


def _cut(text: str) -> Cut:
    how, shift, mask = text.split(":")
    if how not in {"dense", "hashed"}:
        raise UsageError("the previous manifest is not one of a table")
    return Cut("dense" if how == "dense" else "hashed", int(shift), int(mask))
