"""A row that is there twice."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, ids_of, pick, rows_with


class RowDuplicated(LedgerCorruption):
    """Adds exact copies. Equivalent where the row was there twice already."""

    kind: Literal["row_duplicated"] = "row_duplicated"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "rows")
        ids = ids_of(table, at)
        present = ids_of(table, rows_with(table, ids))
        damaged = pa.concat_tables([table, table.take(pa.array(at))])
        return self.planted(evidence, damaged, ids, [key for key in ids if present.count(key) > 1])
