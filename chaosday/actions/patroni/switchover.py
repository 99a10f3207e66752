"""Switchover: the leader hands over in good order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.model.action import Reversible
from chaosday.model.failover import Failover
from chaosday.model.target import Target

EVERY_S = 0.2


class PatroniSwitchover(Reversible):
    """Hands over from whoever leads to ``candidate``, or to whom Patroni chooses, and waits until the former leader
    follows. ``undo`` names the member that is to lead again as the run ends."""

    kind: Literal["patroni.switchover"] = "patroni.switchover"
    candidate: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    undo: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    timeout_s: float = Field(default=60, gt=0, le=3600)
    """Of the wait for a candidate that follows, and of the change."""

    def limit_s(self) -> float:
        return self.timeout_s + super().limit_s()

    def act(self, targets: Mapping[str, Target]) -> str:
        return handed_over(targets[self.target], self.candidate, self.timeout_s)

    def take_back(self, targets: Mapping[str, Target]) -> str:
        return handed_over(targets[self.target], self.undo, self.timeout_s)


def handed_over(target: Target, candidate: str, timeout_s: float) -> str:
    """Let ``candidate`` lead, where it does not already, and say in words how long that took.

    It is waited for until it follows: one that has just come back does not at once.
    """
    cluster = target.capability(Failover)
    until = time.monotonic() + timeout_s
    while True:
        seen = cluster.members()
        leader = next((each.name for each in seen if each.leads), "")
        if leader and leader == candidate:
            return f"{leader} leads already"
        if leader and any(each.follows and candidate in ("", each.name) for each in seen):
            break
        if time.monotonic() > until:
            said = ", ".join(each.words for each in seen)
            lacking = "nobody leads" if not leader else f"{candidate or 'nobody'} does not follow {leader}"
            raise TargetUnreachable(f"there can be no switchover: {lacking}: {said}")
        time.sleep(EVERY_S)
    began = time.monotonic()
    cluster.switchover(leader, candidate, timeout_s)
    return f"{leader} handed over to {candidate or 'another'} in {time.monotonic() - began:.1f} s"
