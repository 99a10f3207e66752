"""Two transactions that both read the same state and both wrote it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.transaction_planting import TransactionCorruption


class TxnLostUpdate(TransactionCorruption):
    """Adds, for each of ``size`` fresh keys, two overlapping read-modify-writes of the same first state
    and a read of what came of them (Berenson and others, SIGMOD 1995: P4)."""

    kind: Literal["txn_lost_update"] = "txn_lost_update"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        lists = self.lists(history)
        write = "append" if lists else "w"
        nothing: list[int] | None = [] if lists else None
        keys = self.fresh(history, size)
        both = [[["r", key, nothing], [write, key, value]] for key in keys for value in (1, 2)]
        after = [[["r", key, [1, 2] if lists else 2]] for key in keys]
        return self.added(evidence, [both, after])
