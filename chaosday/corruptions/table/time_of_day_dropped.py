"""A time that became a date."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TimeOfDayDropped(TableCorruption):
    """Moves a timestamp to its midnight: what storing it in a date does. A midnight cannot be damaged so."""

    kind: Literal["time_of_day_dropped"] = "time_of_day_dropped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            midnight = None if old is None else old.replace(hour=0, minute=0, second=0, microsecond=0)
            return None if midnight == old else midnight

        return self.change_cells(evidence, size, rng, pa.types.is_timestamp, change, "a time of day")
