"""A time that is one microsecond off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TimeMicrosecond(TableCorruption):
    """Moves a timestamp by one microsecond: what rounding on its way does."""

    kind: Literal["time_microsecond"] = "time_microsecond"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None else old + timedelta(microseconds=1)

        return self.change_cells(evidence, size, rng, pa.types.is_timestamp, change, "a time")
