"""A row filed under an id that nobody wrote."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import LedgerCorruption, ids_of, new_ids, pick, with_cells


class WrongKey(LedgerCorruption):
    """Changes the id and nothing else: the row is missing where it was and a stranger where it is.

    Both ids are damaged.
    """

    kind: Literal["wrong_key"] = "wrong_key"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table = self.rows(evidence)
        at = pick(rng, table.num_rows, size, "rows")
        strangers = new_ids(table, evidence.history(), size)
        return self.planted(evidence, with_cells(table, "id", at, strangers), [*ids_of(table, at), *strangers])
