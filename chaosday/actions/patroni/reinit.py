"""Reinit: a member's data is thrown away and copied anew from the leader."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import Refused
from chaosday.model.action import Reversible
from chaosday.model.failover import Failover
from chaosday.model.target import Target


class PatroniReinit(Reversible):
    """Copies ``member`` anew, and waits until it follows. What only it had is gone, so it has no undo; who leads is
    refused."""

    kind: Literal["patroni.reinit"] = "patroni.reinit"
    member: str = Field(default="b", pattern=r"^[A-Za-z0-9._-]+$")
    timeout_s: float = Field(default=600, gt=0, le=86_400)

    def act(self, targets: Mapping[str, Target]) -> str:
        cluster = targets[self.target].capability(Failover)
        if any(each.name == self.member and each.leads for each in cluster.members()):
            raise Refused(f"{self.member} leads: its data is the cluster's, and is not thrown away")
        began = time.monotonic()
        cluster.reinit(self.member, self.timeout_s)
        return f"{self.member} was copied anew in {time.monotonic() - began:.1f} s"

    def take_back(self, targets: Mapping[str, Target]) -> str:
        raise Refused("a copy that was thrown away does not come back")
