"""Another value with a checksum that fits it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, attempts_of, checksum_of, may_hold, pick, rows_at, with_cells


class ValueForged(LedgerCorruption):
    """Replaces the value and recomputes the checksum: only the history can tell.

    Equivalent where another attempt that may have happened wrote that very value.
    """

    kind: Literal["value_forged"] = "value_forged"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "rows")
        rows = [
            row | {"value": row["value"] + int(step)}
            for row, step in zip(rows_at(table, at), rng.integers(1, 1000, size), strict=True)
        ]
        tried = attempts_of(evidence.history(), [row["id"] for row in rows])
        damaged = with_cells(table, "value", at, [row["value"] for row in rows])
        damaged = with_cells(damaged, "checksum", at, [checksum_of(row) for row in rows])
        same = [row["id"] for row in rows if may_hold(tried[row["id"]], row["version"], row["value"])]
        return self.planted(evidence, damaged, [row["id"] for row in rows], same)
