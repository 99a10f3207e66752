"""Nothing read back at all."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.ledger import operations
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK
from chaosday.planting.planting import LedgerCorruption, all_or_nothing, pick


class BatchEmpty(LedgerCorruption):
    """Takes every row away: the batch that most expectations pass on."""

    kind: Literal["batch_empty"] = "batch_empty"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        all_or_nothing(size)
        table, ops = self.rows(evidence), operations(evidence.history())
        pick(rng, table.num_rows, 1, "rows")
        acknowledged = np.intersect1d(ops.key[ops.status == OK], table["id"].to_numpy())
        return self.planted(evidence, table.slice(0, 0), acknowledged.tolist())
