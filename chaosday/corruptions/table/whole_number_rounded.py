"""A whole number that went through a float64."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class WholeNumberRounded(TableCorruption):
    """Rounds to the 53 bits that a float64 has: what JSON numbers and spreadsheets do. Smaller numbers cannot be
    damaged so."""

    kind: Literal["whole_number_rounded"] = "whole_number_rounded"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            rounded = None if old is None else int(float(old))
            return None if rounded == old or rounded is None or abs(rounded) >= 2**63 else rounded

        return self.change_cells(
            evidence, size, rng, pa.types.is_integer, change, "a whole number of more than 53 bits"
        )
