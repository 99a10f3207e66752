"""Everything loaded twice."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, all_or_nothing, pick


class BatchDoubled(LedgerCorruption):
    """Appends the whole batch to itself: a retried load without an idempotency key."""

    kind: Literal["batch_doubled"] = "batch_doubled"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        all_or_nothing(size)
        table = self.rows(evidence)
        pick(rng, table.num_rows, 1, "rows")
        return self.planted(evidence, pa.concat_tables([table, table]), table["id"].to_pylist())
