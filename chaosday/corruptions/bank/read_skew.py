"""A read that saw one side of a transfer."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.bank import Facts
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption


class ReadSkew(BankCorruption):
    """Shows one account with money that has not left another: the read of a torn snapshot."""

    kind: Literal["read_skew"] = "read_skew"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(balances: dict[str, int | None], facts: Facts) -> dict[str, int | None]:
            account = str(rng.choice(facts.accounts))
            return balances | {account: (balances.get(account) or 0) + int(rng.integers(1, 20))}

        return self.reread(evidence, size, rng, damage)
