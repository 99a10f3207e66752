"""Money made or lost in an account."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption
from chaosday.planting.planting import pick, with_cells


class BalanceChanged(BankCorruption):
    """Adds a little to final balances, so that the total is wrong."""

    kind: Literal["balance_changed"] = "balance_changed"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "accounts")
        # Always upwards: changes of both signs could cancel out.
        held = [balance.as_py() + int(rng.integers(1, 20)) for balance in table["balance"].take(at)]
        return self.planted(evidence, with_cells(table, "balance", at, held), table["account"].take(at).to_pylist())
