"""An older content of an object, whole and valid."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.object_planting import ObjectCorruption, positions, sure
from chaosday.planting.planting import pick, with_cells


class ObjectStale(ObjectCorruption):
    """Puts the acknowledged content before the last one back: a restore of an old copy."""

    kind: Literal["object_stale"] = "object_stale"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, owed = self.rows(evidence), sure(evidence.history())
        older = {key: values[-2] for key, values in owed.items() if len(values) > 1 and values[-1] and values[-2]}
        there = np.intersect1d(table["key"].to_numpy(), list(older))
        keys = pick(rng, there, size, "objects that were overwritten")
        at = positions(table, keys)
        values = [older[key] for key in table["key"].to_numpy()[at].tolist()]
        return self.planted(evidence, with_cells(table, "value", at, values), keys)
