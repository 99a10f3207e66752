"""Damage planted into a saved report, in the reporting tool's own form.

It shows that a report of damage would be read, not that the tool would have made one: what the tool
itself can see is measured in its tests and said in the check's ``blind_to``.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence


class ReportedDamage(Corruption):
    """A corruption of one saved observation; a member says how ``size`` items of damage are reported."""

    observation: str = ""
    field: ClassVar[str] = ""
    """A field by which the observation is known to be the tool's."""

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        if not evidence.has(f"observations/{self.observation}"):
            raise NotApplicable(f"there is no observation {self.observation}")
        said = evidence.observation(self.observation)
        if not isinstance(said, dict) or self.field not in said:
            raise NotApplicable(f"observation {self.observation} has no field {self.field}")
        names = [f"{number:x}" for number in rng.choice(1 << 40, size, replace=False)]
        damaged, keys = self.reported(said, names)
        return Planted(evidence.replaced(observations={self.observation: damaged}), frozenset(keys))

    @abstractmethod
    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        """The observation with one item of damage for each name, and the keys by which the check tells them."""
