"""Rows that arrive as tuples of text, put into a DuckDB table a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.sql import listed
from chaosday.data.reconcile.workspace import Workspace


def stage_rows(
    workspace: Workspace, label: str, fields: Sequence[Field], batches: Iterable[Sequence[tuple[Any, ...]]]
) -> str:
    """Stage batches of rows (text, bytes or None in each place); gives the relation of ``f0``, ``f1`` ..."""
    import pyarrow as pa

    kinds = [pa.binary() if field.kind == "bytes" and field.raw == "native" else pa.string() for field in fields]
    types = ["blob" if kind == pa.binary() else "varchar" for kind in kinds]
    table = f"{label}_staged"
    columns = listed(f"f{number} {kind}" for number, kind in enumerate(types))
    workspace.database.execute(f"create table {table} ({columns})")
    for batch in batches:
        arrays = [pa.array(column, kind) for column, kind in zip(zip(*batch, strict=True), kinds, strict=True)]
        workspace.database.register("arriving", pa.table(arrays, names=[f"c{i}" for i in range(len(fields))]))
        workspace.database.execute(f"insert into {table} from arriving")
        workspace.database.unregister("arriving")
    return table
