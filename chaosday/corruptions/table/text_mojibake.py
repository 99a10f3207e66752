"""UTF-8 read as Latin-1."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TextMojibake(TableCorruption):
    """Reads the bytes of a text in the wrong encoding."""

    kind: Literal["text_mojibake"] = "text_mojibake"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return None if old is None or old.isascii() else old.encode().decode("latin-1")

        return self.change_cells(evidence, size, rng, pa.types.is_string, change, "a letter beyond ASCII")
