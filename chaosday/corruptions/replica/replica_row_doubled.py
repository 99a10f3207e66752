"""A replica that holds rows twice."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class ReplicaRowDoubled(TableCorruption):
    """Adds exact copies: a change applied twice."""

    kind: Literal["replica_row_doubled"] = "replica_row_doubled"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        at = self.choose(table, size, rng)
        return self.planted(evidence, pa.concat_tables([table, table.take(pa.array(at))]), self.keys_at(table, at))
