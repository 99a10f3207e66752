"""A row with columns of two versions."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, updated_rows, with_cells


class TornRow(LedgerCorruption):
    """Keeps version and checksum of the present version beside the value of the one before.

    Equivalent where both versions hold the same value.
    """

    kind: Literal["torn_row"] = "torn_row"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at, rows, before, _ = updated_rows(table, evidence.history(), size, rng)
        same = [row["id"] for row, attempt in zip(rows, before, strict=True) if row["value"] == attempt.value]
        damaged = with_cells(table, "value", at, [attempt.value for attempt in before])
        return self.planted(evidence, damaged, [row["id"] for row in rows], same)
