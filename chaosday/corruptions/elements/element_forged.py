"""An element that nobody added."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.element_planting import ElementCorruption
from chaosday.evidence import Evidence
from chaosday.model.corruption import NotApplicable, Planted


class ElementForged(ElementCorruption):
    """Puts elements into the last read of a set that were never added."""

    kind: Literal["element_forged"] = "element_forged"
    stores: ClassVar[tuple[str, ...]] = ("elements",)
    puts: ClassVar[str] = "add"
    reads: ClassVar[str] = "read"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history, row, said = self.last(evidence)
        numbers = [each for each in said if isinstance(each, int)]
        if not numbers:
            raise NotApplicable("nothing was there")
        forged = {max(numbers) + 1_000_003 + int(n) for n in rng.choice(1_000_000, size, replace=False)}
        return self.saying(evidence, history, row, [*said, *sorted(forged)], forged)
