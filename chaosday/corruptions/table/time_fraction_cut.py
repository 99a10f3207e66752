"""A time without its fraction of a second."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TimeFractionCut(TableCorruption):
    """Cuts a timestamp to whole seconds: what a format without fractions does. Whole seconds cannot be damaged so."""

    kind: Literal["time_fraction_cut"] = "time_fraction_cut"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None or not old.microsecond else old.replace(microsecond=0)

        return self.change_cells(evidence, size, rng, pa.types.is_timestamp, change, "a fraction of a second")
