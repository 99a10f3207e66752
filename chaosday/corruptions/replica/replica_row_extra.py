"""A replica with rows that the store does not have."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import with_cells
from chaosday.planting.table_planting import TableCorruption


class ReplicaRowExtra(TableCorruption):
    """Copies rows under keys of their own: writes that reached the replica alone."""

    kind: Literal["replica_row_extra"] = "replica_row_extra"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        copied = table.take(pa.array(self.choose(table, size, rng)))
        if pa.types.is_integer(table.schema.field(self.key).type):
            # Below every key there is: above them could be what the replica has yet to receive.
            first = min([0, *table[self.key].to_pylist()]) - size
            strays: list[int | str] = list(range(first, first + size))
        else:
            strays = [f"{key} stray {n}" for n, key in enumerate(copied[self.key].to_pylist())]
        added = with_cells(copied, self.key, np.arange(size), strays)
        return self.planted(evidence, pa.concat_tables([table, added]), strays)
