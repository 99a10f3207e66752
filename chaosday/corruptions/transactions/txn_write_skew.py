"""Two transactions that each read what the other one wrote over."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.transaction_planting import TransactionCorruption


class TxnWriteSkew(TransactionCorruption):
    """Adds, for each of ``size`` pairs of fresh keys, two overlapping transactions that read one key and write
    the other. Not promised: snapshot isolation allows it, and only serializability rules it out."""

    kind: Literal["txn_write_skew"] = "txn_write_skew"
    promised: ClassVar[bool] = False

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        lists = self.lists(history)
        write = "append" if lists else "w"
        nothing: list[int] | None = [] if lists else None
        keys = self.fresh(history, 2 * size)
        skewed, after = [], []
        for x, y in zip(keys[::2], keys[1::2], strict=True):
            skewed += [[["r", x, nothing], [write, y, 1]], [["r", y, nothing], [write, x, 1]]]
            after += [[["r", x, [1] if lists else 1], ["r", y, [1] if lists else 1]]]
        return self.added(evidence, [skewed, after])
