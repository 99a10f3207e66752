"""An acknowledged object that is gone."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.object_planting import ObjectCorruption, positions, sure
from chaosday.planting.planting import pick, without


class ObjectLost(ObjectCorruption):
    """Takes away objects whose last acknowledged write stored them."""

    kind: Literal["object_lost"] = "object_lost"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, owed = self.rows(evidence), sure(evidence.history())
        there = np.intersect1d(table["key"].to_numpy(), [key for key, values in owed.items() if values[-1]])
        keys = pick(rng, there, size, "objects that are surely owed")
        return self.planted(evidence, without(table, positions(table, keys)), keys)
