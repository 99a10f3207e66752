"""An acknowledged row that is gone."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import (
    LedgerCorruption,
    acknowledged_version,
    attempts_of,
    ids_of,
    pick,
    rows_with,
    without,
)


class RowDeleted(LedgerCorruption):
    """Takes rows away. Equivalent where nothing about the row was acknowledged: it need not be there."""

    kind: Literal["row_deleted"] = "row_deleted"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        ids = ids_of(table, pick(rng, table.num_rows, size, "rows"))
        same = [key for key, tried in attempts_of(evidence.history(), ids).items() if not acknowledged_version(tried)]
        return self.planted(evidence, without(table, rows_with(table, ids)), ids, same)
