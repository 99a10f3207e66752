"""A write that the store refused, and kept nevertheless."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.clients.ledger import operations, rows_table
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import FAILED
from chaosday.planting.planting import LedgerCorruption, attempts_of, pick, rows_with, without


class FailedRowPresent(LedgerCorruption):
    """Adds the rows of inserts that provably failed: a dirty write, an abort that aborted nothing.

    Equivalent where another insert of the same id may have happened.
    """

    kind: Literal["failed_row_present"] = "failed_row_present"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, ops = self.rows(evidence), operations(evidence.history())
        failed = pick(rng, np.flatnonzero(ops.insert & (ops.status == FAILED)), size, "inserts that failed")
        ids = [int(key) for key in ops.key[failed]]
        tried = attempts_of(evidence.history(), ids)
        same = [key for key, all_tries in tried.items() if any(attempt.status != "failed" for attempt in all_tries)]
        last = int(np.max(table["position"].to_numpy(), initial=0))
        added = rows_table(
            {
                "id": ids,
                "version": [1] * size,
                "value": ops.value[failed],
                "position": np.arange(last + 1, last + 1 + size),
            }
        )
        kept = without(table, rows_with(table, ids))
        return self.planted(evidence, pa.concat_tables([kept, added.cast(table.schema)]), ids, same)
