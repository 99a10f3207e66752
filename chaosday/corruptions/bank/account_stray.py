"""An account that nobody opened."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.clients.bank import SCHEMA
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.bank_planting import BankCorruption


class AccountStray(BankCorruption):
    """Adds accounts that hold nothing, so that the total stays right."""

    kind: Literal["account_stray"] = "account_stray"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        first = max([*self.facts(evidence).accounts, *table["account"].to_pylist()]) + 1
        strays = list(range(first, first + size))
        added = pa.Table.from_arrays([pa.array(strays, pa.int64()), pa.array([0] * size, pa.int64())], schema=SCHEMA)
        return self.planted(evidence, pa.concat_tables([table.select(SCHEMA.names), added]), strays)
