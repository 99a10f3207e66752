"""A read that shows an account overdrawn."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.bank import Facts
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption


class ReadNegative(BankCorruption):
    """Shows one balance below zero and the rest of the money elsewhere, the total intact."""

    kind: Literal["read_negative"] = "read_negative"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(balances: dict[str, int | None], facts: Facts) -> dict[str, int | None]:
            poor, rich = (str(account) for account in rng.choice(facts.accounts, 2, replace=False))
            debt = (balances.get(poor) or 0) + int(rng.integers(1, 20))
            return balances | {poor: (balances.get(poor) or 0) - debt, rich: (balances.get(rich) or 0) + debt}

        return self.reread(evidence, size, rng, damage)
