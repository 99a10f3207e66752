"""An older version of a row, whole and valid, in place of the acknowledged one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, may_hold, updated_rows, with_rows


class StaleVersion(LedgerCorruption):
    """Puts back the version before the present one, checksum and all: a chunk restored from an old copy.

    Equivalent where the present version was never acknowledged, so that the older one may stand.
    """

    kind: Literal["stale_version"] = "stale_version"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at, rows, before, tried = updated_rows(table, evidence.history(), size, rng)
        older = [
            row | {"version": attempt.version, "value": attempt.value}
            for row, attempt in zip(rows, before, strict=True)
        ]
        same = [row["id"] for row in older if may_hold(tried[row["id"]], row["version"], row["value"])]
        return self.planted(evidence, with_rows(table, at, older), [row["id"] for row in rows], same)
