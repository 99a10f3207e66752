"""A text cut short."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TextTruncated(TableCorruption):
    """Cuts the last character off, as a column that is too narrow does."""

    kind: Literal["text_truncated"] = "text_truncated"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return old[:-1] if old else None

        return self.change_cells(evidence, size, rng, pa.types.is_string, change, "a text")
