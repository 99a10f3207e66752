"""A replica that holds nothing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import all_or_nothing
from chaosday.planting.table_planting import TableCorruption


class ReplicaRowsEmpty(TableCorruption):
    """Takes every row away."""

    kind: Literal["replica_rows_empty"] = "replica_rows_empty"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        all_or_nothing(size)
        table = self.table(evidence)
        self.choose(table, 1, rng)
        return self.planted(evidence, table.slice(0, 0), table[self.key].to_pylist())
