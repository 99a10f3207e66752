"""Failover: a member is made to lead though nobody hands over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.actions.patroni.switchover import handed_over
from chaosday.model.action import Reversible
from chaosday.model.failover import Failover
from chaosday.model.target import Target


class PatroniFailover(Reversible):
    """Makes ``candidate`` lead. ``undo`` names the member that is to lead again as the run ends: what was written
    meanwhile has to be there too, so it is a switchover."""

    kind: Literal["patroni.failover"] = "patroni.failover"
    candidate: str = Field(default="b", pattern=r"^[A-Za-z0-9._-]+$")
    undo: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    timeout_s: float = Field(default=60, gt=0, le=3600)

    def limit_s(self) -> float:
        return self.timeout_s + super().limit_s()

    def act(self, targets: Mapping[str, Target]) -> str:
        began = time.monotonic()
        targets[self.target].capability(Failover).failover(self.candidate, self.timeout_s)
        return f"{self.candidate} leads after {time.monotonic() - began:.1f} s"

    def take_back(self, targets: Mapping[str, Target]) -> str:
        return handed_over(targets[self.target], self.undo, self.timeout_s)
