"""A replica that stops before the end."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import without
from chaosday.planting.table_planting import TableCorruption


class ReplicaSuffixMissing(TableCorruption):
    """Takes away the rows with the highest keys: the replica never got the last of them."""

    kind: Literal["replica_suffix_missing"] = "replica_suffix_missing"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        self.choose(table, size, rng)
        order = np.argsort(table[self.key].to_numpy(zero_copy_only=False), kind="stable")
        last = order[len(order) - size :]
        return self.planted(evidence, without(table, last), self.keys_at(table, last))
