"""NULL that became a word."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TextNullWord(TableCorruption):
    """Puts a word for NULL in its place, as a dump read by another tool does."""

    kind: Literal["text_null_word"] = "text_null_word"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return "<null>" if old is None else None

        return self.change_cells(evidence, size, rng, pa.types.is_string, change, "a NULL")
