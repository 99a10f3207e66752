"""One bit of a file."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import FileCorruption


class FileBitFlip(FileCorruption):
    """Flips one bit; the size stays as it was."""

    kind: Literal["file_bit_flip"] = "file_bit_flip"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(content: bytearray) -> bytearray:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
            return content

        return self.change(evidence, size, rng, damage)
