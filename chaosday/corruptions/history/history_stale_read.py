"""A read that shows what had been overwritten."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.history_planting import Access, HistoryCorruption, overwritten


class HistoryStaleRead(HistoryCorruption):
    """Shows a value whose successor was written and acknowledged before the read began. Inside the window
    in which they overlap an older value would be legal, so only what the clock orders is used."""

    kind: Literal["history_stale_read"] = "history_stale_read"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        found: list[tuple[Access, object]] = []
        for read, accesses in self.reads(history, rng, size):
            old = [a for a in accesses if a.write and a.status == "ok" and overwritten(a, read, accesses)]
            if old and len(found) < size:
                found.append((read, old[int(rng.integers(len(old)))].value))
        return self.reread(evidence, history, found, size, "with an older value that had been overwritten")
