"""A column that slipped by one row."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import pick, with_cells
from chaosday.planting.table_planting import TableCorruption


class ColumnShifted(TableCorruption):
    """Moves the values of one column down by one row, over a run of ``size + 1`` rows; the last one
    comes up to the top. Equivalent where a row gets the value that it had."""

    kind: Literal["column_shifted"] = "column_shifted"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        column = str(rng.choice(self.columns(table, lambda _: True, "anything")))
        pick(rng, table.num_rows, size + 1, "rows")
        first = int(rng.integers(table.num_rows - size))
        at = np.arange(first, first + size + 1)
        held = table[column].take(at).to_pylist()
        moved = [held[-1], *held[:-1]]
        keys = self.keys_at(table, at)
        same = [key for key, old, new in zip(keys, held, moved, strict=True) if repr(old) == repr(new)]
        return self.planted(evidence, with_cells(table, column, at, moved), keys, same)
