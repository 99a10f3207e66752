"""A replica that holds something else under the same key."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class ReplicaRowDiverged(TableCorruption):
    """Lowers a whole number by one, so that it stays in range and looks like any other."""

    kind: Literal["replica_row_diverged"] = "replica_row_diverged"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        return self.change_cells(
            evidence, size, rng, pa.types.is_integer, lambda old: None if old is None else old - 1, "a whole number"
        )
