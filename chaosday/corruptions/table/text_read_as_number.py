"""A text that was read as a number."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption

_PADDED = re.compile(r"0+[0-9]+(\.[0-9]+)?|[0-9]+\.[0-9]*0")


class TextReadAsNumber(TableCorruption):
    """Drops leading and trailing zeros that a number does not need: 007 becomes 7, and 1.50 becomes 1.5."""

    kind: Literal["text_read_as_number"] = "text_read_as_number"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            return f"{Decimal(old).normalize():f}" if old is not None and _PADDED.fullmatch(old) else None

        return self.change_cells(
            evidence, size, rng, pa.types.is_string, change, "a text that looks like a number with zeros to spare"
        )
