"""A value that became NULL."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, ids_of, pick, with_cells


class ValueNull(LedgerCorruption):
    """Sets the value to NULL, as a failed conversion does."""

    kind: Literal["value_null"] = "value_null"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "rows")
        return self.planted(evidence, with_cells(table, "value", at, [None] * size), ids_of(table, at))
