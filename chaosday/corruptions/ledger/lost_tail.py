"""The newest rows gone: what a failover to a replica that lagged leaves behind."""

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


class LostTail(LedgerCorruption):
    """Takes away the rows that were inserted last. Equivalent where nothing about a row was acknowledged."""

    kind: Literal["lost_tail"] = "lost_tail"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        pick(rng, table.num_rows, size, "rows")
        newest = np.argpartition(table["position"].to_numpy(), table.num_rows - size)[table.num_rows - size :]
        ids = ids_of(table, newest)
        same = [key for key, tried in attempts_of(evidence.history(), ids).items() if not acknowledged_version(tried)]
        return self.planted(evidence, without(table, rows_with(table, ids)), ids, same)
