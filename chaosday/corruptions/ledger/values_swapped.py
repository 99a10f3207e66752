"""The values of two rows exchanged."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, pick, rows_at, with_cells


class ValuesSwapped(LedgerCorruption):
    """Exchanges the values within pairs of rows; every column keeps the same set of values.

    ``size`` is the number of pairs. Equivalent where both hold the same value.
    """

    kind: Literal["values_swapped"] = "values_swapped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = rng.permutation(pick(rng, table.num_rows, 2 * size, "rows"))
        rows = rows_at(table, at)
        other = [rows[number ^ 1] for number in range(2 * size)]
        same = [row["id"] for row, twin in zip(rows, other, strict=True) if row["value"] == twin["value"]]
        damaged = with_cells(table, "value", at, [twin["value"] for twin in other])
        return self.planted(evidence, damaged, [row["id"] for row in rows], same)
