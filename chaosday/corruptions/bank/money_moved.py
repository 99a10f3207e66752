"""Money in the wrong account, the total intact."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.bank import transfers
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import UNKNOWN
from chaosday.planting.bank_planting import BankCorruption
from chaosday.planting.planting import pick, with_cells


class MoneyMoved(BankCorruption):
    """Moves money between final balances though no transfer did.

    The amount is more than all unknown transfers together, so that none of them can account for it.
    """

    kind: Literal["money_moved"] = "money_moved"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        moved = transfers(evidence.history())
        amount = 1 + 2 * int(moved.amount[moved.status == UNKNOWN].sum())
        at = rng.permutation(pick(rng, table.num_rows, 2 * size, "accounts"))
        held = [balance.as_py() for balance in table["balance"].take(at)]
        held = [balance + (amount if n % 2 else -amount) for n, balance in enumerate(held)]
        return self.planted(evidence, with_cells(table, "balance", at, held), table["account"].take(at).to_pylist())
