"""A space at the end of a text."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TextTrailingSpace(TableCorruption):
    """Adds a space, as a column of fixed width does."""

    kind: Literal["text_trailing_space"] = "text_trailing_space"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None else f"{old} "

        return self.change_cells(evidence, size, rng, pa.types.is_string, change, "a text")
