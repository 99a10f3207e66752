"""A replica with a hole."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import without
from chaosday.planting.table_planting import TableCorruption


class ReplicaGap(TableCorruption):
    """Takes away a run of rows next to each other by key, somewhere."""

    kind: Literal["replica_gap"] = "replica_gap"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        self.choose(table, size, rng)
        order = np.argsort(table[self.key].to_numpy(zero_copy_only=False), kind="stable")
        first = int(rng.integers(len(order) - size + 1))
        hole = order[first : first + size]
        return self.planted(evidence, without(table, hole), self.keys_at(table, hole))
