"""An account that is gone, and the money in it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption
from chaosday.planting.planting import pick, without


class AccountMissing(BankCorruption):
    """Takes final balances away."""

    kind: Literal["account_missing"] = "account_missing"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "accounts")
        return self.planted(evidence, without(table, at), table["account"].take(at).to_pylist())
