"""Two readers that saw two writes in opposite orders."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.transaction_planting import TransactionCorruption


class TxnLongFork(TransactionCorruption):
    """Adds, for each of ``size`` pairs of fresh keys, two writes and two readers between which neither order
    of the writes explains both: what a replica shows that applies commits in an order of its own."""

    kind: Literal["txn_long_fork"] = "txn_long_fork"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        lists = self.lists(history)
        write, one = ("append", [1]) if lists else ("w", 1)
        nothing: list[int] | None = [] if lists else None
        keys = self.fresh(history, 2 * size)
        forked, after = [], []
        for x, y in zip(keys[::2], keys[1::2], strict=True):
            forked += [[[write, x, 1]], [[write, y, 1]]]
            forked += [[["r", x, one], ["r", y, nothing]], [["r", x, nothing], ["r", y, one]]]
            after += [[["r", x, one], ["r", y, one]]]
        return self.added(evidence, [forked, after])
