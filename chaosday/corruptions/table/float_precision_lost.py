"""A number that went through single precision."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class FloatPrecisionLost(TableCorruption):
    """Rounds a double to a float and back. Equivalent where nothing was lost."""

    kind: Literal["float_precision_lost"] = "float_precision_lost"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None or not np.isfinite(old) else float(np.float32(old))

        return self.change_cells(evidence, size, rng, pa.types.is_float64, change, "a number")
