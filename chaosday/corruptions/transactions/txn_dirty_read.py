"""A read that saw an element nobody appended."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.transaction_planting import Mops, TransactionCorruption


class TxnDirtyRead(TransactionCorruption):
    """Puts an element that no transaction wrote at the end of lists that were read."""

    kind: Literal["txn_dirty_read"] = "txn_dirty_read"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        found: dict[int, Mops] = {}
        for place, mops in self.shuffled(history, rng):
            seen = [n for n, (f, _, value) in enumerate(mops) if f == "r" and isinstance(value, list) and value]
            if seen and len(found) < size and all(isinstance(one, int) for one in mops[seen[0]][2]):
                f, key, value = mops[seen[0]]
                found[place] = [*mops[: seen[0]], [f, key, [*value, -1 - len(found)]], *mops[seen[0] + 1 :]]
        if len(found) < size:
            raise NotApplicable(f"{len(found)} transactions that read lists of whole numbers, {size} are needed")
        return self.reanswered(evidence, found)
