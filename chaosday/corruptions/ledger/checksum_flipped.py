"""A stored checksum damaged, the content intact."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, pick, rows_at, with_cells


class ChecksumFlipped(LedgerCorruption):
    """Flips one bit of the stored checksum."""

    kind: Literal["checksum_flipped"] = "checksum_flipped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "rows")
        rows = rows_at(table, at)
        sums = [row["checksum"] ^ (1 << int(bit)) for row, bit in zip(rows, rng.integers(0, 62, size), strict=True)]
        return self.planted(evidence, with_cells(table, "checksum", at, sums), [row["id"] for row in rows])
