"""A read that shows no balance where there is one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.bank import Facts
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption


class ReadNull(BankCorruption):
    """Shows null for one account."""

    kind: Literal["read_null"] = "read_null"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(balances: dict[str, int | None], facts: Facts) -> dict[str, int | None]:
            return balances | {str(rng.choice(facts.accounts)): None}

        return self.reread(evidence, size, rng, damage)
