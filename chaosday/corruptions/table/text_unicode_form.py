"""The same letters in another Unicode form."""

from __future__ import annotations

import unicodedata
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.table_planting import TableCorruption


class TextUnicodeForm(TableCorruption):
    """Decomposes composed letters (NFC to NFD): it looks the same and is another text."""

    kind: Literal["text_unicode_form"] = "text_unicode_form"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def change(old: Any) -> Any:
            decomposed = None if old is None else unicodedata.normalize("NFD", old)
            return None if decomposed == old else decomposed

        return self.change_cells(evidence, size, rng, pa.types.is_string, change, "a composed letter")
