"""An object whose bytes are not what was written."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.object_content import DAMAGED
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.object_planting import ObjectCorruption, positions, sure
from chaosday.planting.planting import pick, with_cells


class ObjectDamaged(ObjectCorruption):
    """Makes the bodies of objects ones that are not what they say."""

    kind: Literal["object_damaged"] = "object_damaged"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, owed = self.rows(evidence), sure(evidence.history())
        there = np.intersect1d(table["key"].to_numpy(), [key for key, values in owed.items() if values[-1]])
        keys = pick(rng, there, size, "objects that are surely owed")
        at = positions(table, keys)
        return self.planted(evidence, with_cells(table, "value", at, [DAMAGED] * len(at)), keys)
