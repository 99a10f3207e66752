"""A number that lost its fraction."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class FloatFractionDropped(TableCorruption):
    """Cuts what is behind the point: what reading a number into a column of whole numbers does. Numbers that are whole
    cannot be damaged so."""

    kind: Literal["float_fraction_dropped"] = "float_fraction_dropped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None or not math.isfinite(old) or old == int(old) else float(int(old))

        return self.change_cells(evidence, size, rng, pa.types.is_floating, change, "a fraction")
