"""An acknowledged operation that is missing from the record."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, attempts_of, may_hold, pick, rows_at


class HistoryDropped(LedgerCorruption):
    """Drops every operation that may have written the row as it stands: the recorder lost what the
    store kept. Equivalent where what remains still allows the row."""

    kind: Literal["history_dropped"] = "history_dropped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, history = self.rows(evidence), evidence.history()
        rows = rows_at(table, pick(rng, table.num_rows, size, "rows"))
        tried = attempts_of(history, [row["id"] for row in rows])
        dropped, same = set(), []
        for row in rows:
            writers = {a.index for a in tried[row["id"]] if may_hold([a], row["version"], row["value"])}
            left = [a for a in tried[row["id"]] if a.index not in writers]
            if not writers or may_hold(left, row["version"], row["value"]):
                same.append(row["id"])
            dropped |= writers
        keep = ~np.isin(history.integers("index"), list(dropped))
        keys = frozenset(row["id"] for row in rows) - frozenset(same)
        return Planted(evidence.replaced(history=history.where(keep)), keys, frozenset(same))
