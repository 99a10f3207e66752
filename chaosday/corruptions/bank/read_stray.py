"""A read that shows an account nobody opened."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.bank import Facts
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption


class ReadStray(BankCorruption):
    """Shows one more account, holding nothing."""

    kind: Literal["read_stray"] = "read_stray"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(balances: dict[str, int | None], facts: Facts) -> dict[str, int | None]:
            return balances | {str(max(facts.accounts) + 1): 0}

        return self.reread(evidence, size, rng, damage)
