"""The values of one column exchanged between rows."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import pick, with_cells
from chaosday.planting.table_planting import TableCorruption


class CellsSwapped(TableCorruption):
    """Exchanges a value within pairs of rows, so that every sum and every set stays as it was.

    ``size`` is the number of pairs. Equivalent where both hold the same value.
    """

    kind: Literal["cells_swapped"] = "cells_swapped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        column = str(rng.choice(self.columns(table, lambda _: True, "anything")))
        at = rng.permutation(pick(rng, table.num_rows, 2 * size, "rows"))
        held = table[column].take(at).to_pylist()
        other = [held[n ^ 1] for n in range(2 * size)]
        keys = self.keys_at(table, at)
        same = [key for key, mine, twin in zip(keys, held, other, strict=True) if repr(mine) == repr(twin)]
        return self.planted(evidence, with_cells(table, column, at, other), keys, same)
