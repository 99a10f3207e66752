"""A row that nobody wrote."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.clients.ledger import rows_table
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, new_ids


class PhantomRow(LedgerCorruption):
    """Adds whole rows with valid checksums under the next free ids of the last writer."""

    kind: Literal["phantom_row"] = "phantom_row"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        ids = new_ids(table, evidence.history(), size)
        values = rng.integers(0, 1 << 40, size)
        last = int(np.max(table["position"].to_numpy(), initial=0))
        added = rows_table(
            {"id": ids, "version": [1] * size, "value": values, "position": np.arange(last + 1, last + 1 + size)}
        )
        return self.planted(evidence, pa.concat_tables([table, added.cast(table.schema)]), ids)
