"""A read that shows what nobody ever wrote."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import to_json
from chaosday.planting.history_planting import Access, HistoryCorruption


class HistoryPhantomRead(HistoryCorruption):
    """Shows a value that is in no operation of the history."""

    kind: Literal["history_phantom_read"] = "history_phantom_read"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        whole = not isinstance(history.table["result"].drop_null()[0].as_py(), str)
        written = history.table["value"].drop_null().to_pylist()
        first = max(written) + 1 if whole else 0
        found: list[tuple[Access, object]] = []
        for read, _ in self.reads(history, rng, size):
            if len(found) < size:
                stray = first + len(found)
                found.append((read, stray if whole else to_json(f"phantom {stray}")))
        return self.reread(evidence, history, found, size, "that saw a value")
