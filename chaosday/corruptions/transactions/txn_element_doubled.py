"""A list that was read with one element twice."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.transaction_planting import Mops, TransactionCorruption


class TxnElementDoubled(TransactionCorruption):
    """Repeats the last element of lists that were read: an append applied twice."""

    kind: Literal["txn_element_doubled"] = "txn_element_doubled"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        found: dict[int, Mops] = {}
        for place, mops in self.shuffled(history, rng):
            seen = [n for n, (f, _, value) in enumerate(mops) if f == "r" and isinstance(value, list) and value]
            if seen and len(found) < size:
                f, key, value = mops[seen[0]]
                found[place] = [*mops[: seen[0]], [f, key, [*value, value[-1]]], *mops[seen[0] + 1 :]]
        if len(found) < size:
            raise NotApplicable(f"{len(found)} transactions that read lists with anything in them, {size} are needed")
        return self.reanswered(evidence, found)
