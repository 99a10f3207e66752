"""A version that nobody wrote yet."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, attempts_of, may_hold, pick, rows_at, with_rows


class VersionAhead(LedgerCorruption):
    """Raises the version by one with a checksum that fits: an update applied twice.

    Equivalent where an update of unknown outcome may have written just that.
    """

    kind: Literal["version_ahead"] = "version_ahead"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "rows")
        rows = [row | {"version": row["version"] + 1} for row in rows_at(table, at)]
        tried = attempts_of(evidence.history(), [row["id"] for row in rows])
        same = [row["id"] for row in rows if may_hold(tried[row["id"]], row["version"], row["value"])]
        return self.planted(evidence, with_rows(table, at, rows), [row["id"] for row in rows], same)
