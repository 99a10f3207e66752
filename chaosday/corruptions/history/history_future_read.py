"""A read that shows what nobody had written yet."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.history_planting import Access, HistoryCorruption


class HistoryFutureRead(HistoryCorruption):
    """Shows a value whose write began after the read had ended."""

    kind: Literal["history_future_read"] = "history_future_read"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        found: list[tuple[Access, object]] = []
        for read, accesses in self.reads(history, rng, size):
            later = [a for a in accesses if a.write and a.status != "failed" and read.before(a)]
            if later and len(found) < size:
                found.append((read, later[int(rng.integers(len(later)))].value))
        return self.reread(evidence, history, found, size, "with a later write")
