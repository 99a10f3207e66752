"""A message comes out twice."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.element_planting import ElementCorruption


class MessageDuplicated(ElementCorruption):
    """Repeats acknowledged messages in what a drain brought; few queues promise that this does not happen."""

    kind: Literal["message_duplicated"] = "message_duplicated"
    stores: ClassVar[tuple[str, ...]] = ("queue",)
    promised: ClassVar[bool] = False
    puts: ClassVar[str] = "enqueue"
    reads: ClassVar[str] = "drain"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history, row, said = self.last(evidence)
        twice = self.some(history, said, size, rng)
        return self.saying(evidence, history, row, [*said, *sorted(twice)], twice)
