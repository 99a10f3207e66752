"""A flag that turned over."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class BooleanFlipped(TableCorruption):
    """Makes true false and false true: what a reading of t and f, yes and no, 1 and 0 in the wrong way does."""

    kind: Literal["boolean_flipped"] = "boolean_flipped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None else not old

        return self.change_cells(evidence, size, rng, pa.types.is_boolean, change, "a truth value")
