"""NULL that became the empty text."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TextEmpty(TableCorruption):
    """Puts an empty text in the place of NULL, as CSV does on its way."""

    kind: Literal["text_empty"] = "text_empty"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return "" if old is None else None

        return self.change_cells(evidence, size, rng, pa.types.is_string, change, "a NULL")
