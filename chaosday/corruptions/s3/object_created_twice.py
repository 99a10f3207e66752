"""A condition that was not kept: two clients both made the same object."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import FAILED, OK
from chaosday.planting.object_planting import ObjectCorruption
from chaosday.planting.planting import pick


class ObjectCreatedTwice(ObjectCorruption):
    """Lets refused creations have been acknowledged: If-None-Match that the store forgot."""

    kind: Literal["object_created_twice"] = "object_created_twice"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = evidence.history()
        self.rows(evidence)
        statuses, keys, creates = history.statuses(), history.integers("key"), history.is_f("create")
        made = keys[creates & (statuses == OK)]
        refused = np.flatnonzero(creates & (statuses == FAILED) & np.isin(keys, made))
        _, first = np.unique(keys[refused], return_index=True)
        at = pick(rng, refused[first], size, "keys of which a creation was refused")
        changed = statuses.copy()
        changed[at] = OK
        return Planted(evidence.replaced(history=history.with_column("status", changed)), frozenset(keys[at].tolist()))
