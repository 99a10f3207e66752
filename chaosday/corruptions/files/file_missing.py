"""A file that is gone."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import FileCorruption


class FileMissing(FileCorruption):
    """Takes files away."""

    kind: Literal["file_missing"] = "file_missing"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        return self.replaced(evidence, dict.fromkeys(self.choose(self.contents(evidence), size, rng)))
