"""A replica that shows an older state of rows that were updated."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.ledger import is_ledger
from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import updated_rows, with_rows
from chaosday.planting.table_planting import TableCorruption


class ReplicaLagging(TableCorruption):
    """Puts ledger rows back to the version before, whole and valid: a snapshot taken too early."""

    kind: Literal["replica_lagging"] = "replica_lagging"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.table(evidence)
        if not is_ledger(table):
            raise NotApplicable("only a ledger knows what its rows were before")
        at, rows, before, _ = updated_rows(table, evidence.history(), size, rng)
        older = [row | {"version": a.version, "value": a.value} for row, a in zip(rows, before, strict=True)]
        return self.planted(evidence, with_rows(table, at, older), [row["id"] for row in rows])
