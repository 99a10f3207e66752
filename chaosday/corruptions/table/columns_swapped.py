"""Two columns of one type exchanged within a row."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import with_cells
from chaosday.planting.table_planting import TableCorruption


class ColumnsSwapped(TableCorruption):
    """Exchanges the values of two columns of the same type: a load that trusted the order of columns.

    Equivalent where a row holds the same in both.
    """

    kind: Literal["columns_swapped"] = "columns_swapped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        names = self.columns(table, lambda _: True, "anything")
        kind = {name: table.schema.field(name).type for name in names}
        pairs = [(a, b) for a in names for b in names if a < b and kind[a] == kind[b]]
        if not pairs:
            raise NotApplicable("no two columns are of one type")
        first, second = pairs[int(rng.integers(len(pairs)))]
        at = self.choose(table, size, rng)
        left, right = (table[name].take(at).to_pylist() for name in (first, second))
        damaged = with_cells(with_cells(table, first, at, right), second, at, left)
        keys = self.keys_at(table, at)
        same = [key for key, a, b in zip(keys, left, right, strict=True) if repr(a) == repr(b)]
        return self.planted(evidence, damaged, keys, same)
