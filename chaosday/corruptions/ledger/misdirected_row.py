"""One row's content written over another's."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, pick, rows_at, with_cells


class MisdirectedRow(LedgerCorruption):
    """Writes version, value and checksum of one row under the id of another: a write gone to the wrong place.

    Equivalent where source and destination are the same row twice.
    """

    kind: Literal["misdirected_row"] = "misdirected_row"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = rng.permutation(pick(rng, table.num_rows, 2 * size, "rows"))
        sources, places = rows_at(table, at[:size]), at[size:]
        hit = rows_at(table, places)
        damaged = table
        for column in ("version", "value", "checksum"):
            damaged = with_cells(damaged, column, places, [row[column] for row in sources])
        same = [row["id"] for row, source in zip(hit, sources, strict=True) if row["id"] == source["id"]]
        return self.planted(evidence, damaged, [row["id"] for row in hit], same)
