"""One bit of a value flipped, the checksum left as it was."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, pick, rows_at, with_cells

_BITS = 40


class ValueFlipped(LedgerCorruption):
    """Flips one low bit of the value, so that it stays within range and looks like any other."""

    kind: Literal["value_flipped"] = "value_flipped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "rows")
        rows = rows_at(table, at)
        flipped = [row["value"] ^ (1 << int(bit)) for row, bit in zip(rows, rng.integers(0, _BITS, size), strict=True)]
        return self.planted(evidence, with_cells(table, "value", at, flipped), [row["id"] for row in rows])
