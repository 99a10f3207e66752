"""Zero that changed its sign."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class FloatNegativeZero(TableCorruption):
    """Turns 0.0 into -0.0, which every database calls equal."""

    kind: Literal["float_negative_zero"] = "float_negative_zero"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return -0.0 if old == 0 and math.copysign(1, old) > 0 else None

        return self.change_cells(evidence, size, rng, pa.types.is_floating, change, "a zero")
