"""A balance that is NULL."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption
from chaosday.planting.planting import pick, with_cells


class BalanceNull(BankCorruption):
    """Sets final balances to NULL."""

    kind: Literal["balance_null"] = "balance_null"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "accounts")
        return self.planted(
            evidence, with_cells(table, "balance", at, [None] * size), table["account"].take(at).to_pylist()
        )
