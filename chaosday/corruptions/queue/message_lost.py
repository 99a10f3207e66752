"""A message that was acknowledged never comes out."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.element_planting import ElementCorruption
from chaosday.evidence import Evidence
from chaosday.model.corruption import NotApplicable, Planted


class MessageLost(ElementCorruption):
    """Takes acknowledged messages out of what a drain brought."""

    kind: Literal["message_lost"] = "message_lost"
    stores: ClassVar[tuple[str, ...]] = ("queue",)
    puts: ClassVar[str] = "enqueue"
    reads: ClassVar[str] = "drain"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history, row, said = self.last(evidence)
        there = sorted(self.acknowledged(history) & set(said))
        if len(there) < size:
            raise NotApplicable(f"{len(there)} acknowledged ones are there, {size} are needed")
        gone = {there[at] for at in rng.choice(len(there), size, replace=False)}
        return self.saying(evidence, history, row, [each for each in said if each not in gone], gone)
