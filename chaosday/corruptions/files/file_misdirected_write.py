"""A block written to the wrong place."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import BLOCK_BYTES, FileCorruption


class FileMisdirectedWrite(FileCorruption):
    """Copies one block of a file over another: the damage that no random flip makes. Equivalent where both
    hold the same."""

    kind: Literal["file_misdirected_write"] = "file_misdirected_write"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        def damage(content: bytearray) -> bytearray:
            source, place = rng.choice(len(content) // BLOCK_BYTES, 2, replace=False) * BLOCK_BYTES
            content[place : place + BLOCK_BYTES] = content[source : source + BLOCK_BYTES]
            return content

        return self.change(evidence, size, rng, damage, 2 * BLOCK_BYTES)
