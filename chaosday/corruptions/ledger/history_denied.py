"""An operation that happened, recorded as provably failed."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import FAILED
from chaosday.planting.planting import LedgerCorruption, attempts_of, may_hold, pick, rows_at


class HistoryDenied(LedgerCorruption):
    """Turns the operation that wrote the row as it stands into a failed one: a client that takes a
    time-out for a refusal. Equivalent where another operation still allows the row."""

    kind: Literal["history_denied"] = "history_denied"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, history = self.rows(evidence), evidence.history()
        rows = rows_at(table, pick(rng, table.num_rows, size, "rows"))
        tried = attempts_of(history, [row["id"] for row in rows])
        denied, same = set(), []
        for row in rows:
            writers = {a.index for a in tried[row["id"]] if may_hold([a], row["version"], row["value"])}
            left = [a for a in tried[row["id"]] if a.index not in writers]
            if not writers or may_hold(left, row["version"], row["value"]):
                same.append(row["id"])
            denied |= writers
        status = history.statuses().copy()
        status[np.isin(history.integers("index"), list(denied))] = FAILED
        keys = frozenset(row["id"] for row in rows) - frozenset(same)
        return Planted(evidence.replaced(history=history.with_column("status", status)), keys, frozenset(same))
