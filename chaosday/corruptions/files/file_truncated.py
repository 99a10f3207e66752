"""A file that ends too early."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import FileCorruption


class FileTruncated(FileCorruption):
    """Cuts some bytes off the end."""

    kind: Literal["file_truncated"] = "file_truncated"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(content: bytearray) -> bytearray:
            return content[: int(rng.integers(len(content)))]

        return self.change(evidence, size, rng, damage)
