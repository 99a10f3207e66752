"""A file that nobody wrote."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import FileCorruption


class FileExtra(FileCorruption):
    """Copies files under other names: a temporary file left behind, a deletion undone."""

    kind: Literal["file_extra"] = "file_extra"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        contents = self.contents(evidence)
        chosen = self.choose(contents, size, rng)
        return self.replaced(evidence, {f"{path}.copy{n}": contents[path] for n, path in enumerate(chosen)})
