"""A value that became NULL."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import with_cells
from chaosday.planting.table_planting import TableCorruption


class CellNull(TableCorruption):
    """Puts NULL in the place of a value: a conversion that failed in silence. Equivalent where it was NULL."""

    kind: Literal["cell_null"] = "cell_null"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        column = str(rng.choice(self.columns(table, lambda _: True, "anything")))
        at = self.choose(table, size, rng)
        before = table[column].take(at).to_pylist()
        keys = self.keys_at(table, at)
        same = [key for key, old in zip(keys, before, strict=True) if old is None]
        return self.planted(evidence, with_cells(table, column, at, [None] * size), keys, same)
