"""A message that nobody sent."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.element_planting import ElementCorruption
from chaosday.evidence import Evidence
from chaosday.model.corruption import NotApplicable, Planted


class MessageForged(ElementCorruption):
    """Puts messages into what a drain brought that were never enqueued."""

    kind: Literal["message_forged"] = "message_forged"
    stores: ClassVar[tuple[str, ...]] = ("queue",)
    puts: ClassVar[str] = "enqueue"
    reads: ClassVar[str] = "drain"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history, row, said = self.last(evidence)
        numbers = [each for each in said if isinstance(each, int)]
        if not numbers:
            raise NotApplicable("nothing was there")
        forged = {max(numbers) + 1_000_003 + int(n) for n in rng.choice(1_000_000, size, replace=False)}
        return self.saying(evidence, history, row, [*said, *sorted(forged)], forged)
