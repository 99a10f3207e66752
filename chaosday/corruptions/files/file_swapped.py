"""The content of another file."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.file_planting import FileCorruption


class FileSwapped(FileCorruption):
    """Puts the whole and valid content of one file under the name of another. Equivalent where both
    are the same."""

    kind: Literal["file_swapped"] = "file_swapped"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        contents = self.contents(evidence)
        chosen = self.choose(contents, 2 * size, rng)
        pairs = zip(chosen[::2], chosen[1::2], strict=True)
        return self.replaced(evidence, {place: contents[source] for place, source in pairs})
