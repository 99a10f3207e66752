"""One low bit of a whole number."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class WholeNumberFlipped(TableCorruption):
    """Flips a low bit, so that the number stays within its range."""

    kind: Literal["whole_number_flipped"] = "whole_number_flipped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        bit = 1 << int(rng.integers(3))

        def change(old: Any) -> Any:
            return None if old is None else old ^ bit

        return self.change_cells(evidence, size, rng, pa.types.is_integer, change, "a whole number")
