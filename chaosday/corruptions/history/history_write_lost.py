"""A write that was read, and is missing from the record."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.history_planting import HistoryCorruption, writer_of


class HistoryWriteLost(HistoryCorruption):
    """Drops acknowledged writes that an acknowledged read saw; the damaged operations are all their reads."""

    kind: Literal["history_write_lost"] = "history_write_lost"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        dropped: set[int] = set()
        keys: set[int | str] = set()
        for read, accesses in self.reads(history, rng, size):
            write = writer_of(read, accesses)
            if write is None or write.index in dropped or len(dropped) == size:
                continue
            dropped.add(write.index)
            keys |= {a.index for a in accesses if not a.write and a.status == "ok" and a.value == write.value}
        if len(dropped) < size:
            raise NotApplicable(f"{len(dropped)} writes that were read, {size} are needed")
        keep = ~np.isin(history.integers("index"), list(dropped))
        return Planted(evidence.replaced(history=history.where(keep)), frozenset(keys))
