"""A whole number that went through 32 bits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class WholeNumberWrapped(TableCorruption):
    """Keeps the lower 32 bits, as a signed number. Numbers that fit into them cannot be damaged so."""

    kind: Literal["whole_number_wrapped"] = "whole_number_wrapped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None or -(2**31) <= old < 2**31 else (old + 2**31) % 2**32 - 2**31

        return self.change_cells(evidence, size, rng, pa.types.is_int64, change, "a whole number of more than 32 bits")
