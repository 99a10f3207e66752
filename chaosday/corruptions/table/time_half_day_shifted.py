"""A time whose AM or PM was not read."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TimeHalfDayShifted(TableCorruption):
    """Moves a timestamp between morning and afternoon of its day."""

    kind: Literal["time_half_day_shifted"] = "time_half_day_shifted"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None else old.replace(hour=(old.hour + 12) % 24)

        return self.change_cells(evidence, size, rng, pa.types.is_timestamp, change, "a time")
