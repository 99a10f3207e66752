"""The last bit of a floating-point number."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class FloatLastBit(TableCorruption):
    """Moves to the next number there is: what printing with too few digits does."""

    kind: Literal["float_last_bit"] = "float_last_bit"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None or not math.isfinite(old) else math.nextafter(old, math.inf)

        return self.change_cells(evidence, size, rng, pa.types.is_floating, change, "a number")
