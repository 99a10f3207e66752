"""A write of which only the first part arrived."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import FileCorruption


class FileTorn(FileCorruption):
    """Keeps the start of a file and fills the rest with zeros. Equivalent where the rest was zeros."""

    kind: Literal["file_torn"] = "file_torn"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(content: bytearray) -> bytearray:
            kept = int(rng.integers(1, len(content)))
            content[kept:] = bytes(len(content) - kept)
            return content

        return self.change(evidence, size, rng, damage, 2)
