"""A read that shows a write which provably failed."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.history_planting import Access, HistoryCorruption


class HistoryFailedRead(HistoryCorruption):
    """Shows the value of a write that was refused: a dirty read."""

    kind: Literal["history_failed_read"] = "history_failed_read"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        found: list[tuple[Access, object]] = []
        for read, accesses in self.reads(history, rng, size):
            failed = [a for a in accesses if a.write and a.status == "failed"]
            if failed and len(found) < size:
                found.append((read, failed[int(rng.integers(len(failed)))].value))
        return self.reread(evidence, history, found, size, "of a register with a failed write")
