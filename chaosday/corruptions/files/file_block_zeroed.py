"""A block of zeros."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import BLOCK_BYTES, FileCorruption


class FileBlockZeroed(FileCorruption):
    """Fills one aligned block with zeros: an extent that was allocated and never written. Equivalent
    where it held zeros."""

    kind: Literal["file_block_zeroed"] = "file_block_zeroed"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(content: bytearray) -> bytearray:
            first = BLOCK_BYTES * int(rng.integers(max(1, len(content) // BLOCK_BYTES)))
            length = len(content[first : first + BLOCK_BYTES])
            content[first : first + length] = bytes(length)
            return content

        return self.change(evidence, size, rng, damage)
